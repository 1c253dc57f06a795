//! What can end a command of this tool early.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("{action} {}: {source}", path.display())]
    File {
        /// What was attempted, such as "reading".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A program could not be started.
    #[error("starting {program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A process that runs could not be waited for, signalled or measured.
    #[error("{action} process {process}: {source}")]
    Process {
        /// What was attempted, such as "waiting for".
        action: &'static str,
        /// The process, by what it is.
        process: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A program ended without success.
    #[error("{program} failed: {status}")]
    Failed {
        /// The program with its arguments.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// Text that a program or a file gave does not read as what it should be.
    #[error("{what}: {reason}")]
    Malformed {
        /// What was being read.
        what: String,
        /// Why it does not read.
        reason: String,
    },
    /// A server did not become ready in time.
    #[error("{what} was not ready within {limit:?}; its log is {}", log.display())]
    NotReady {
        /// The server.
        what: String,
        /// How long it was given.
        limit: Duration,
        /// Where it wrote its log.
        log: PathBuf,
    },
    /// A tool that this command needs is missing.
    #[error("{what} is missing: {remedy}")]
    Missing {
        /// What is missing.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// The checks ran and some failed; what failed has been printed.
    #[error("{0}")]
    ChecksFailed(String),
}

impl Error {
    /// For `map_err` around a file operation.
    pub fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error + use<> {
        let path = path.to_owned();
        move |source| Error::File { action, path, source }
    }

    /// For `map_err` where text is parsed.
    pub fn malformed<E: std::fmt::Display>(what: impl Into<String>) -> impl FnOnce(E) -> Error {
        let what = what.into();
        move |reason| Error::Malformed { what, reason: reason.to_string() }
    }
}
