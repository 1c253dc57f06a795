//! The command line, as clap reads it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::client_arguments::{
    CompactArguments, DeleteArguments, EXIT_CODES, GetArguments, HealthArguments, HistoryArguments,
    LeaderArguments, ListArguments, PutArguments, SessionArguments, SettingsArguments, StatusArguments,
    TopArguments, TransactionArguments,
};
use crate::member_arguments::MemberArguments;

/// A replicated key-value store: linearizable by default, any node answers any request.
///
/// Try it: `quorate dev` starts three nodes on this machine and prints three lines to paste.
#[derive(Debug, Parser)]
#[command(name = "quorate", version, propagate_version = true, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Arguments {
    /// What to log, and how.
    #[command(flatten)]
    pub logging: LoggingArguments,

    /// How many threads run the network and Raft; disk writes have threads of their own. By default half
    /// as many as there are cores.
    #[arg(long, global = true, env = "QUORATE_WORKER_THREADS", value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub worker_threads: Option<u16>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What is told on standard error and to collectors of traces.
#[derive(Debug, Args)]
pub struct LoggingArguments {
    /// What to log: a level (error, warn, info, debug, trace) or filters by module, comma-separated.
    #[arg(long, global = true, env = "QUORATE_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,

    /// How lines of the log look.
    #[arg(long, global = true, env = "QUORATE_LOG_FORMAT", default_value = "text", value_name = "FORMAT")]
    pub log_format: LogFormat,

    /// Send spans to this collector by OTLP over HTTP, such as http://localhost:4318.
    #[cfg(feature = "otlp")]
    #[arg(long, global = true, env = "QUORATE_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,

    /// The share of requests whose spans are sent, 0 to 1.
    #[cfg(feature = "otlp")]
    #[arg(
        long,
        global = true,
        env = "QUORATE_OTLP_SAMPLE_RATIO",
        default_value_t = 1.0,
        value_name = "RATIO"
    )]
    pub otlp_sample_ratio: f64,
}

/// How lines of the log look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start three nodes on this machine, in one process, to try things out.
    Dev(DevArguments),
    /// Run one node of a cluster.
    Serve(ServeArguments),
    /// Check the data of a node that is stopped, and have a damaged state made anew.
    Repair(RepairArguments),
    /// Run a router: a proxy that passes each request to the node that can do it best.
    Route(RouteArguments),
    /// Make a new cluster out of one survivor, when a majority of the members is lost for ever.
    Recover(RecoverArguments),
    /// Print a key's value.
    Get(GetArguments),
    /// Set a key's value.
    Put(PutArguments),
    /// Remove a key, or all keys with a prefix.
    Delete(DeleteArguments),
    /// List keys and values, all as they were at one moment.
    List(ListArguments),
    /// Compare, and do one of two lists of operations, all of it at one moment.
    Txn(TransactionArguments),
    /// List what changed, revision by revision.
    History(HistoryArguments),
    /// Forget the history before a revision.
    Compact(CompactArguments),
    /// Show or change the cluster's settings.
    Settings(SettingsArguments),
    /// Show the cluster as one of its nodes sees it.
    Status(StatusArguments),
    /// Ask whether nodes and routers are alive, or ready, and wait until they are.
    Health(HealthArguments),
    /// Watch the nodes: who leads, who is behind, how much is done, and how fast.
    Top(TopArguments),
    /// List, add, promote, replace and remove members.
    Member(MemberArguments),
    /// Decide who leads.
    Leader(LeaderArguments),
    /// Hold a session, for programs that number their own writes. The commands above need none of this.
    Session(SessionArguments),
    /// Print a script that completes commands in a shell.
    Completions(CompletionsArguments),
    /// Print a manual page.
    Man(ManArguments),
    /// Print an example of the configuration file, with every setting and its default.
    Config,
}

/// `quorate repair`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every record of the state is read and checked. If all are sound, nothing is changed. If some are damaged, or the node \
has stopped because its state differs from the leader's, the node is told to make its state anew when it starts next, \
from its own snapshot and log or from another node's snapshot. It keeps its log, its vote and its identity. A node \
of which the log is damaged cannot be repaired: it has to be replaced by a new one.")]
pub struct RepairArguments {
    /// The data directory. Its node must be stopped.
    #[arg(long, env = "QUORATE_DATA_DIR", value_name = "DIR")]
    pub data_dir: PathBuf,
}

