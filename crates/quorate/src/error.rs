//! Why a command ended, and the exit code that says so.

use std::process::ExitCode;

use quorate_client::ClientError;

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
    /// A value is longer than any that a cluster accepts.
    #[error("the value on standard input is longer than {bytes_max} bytes, which no cluster accepts")]
    ValueTooLong {
        /// How much was read before giving up, in bytes.
        bytes_max: u64,
    },
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
    /// condition did not hold.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            CommandError::Configuration(_)
            | CommandError::Node(NodeError::Configuration(_))
            | CommandError::Endpoints { .. }
            | CommandError::Client(ClientError::KeyLength { .. })
            | CommandError::NoDataDirectory => 2,
            CommandError::Client(error) if error.is_outcome_unknown() => 3,
            CommandError::Client(error) if error.is_conflict() => 4,
            CommandError::NotFound { .. } => 4,
            CommandError::Node(_)
            | CommandError::Client(_)
            | CommandError::ValueTooLong { .. }
            | CommandError::Signals(_)
            | CommandError::Stdio(_) => 1,
        })
    }
}
