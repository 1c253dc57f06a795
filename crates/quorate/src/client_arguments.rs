//! The arguments of the commands that talk to a cluster.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use quorate_api::{Order, query};
use quorate_client::Freshness;

/// What exit codes mean, for the help.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  it was done
  1  it was refused, or no node could be reached: nothing was done
  2  the command line or the settings are wrong
  3  the outcome of a write is not known: it may have been done, or be done later
  4  the key does not exist, or the condition or the comparisons did not hold";

/// Where client commands find the cluster.
#[derive(Debug, Args)]
pub struct ConnectionArguments {
    /// The nodes to ask, in this order.
    #[arg(
        long,
        env = "QUORATE_ENDPOINTS",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:7801,http://127.0.0.1:7802,http://127.0.0.1:7803",
        value_name = "URL,…"
    )]
    pub endpoints: Vec<String>,

    /// How long a request may take, with all its attempts.
    #[arg(long, default_value = "5s", value_parser = parse_timeout, value_name = "TIME")]
    pub timeout: Duration,

    /// The form of what is printed. Each command has the default that suits it.
    #[arg(long, short, value_enum, value_name = "FORM")]
    pub output: Option<Output>,
}

/// The form of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// One document, as the HTTP API gives it.
    Json,
    /// For people; what cannot be printed is escaped, what is long is cut.
    Table,
    /// The bare answer, byte by byte, for scripts.
    Raw,
}

/// How fresh what a command reads has to be.
#[derive(Clone, Copy, Debug, Args)]
pub struct FreshnessArguments {
    /// Answer from the node's own state, however old.
    #[arg(long)]
    pub stale: bool,
    /// With --stale: the node's state may be this old; an older one catches up, or the command fails.
    #[arg(long, requires = "stale", value_parser = parse_duration, value_name = "TIME")]
    pub max_staleness: Option<Duration>,
    /// Let the leader rely on its lease instead of asking a majority, if the nodes were started with
    /// --clock-drift-max-ppm.
    #[arg(long, conflicts_with = "stale")]
    pub lease: bool,
}

impl From<FreshnessArguments> for Freshness {
    fn from(arguments: FreshnessArguments) -> Self {
        match arguments {
            FreshnessArguments { stale: true, max_staleness: age_max, .. } => Freshness::Stale { age_max },
            FreshnessArguments { lease: true, .. } => Freshness::Lease,
            _ => Freshness::Linearizable,
        }
    }
}

/// `quorate get`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct GetArguments {
    /// The key.
    pub key: OsString,
    /// Read the key as it was at this revision.
    #[arg(long, value_name = "REVISION", conflicts_with_all = ["stale", "lease"])]
    pub revision: Option<u64>,
    /// How fresh the answer has to be.
    #[command(flatten)]
    pub freshness: FreshnessArguments,
    /// Where to send it.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `quorate put`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct PutArguments {
    /// The key.
    pub key: OsString,
    /// The value; `-` or none reads standard input.
    #[arg(allow_negative_numbers = true)]
    pub value: Option<OsString>,
    /// Read the value from a file.
    #[arg(long, value_name = "FILE", conflicts_with = "value")]
    pub file: Option<PathBuf>,
    /// Put only if the key's newest change has this revision.
    #[arg(long, value_name = "REVISION", conflicts_with = "if_absent")]
    pub if_revision: Option<u64>,
    /// Put only if the key does not exist.
    #[arg(long)]
    pub if_absent: bool,
    /// Where to send it.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `quorate delete`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