/// `quorate route`.
#[derive(Debug, Args)]
#[command(after_help = "\
For clients that cannot know the nodes. In front of the nodes of `quorate dev`:
  quorate route --cluster http://127.0.0.1:7801,http://127.0.0.1:7802,http://127.0.0.1:7803
  curl http://127.0.0.1:7800/v1/kv/greeting
One node that is up is enough: it says who the others are, and the router follows them as they come and go. It keeps \
no data, so that any number of routers can stand side by side.

Where to: writes and linearizable reads go to the leader, reads with consistency=stale to the node that answers \
fastest. What is repeated at another node: reads; writes that certainly did nothing; writes with an Idempotency-Key. \
A write without one that was sent and not answered is answered 504 outcome_unknown, and is not repeated.

The router's own: /healthz is 200 while it runs, /readyz while there is a node to pass requests to, /metrics has what it \
counts. SIGTERM or Ctrl-C lets the requests in flight finish.

Clients that follow the members by themselves (the Rust client does, unless told not to) would go past the router.")]
pub struct RouteArguments {
    /// Nodes of the cluster.
    #[arg(long, env = "QUORATE_CLUSTER", required = true, value_delimiter = ',', value_name = "URL,…")]
    pub cluster: Vec<String>,

    /// Where to listen for clients.
    #[arg(long, env = "QUORATE_LISTEN", default_value = "127.0.0.1:7800", value_name = "HOST:PORT")]
    pub listen: String,

    /// How many connections clients may have open; beyond it they are answered 429.
    #[arg(long, env = "QUORATE_CONNECTIONS_MAX", default_value_t = 4096, value_name = "NUMBER")]
    pub connections_max: usize,

    /// How many requests are passed on at once; beyond it they are answered 429.
    #[arg(long, env = "QUORATE_REQUESTS_MAX", default_value_t = 2048, value_name = "NUMBER")]
    pub requests_max: usize,

    /// How many bytes of bodies of requests are held at once; beyond it requests are answered 429.
    #[arg(long, env = "QUORATE_BODY_BYTES_MAX", default_value_t = 256 << 20, value_name = "BYTES")]
    pub body_bytes_max: usize,
}

/// `quorate recover`.
#[derive(Debug, Args)]
#[command(after_help = "\
Only if more than half of the voters are lost for ever: otherwise start them again, or replace the lost ones one by one. \
All nodes must be stopped. Run it with --inspect on every survivor and choose the one of which the log ends with the \
greatest term and, of those, the greatest index; run it there with --force, and start that node. It is then the only \
member of a new cluster, with all that was in its log. What only the lost nodes had is lost, be it acknowledged; writes \
that were never acknowledged may have become permanent. The other survivors belong to the old cluster and cannot rejoin \
as they are: start them with --join and --force-new, which sets their old data aside.")]
pub struct RecoverArguments {
    /// The data directory. Its node must be stopped.
    #[arg(long, env = "QUORATE_DATA_DIR", value_name = "DIR")]
    pub data_dir: PathBuf,

    /// Say where the log ends and who the members are, and change nothing.
    #[arg(long, conflicts_with = "force", required_unless_present = "force")]
    pub inspect: bool,

    /// Do it.
    #[arg(long)]
    pub force: bool,
}

/// `quorate completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
For bash, for this user:
  quorate completions bash > ~/.local/share/bash-completion/completions/quorate
For zsh, in a folder of $fpath:
  quorate completions zsh > ~/.zfunc/_quorate
For fish:
  quorate completions fish > ~/.config/fish/completions/quorate.fish")]
pub struct CompletionsArguments {
    /// Which shell.
    pub shell: clap_complete::Shell,
}

/// `quorate man`.
#[derive(Debug, Args)]
#[command(after_help = "\
To read it:
  quorate man list | man -l -")]
pub struct ManArguments {
    /// The command that the page is about; none for the page about all.
    #[arg(value_name = "COMMAND")]
    pub page: Option<String>,

    /// Write all pages into this folder instead, as quorate.1, quorate-serve.1 and so on.
    #[arg(long, value_name = "DIR", conflicts_with = "page")]
    pub directory: Option<PathBuf>,
}

