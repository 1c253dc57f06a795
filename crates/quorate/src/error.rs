//! Why a command ended, and the exit code that says so.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use quorate_client::{ClientError, ErrorCode};

use crate::configuration::ConfigurationError;
use crate::node::NodeError;

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The settings are wrong.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The node cannot run.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A request was not answered as asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// There is no client of these nodes.
    #[error("--endpoints: {reason}; list the nodes as http://HOST:PORT,http://HOST:PORT,…")]
    Endpoints {
        /// What is wrong with them.
        reason: String,
    },
    /// A router cannot find the cluster.
    #[error("--cluster: {reason}; list nodes as http://HOST:PORT,http://HOST:PORT,…")]
    Cluster {
        /// What is wrong with them.
        reason: String,
    },
    /// A value or a transaction is longer than any that a cluster accepts.
    #[error("{name} has more than {bytes_max} bytes, which no cluster accepts")]
    InputTooLong {
        /// Where it comes from.
        name: String,
        /// How much was read before giving up, in bytes.
        bytes_max: u64,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// What was given as a transaction is none.
    #[error("this is not a transaction: {reason}")]
    Transaction {
        /// What is wrong, and where.
        reason: String,
    },
    /// Every key was to be deleted, perhaps because a variable of a script is empty.
    #[error("--prefix is empty, and every key begins with that: say --all if you mean it")]
    EmptyPrefix,
    /// There is no manual page about that.
    #[error("there is no command '{page}': `quorate --help` lists them")]
    NoPage {
        /// What was asked for.
        page: String,
    },
    /// Manual pages cannot be written.
    #[error("cannot write manual pages into {}: {source}", directory.display())]
    Pages {
        /// Where they were to be.
        directory: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The cluster has agreed on a change of its members, and is not done with it.
    #[error("not done within {} s: {progress}; it goes on, and the same command goes on waiting", after.as_secs())]
    NotDoneYet {
        /// How long it was waited.
        after: Duration,
        /// How far it is.
        progress: String,
    },
    /// A transaction did its second list.
    #[error("not all comparisons held: the operations of 'failure' were done")]
    ComparisonsFailed,
    /// A data directory cannot be looked at, or cannot be repaired.
    #[error(transparent)]
    Directory(#[from] quorate_storage::OpenError),
    /// A new cluster cannot be made out of a node.
    #[error(transparent)]
    Recover(#[from] quorate_storage::RecoverError),
    /// A key that was asked for does not exist.
    #[error("the key '{key}' does not exist")]
    NotFound {
        /// The key.
        key: String,
    },
    /// The user's data directory is not known.
    #[error("this system does not say where your data directory is: choose one with --data-dir")]
    NoDataDirectory,
    /// The system does not let us catch the signals that ask to stop.
    #[error("cannot catch Ctrl-C and SIGTERM: {0}")]
    Signals(#[source] std::io::Error),
    /// Standard input or output failed.
    #[error("reading standard input or writing standard output failed: {0}")]
    Stdio(#[from] std::io::Error),
}

impl CommandError {
    /// 1: the request was answered with a no, or could not be answered. 2: the command line or the
    /// settings are wrong. 3: the outcome of a write is not known. 4: the key does not exist, or the
    /// condition or the comparisons did not hold.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            CommandError::Configuration(_)
            | CommandError::Node(NodeError::Configuration(_))
            | CommandError::Endpoints { .. }
            | CommandError::Cluster { .. }
            | CommandError::Client(ClientError::KeyLength { .. })
            | CommandError::Transaction { .. }
            | CommandError::EmptyPrefix
            | CommandError::NoPage { .. }
            | CommandError::NoDataDirectory => 2,
            CommandError::Client(error) if error.is_outcome_unknown() => 3,
            CommandError::Client(error) if error.is_conflict() => 4,
            CommandError::NotFound { .. } | CommandError::ComparisonsFailed => 4,
            CommandError::Node(_)
            | CommandError::Directory(_)
            | CommandError::Recover(_)
            | CommandError::Client(_)
            | CommandError::InputTooLong { .. }
            | CommandError::File { .. }
            | CommandError::Pages { .. }
            | CommandError::NotDoneYet { .. }
            | CommandError::Signals(_)
            | CommandError::Stdio(_) => 1,
        })
    }

    /// Whether whoever reads our output has had enough, as `head` does: no reason to complain.
    pub fn is_reader_gone(&self) -> bool {
        matches!(self, CommandError::Stdio(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// What to do next, where the error itself does not say so.
    pub fn hint(&self) -> Option<&'static str> {
        let CommandError::Client(error) = self else { return None };
        match error {
            ClientError::Unreachable { .. } => Some(
                "is the cluster running? `quorate dev` starts one; --endpoints or QUORATE_ENDPOINTS says where \
                 it is, --timeout how long to try",
            ),
            ClientError::OutcomeUnknown { .. } => Some("read to learn whether it was done"),
            ClientError::PartlyDone { .. } => Some("the same command deletes what is left"),
            ClientError::Conflict { .. } => {
                Some("read the key again, with --output json to see its revision, and decide anew")
            }
            ClientError::Compacted { .. } => {
                Some("`quorate history` begins with the oldest revision there is")
            }
            ClientError::Refused { .. } => error.code().and_then(hint_of_refusal),
            ClientError::BadAnswer { .. }
            | ClientError::AnswerTooLong { .. }
            | ClientError::KeyLength { .. }
            | ClientError::Settings(_) => None,
        }
    }
}

fn hint_of_refusal(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::ValueTooLarge => Some("the limit is a setting: quorate settings value_bytes_max=BYTES"),
        ErrorCode::TooManyOperations | ErrorCode::TooManyComparisons => {
            Some("the limit is a setting: quorate settings transaction_operations_max=NUMBER")
        }
        ErrorCode::QuotaExceeded => {
            Some("delete keys and compact, or raise the limit: quorate settings quota_bytes=BYTES")
        }
        ErrorCode::DiskFull => Some("make room on the leader's disk; deletes and compaction go on meanwhile"),
        ErrorCode::BadSetting => Some("`quorate settings` shows all settings and their bounds"),
        ErrorCode::TooManySessions => {
            Some("close some, wait until some expire, or: quorate settings sessions_max=NUMBER")
        }
        ErrorCode::SessionExpired => Some("`quorate session open` opens another one"),
        ErrorCode::MemberUnknown => Some("`quorate member list` shows the members"),
        ErrorCode::MemberExists => Some("`quorate member replace OLD NEW` puts another node in its place"),
        ErrorCode::SlotUnclaimed => Some("start its node: quorate serve --id NUMBER --join HOST:PORT"),
        ErrorCode::MemberLagging => {
            Some("wait until it has caught up (`quorate member list --output json`), or --force")
        }
        ErrorCode::QuorumAtRisk => {
            Some("bring the other members back, or add some, first; --force does it all the same")
        }
        ErrorCode::FutureRevision => Some("`quorate status` shows the newest revision"),
        ErrorCode::Unavailable => {
            Some("a majority of the members has to be there: `quorate status` shows who leads")
        }
        ErrorCode::MemberNotVoter => Some("`quorate member promote` makes it a voter"),
        ErrorCode::MemberUnreachable | ErrorCode::NoSuccessor => {
            Some("is the member running, and do the nodes reach each other's peer addresses?")
        }
        code if code.is_retryable() => Some("nothing was done: try again"),
        _ => None,
    }
}