#[group(id = "what", args = ["key", "prefix", "all"], required = true, multiple = false)]
pub struct DeleteArguments {
    /// The key.
    pub key: Option<OsString>,
    /// Delete all keys that begin with this, in chunks; other writes may come between them.
    #[arg(long, value_name = "PREFIX")]
    pub prefix: Option<OsString>,
    /// Delete every key, in chunks.
    #[arg(long)]
    pub all: bool,
    /// Delete only if the key's newest change has this revision.
    #[arg(long, value_name = "REVISION", conflicts_with_all = ["prefix", "all"])]
    pub if_revision: Option<u64>,
    /// Where to send it.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `quorate list`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct ListArguments {
    /// Only keys that begin with this.
    #[arg(long, value_name = "PREFIX", conflicts_with_all = ["start", "end"])]
    pub prefix: Option<OsString>,
    /// Only keys from this one on.
    #[arg(long, value_name = "KEY")]
    pub start: Option<OsString>,
    /// Only keys before this one.
    #[arg(long, value_name = "KEY")]
    pub end: Option<OsString>,
    /// At most so many keys.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Print no values.
    #[arg(long)]
    pub keys_only: bool,
    /// Print only how many keys there are.
    #[arg(long, conflicts_with_all = ["keys_only", "order"])]
    pub count: bool,
    /// In which order.
    #[arg(long, value_name = "ORDER", value_parser = parse_order, default_value = "ascending")]
    pub order: Order,
    /// List the keys as they were at this revision.
    #[arg(long, value_name = "REVISION", conflicts_with_all = ["stale", "lease"])]
    pub revision: Option<u64>,
    /// How fresh the answer has to be.
    #[command(flatten)]
    pub freshness: FreshnessArguments,
    /// Where to send it.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `quorate txn`.
#[derive(Debug, Args)]
#[command(after_help = format!("\
The transaction is JSON, as POST /v1/txn of the HTTP API takes it:
  {{
    \"compare\": [{{\"key\": \"stock\", \"value\": {{\"equal\": \"3\"}}}}],
    \"success\": [{{\"put\": {{\"key\": \"stock\", \"value\": \"2\"}}}}],
    \"failure\": [{{\"get\": {{\"key\": \"stock\"}}}}]
  }}

{EXIT_CODES}"))]
pub struct TransactionArguments {
    /// A file with the transaction; `-` or none reads standard input.
    pub file: Option<PathBuf>,
    /// Where to send it.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `quorate history`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct HistoryArguments {
    /// The first revision to list; the oldest one that is kept, if it is not said.
    #[arg(long, value_name = "REVISION")]
    pub from: Option<u64>,
    /// The changes of at most so many revisions.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// How fresh the answer has to be.
    #[command(flatten)]
    pub freshness: FreshnessArguments,
    /// Where to send it.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `quorate compact`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct CompactArguments {
    /// The oldest revision that can still be read afterwards.
    pub revision: u64,
    /// Where to send it.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `quorate settings`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct SettingsArguments {
    /// Settings to change, all of them or none. Without any, all are shown.
    #[arg(value_name = "NAME=VALUE", value_parser = parse_setting)]
    pub changes: Vec<(String, u64)>,
    /// Where to send it.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `quorate status`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct StatusArguments {
    /// Where to send it.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `quorate health`.
#[derive(Debug, Args)]
#[command(after_help = HEALTH_HELP)]
pub struct HealthArguments {
    /// Each of them has to be ready: able to answer a linearizable read now.
    #[arg(long)]
    pub ready: bool,
    /// Where to send it.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// What `quorate health` is for.
const HEALTH_HELP: &str = "\
For supervisors, health checks of containers, and scripts that have to wait. Unlike other commands it asks all of \
--endpoints, nodes or routers. It succeeds when each of them has answered as wanted, and fails when --timeout is over.

Without --ready it asks whether the processes run: if that fails, starting them again may help. A node that has merely \
lost its quorum runs, and does not get better by a restart.

Exit codes:
  0  all of them are alive, or ready
  1  one of them is not, or cannot be reached
  2  the command line or the settings are wrong";

/// `quorate top`.
#[derive(Debug, Args)]
#[command(after_help = format!("\
On a terminal it is a live table, until you press q. Elsewhere, or with --output table, the table is printed again and
again as text; with --output json each is one line.

One table, for a script:
  quorate top --samples 1 --output table

{EXIT_CODES}"))]
pub struct TopArguments {
    /// How often to look.
    #[arg(long, default_value = "1s", value_parser = parse_duration, value_name = "TIME")]
    pub interval: Duration,
    /// Look this often, and end. By default until it is stopped.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub samples: Option<u64>,
    /// Where to begin: the nodes that these know of are shown, too.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `quorate leader`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct LeaderArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: LeaderCommand,
}

/// What to do about the leader.
#[derive(Debug, Subcommand)]
pub enum LeaderCommand {
    /// Hand leadership over, without failing a request, and print which member leads then.
    Transfer {
        /// The member that is to lead; the one that is best suited, if it is not said.
        #[arg(value_name = "MEMBER")]
        to: Option<u64>,
        /// Where to send it.
        #[command(flatten)]
        connection: ConnectionArguments,
    },
}

/// `quorate session`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct SessionArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: SessionCommand,
}

/// What to do with a session.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// Open a session, and print its number: the first half of the Idempotency-Key of its writes.
    Open {
        /// After how long without a sign of life it expires [default: the cluster's, 60s].
        #[arg(long, value_parser = parse_duration, value_name = "TIME")]
        ttl: Option<Duration>,
        /// Where to send it.
        #[command(flatten)]
        connection: ConnectionArguments,
    },
    /// Give a sign of life for a session.
    KeepAlive {
        /// The session.
        session: u64,
        /// Where to send it.
        #[command(flatten)]
        connection: ConnectionArguments,
    },
    /// End a session.
    Close {
        /// The session.
        session: u64,
        /// Where to send it.
        #[command(flatten)]
        connection: ConnectionArguments,
    },
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    query::parse_timeout(text).ok_or_else(|| {
        let longest_s = query::TIMEOUT_MAX.as_secs();
        format!("'{text}' is not a time like 500ms, 5s or 1m, more than zero and at most {longest_s}s")
    })
}

pub fn parse_duration(text: &str) -> Result<Duration, String> {
    query::parse_duration(text)
        .ok_or_else(|| format!("'{text}' is not a time like 500ms, 5s or 1m, more than zero"))
}

fn parse_order(text: &str) -> Result<Order, String> {
    Order::from_name(text).ok_or_else(|| "it is ascending or descending".to_owned())
}

fn parse_setting(text: &str) -> Result<(String, u64), String> {
    let (name, value) = text.split_once('=').ok_or("it is not of the form NAME=VALUE")?;
    let value = value.parse().map_err(|_| format!("'{value}' is not a whole number"))?;
    Ok((name.to_owned(), value))
}