/// `quorate dev`.
#[derive(Debug, Args)]
pub struct DevArguments {
    /// Where the three data directories are kept. By default below the user's data directory, so that
    /// the next start finds what this one stored.
    #[arg(long, env = "QUORATE_DEV_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// The first node's HTTP port; the others take the next two. Peers use the same ports plus 100.
    #[arg(long, env = "QUORATE_DEV_PORT", default_value_t = 7801, value_parser = clap::value_parser!(u16).range(1..=65_000), value_name = "PORT")]
    pub port: u16,

    /// Also speak the dialect of another store at these addresses, one for each node: cluster-kv, simplekv, kv-db,
    /// memberlist or keyval. Can be given for several dialects.
    #[arg(long, value_name = "NAME=HOST:PORT,HOST:PORT,HOST:PORT")]
    pub dialect: Vec<String>,
}

/// `quorate serve`. Every setting can also come from the environment or from a file; a flag wins over
/// the environment, which wins over the file.
#[derive(Debug, Args)]
#[command(after_help = "\
A cluster of three on one machine, each line in a shell of its own:
  quorate serve --id 1 --data-dir n1 --listen 127.0.0.1:7801 --peer-listen 127.0.0.1:7901 \\
      --initial-cluster 1=127.0.0.1:7901,2=127.0.0.1:7902,3=127.0.0.1:7903
  quorate serve --id 2 --data-dir n2 --listen 127.0.0.1:7802 --peer-listen 127.0.0.1:7902 \\
      --initial-cluster 1=127.0.0.1:7901,2=127.0.0.1:7902,3=127.0.0.1:7903
  quorate serve --id 3 --data-dir n3 --listen 127.0.0.1:7803 --peer-listen 127.0.0.1:7903 \\
      --initial-cluster 1=127.0.0.1:7901,2=127.0.0.1:7902,3=127.0.0.1:7903
The cluster forms when all of them have been started once. From then on a majority is enough.")]
pub struct ServeArguments {
    /// A TOML file with any of these settings (`id = 1`, `data-dir = \"…\"`, …).
    #[arg(long, env = "QUORATE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The settings.
    #[command(flatten)]
    pub settings: ServeSettings,
}

