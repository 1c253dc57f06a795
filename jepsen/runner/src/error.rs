//! Failures of the harness itself.

use std::io;

use crate::property::Property;

/// The harness could not do its work. That fails the run and says nothing about the store.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// A program could not be run, or failed.
    #[error("{program}: {what}")]
    Program {
        /// The command line.
        program: String,
        /// What went wrong, with what it wrote to its standard error.
        what: String,
    },
    /// A file, a socket or another thing of the system.
    #[error("{doing}: {source}")]
    System {
        /// What was being done, such as `creating /some/folder`.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// The store did not do in time what it was told to. That one is a verdict: nothing stood in its way.
    #[error("{what} within {seconds} s")]
    Late {
        /// What it convicts the store of.
        property: Property,
        /// What was waited for, such as `the cluster did not elect a leader`.
        what: String,
        /// How long.
        seconds: u64,
    },
    /// A node or a tool answered with something that nobody can make sense of.
    #[error("{0}")]
    Nonsense(String),
}

impl HarnessError {
    /// For `map_err`: what was being done when the system refused.
    pub fn system(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        |source| Self::System { doing, source }
    }
}