/// The settings of one node.
#[derive(Clone, Debug, Default, Args, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ServeSettings {
    /// This node's member number, 1 or greater, unique in the cluster.
    #[arg(long, env = "QUORATE_ID", value_name = "NUMBER")]
    pub id: Option<u64>,

    /// Where this node keeps its data. Made if it does not exist. Never share or copy it.
    #[arg(long, env = "QUORATE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Where to listen for clients [default: 127.0.0.1:7801].
    #[arg(long, env = "QUORATE_LISTEN", value_name = "HOST:PORT")]
    pub listen: Option<String>,

    /// Where to listen for peers [default: 127.0.0.1:7901].
    #[arg(long, env = "QUORATE_PEER_LISTEN", value_name = "HOST:PORT")]
    pub peer_listen: Option<String>,

    /// The URL at which clients reach this node, told to the other nodes [default: where it listens].
    /// Needed if it listens at every address of its machine (0.0.0.0).
    #[arg(long, env = "QUORATE_ADVERTISE_URL", value_name = "URL")]
    pub advertise_url: Option<String>,

    /// Where peers reach this node, told to the other nodes [default: what --initial-cluster says, or where it
    /// listens for peers]. Needed with --join if it listens at every address of its machine (0.0.0.0).
    #[arg(long, env = "QUORATE_ADVERTISE_PEER", value_name = "HOST:PORT")]
    pub advertise_peer: Option<String>,

    /// Every initial member and where peers reach it, this node included.
    #[arg(long, env = "QUORATE_INITIAL_CLUSTER", value_name = "1=HOST:PORT,2=HOST:PORT,…")]
    pub initial_cluster: Option<String>,

    /// Join a cluster that exists: the peer addresses of any of its members. Instead of --initial-cluster. A
    /// node that is a member already goes on as one.
    #[arg(long, env = "QUORATE_JOIN", value_name = "HOST:PORT,…")]
    pub join: Option<String>,

    /// With --join: stay a learner, which has all the data but no vote, until somebody promotes it.
    #[arg(long, env = "QUORATE_LEARNER", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub learner: Option<bool>,

    /// With --join: if the data directory is of a node that was removed, or of another cluster than the one to be
    /// joined, set its data aside and begin as a new node. Data of use is not touched.
    #[arg(long, env = "QUORATE_FORCE_NEW", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub force_new: Option<bool>,

    /// How often a leader says that it is alive, in milliseconds [default: 100]. A failed leader is
    /// replaced after 5 to 6 times that. The same on all nodes.
    #[arg(long, env = "QUORATE_HEARTBEAT_INTERVAL_MS", value_name = "MS")]
    pub heartbeat_interval_ms: Option<u64>,

    /// By how much the clock of any node may run faster or slower than true time, in millionths (500 is a
    /// cautious bound for machines that keep their time by NTP). With it, reads with `consistency=lease` are
    /// answered by the leader without asking a quorum, which is right only as long as no clock breaks the bound.
    /// Without it they are answered like linearizable ones [default: none].
    #[arg(long, env = "QUORATE_CLOCK_DRIFT_MAX_PPM", value_name = "MILLIONTHS")]
    pub clock_drift_max_ppm: Option<u32>,

    /// Rather do not lead: hand leadership over to a voter that does not avoid it, as soon as one is caught up
    /// [default: false].
    #[arg(long, env = "QUORATE_AVOID_LEADING", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub avoid_leading: Option<bool>,

    /// What to do about a state that is damaged or differs from the leader's: `manual` stops the node until
    /// `quorate repair` was run, `automatic` makes the state anew at once [default: manual].
    #[arg(long, env = "QUORATE_REPAIR", value_name = "POLICY")]
    pub repair: Option<String>,

    /// How many bytes of records are read in a second, in the background, to find damage before somebody
    /// needs them; 0 for never [default: 4194304].
    #[arg(long, env = "QUORATE_SCRUB_BYTES_PER_SECOND", value_name = "BYTES")]
    pub scrub_bytes_per_second: Option<u64>,

    /// Also speak the dialect of another store at this address: cluster-kv, simplekv, kv-db, memberlist or keyval.
    /// Can be given for several dialects.
    #[arg(long, env = "QUORATE_DIALECT", value_delimiter = ',', value_name = "NAME=HOST:PORT")]
    pub dialect: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    const DOCUMENT: &str = include_str!("../../../docs/command-line.md");

    /// What the document has to show of a command, and of those below it.
    fn check_documented(command: &clap::Command, path: &str, missing: &mut Vec<String>) {
        let shown = format!("$ {path}");
        if command.get_subcommands().next().is_none() && !DOCUMENT.contains(&shown) {
            missing.push(shown);
        }
        for argument in command.get_arguments().filter_map(clap::Arg::get_long) {
            if !["help", "version"].contains(&argument) && !DOCUMENT.contains(&format!("--{argument}")) {
                missing.push(format!("{path} --{argument}"));
            }
        }
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            check_documented(below, &format!("{path} {}", below.get_name()), missing);
        }
    }

    #[test]
    fn every_command_has_an_example_and_every_flag_is_named_in_the_document() {
        let mut missing = Vec::new();
        let mut command = Arguments::command();
        command.build();
        check_documented(&command, "quorate", &mut missing);
        assert!(missing.is_empty(), "docs/command-line.md lacks {missing:#?}");
    }

    #[test]
    fn dialects_can_be_given_one_by_one_and_as_a_list() {
        for given in [
            &["--dialect", "kv-db=h:1", "--dialect", "keyval=h:2"][..],
            &["--dialect", "kv-db=h:1,keyval=h:2"],
        ] {
            let words = [&["quorate", "serve"], given].concat();
            let arguments = Arguments::try_parse_from(words).expect("well formed");
            let Command::Serve(serve) = arguments.command else { panic!("another command") };
            assert_eq!(serve.settings.dialect, ["kv-db=h:1", "keyval=h:2"]);
        }
    }

    #[test]
    fn a_value_may_be_a_negative_number() {
        let arguments =
            Arguments::try_parse_from(["quorate", "put", "degrees", "-12.5"]).expect("well formed");
        let Command::Put(put) = arguments.command else { panic!("another command") };
        assert_eq!(put.value.as_deref(), Some("-12.5".as_ref()));
    }

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }
}
