//! What a report says, whether as text, as JSON or as a page.

use std::collections::BTreeSet;
use std::time::Duration;

use quorate_jepsen::judge::Conclusion;
use serde::Serialize;

use super::logs::{Excerpt, excerpts};
use super::measures::Measures;
use super::{Convergence, RunRecord};
use crate::arguments::Arguments;
use crate::fault::Fault;
use crate::history::{Conviction, Histories};
use crate::judge::{Judgement, WorkloadJudgement};
use crate::property::Property;

/// The verdict on a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All that was seen is as it should be, and the cluster came back.
    Kept,
    /// It is not, or it did not.
    Convicted,
    /// A limit was reached before there was a verdict.
    Unknown,
    /// The harness failed: that says nothing about the store.
    HarnessFailed,
}

impl Verdict {
    /// The verdict on a run. What convicts the store does so even if the harness failed.
    pub fn of(record: &RunRecord, judgement: &Judgement) -> Self {
        match (judgement.conclusion(), &record.convergence) {
            (Conclusion::Broken, _) | (_, Convergence::Diverged { .. }) => Self::Convicted,
            _ if !record.harness_failures.is_empty() => Self::HarnessFailed,
            (_, Convergence::NotReached { .. }) => Self::Convicted,
            (Conclusion::Unknown, _) => Self::Unknown,
            (Conclusion::Kept, Convergence::Converged { .. }) => Self::Kept,
        }
    }

    /// The exit code of a run.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Kept => 0,
            Self::Convicted => 1,
            Self::Unknown => 2,
            Self::HarnessFailed => 4,
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Kept => "as it should be",
            Self::Convicted => "convicted",
            Self::Unknown => "no verdict: a limit was reached",
            Self::HarnessFailed => "no verdict: the harness failed",
        }
    }
}

/// What was found of one workload, for people and programs.
#[derive(Clone, Debug, Serialize)]
pub struct WorkloadSummary {
    /// What it is called.
    pub name: &'static str,
    /// What clients did.
    pub description: &'static str,
    /// Operations of its history.
    pub operations: usize,
    /// The file of its history, in the folder of the report.
    pub file: String,
    /// `kept`, `broken` or `unknown`.
    pub conclusion: &'static str,
    /// The same in sentences.
    pub explanation: String,
    /// When the operations went on that convict the store, in nanoseconds of the run, if one is.
    pub when: Option<(u64, u64)>,
}

impl WorkloadSummary {
    fn of(judgement: &WorkloadJudgement) -> Self {
        Self {
            name: judgement.workload.name(),
            description: judgement.workload.description(),
            operations: judgement.operations,
            file: format!("{}.jsonl", judgement.workload),
            conclusion: match judgement.conclusion {
                Conclusion::Kept => "kept",
                Conclusion::Broken => "broken",
                Conclusion::Unknown => "unknown",
            },
            explanation: judgement.explanation.clone(),
            when: judgement.when,
        }
    }
}

/// Everything that a report says. Times are nanoseconds of the run.
#[derive(Clone, Debug, Serialize)]
pub struct Summary<'r> {
    /// The verdict.
    pub verdict: Verdict,
    /// What the store is convicted of.
    pub convicted_of: BTreeSet<Property>,
    /// How the run was asked for.
    pub arguments: &'r Arguments,
    /// The command that repeats it.
    pub command: &'r str,
    /// What the store's program says of its version.
    pub version: &'r str,
    /// When it began.
    pub began: String,
    /// Operations of all histories.
    pub operations: usize,
    /// By workload.
    pub workloads: Vec<WorkloadSummary>,
    /// Rules that were broken and that the checker does not know.
    pub broken_rules: &'r [Conviction],
    /// How the cluster came back.
    pub convergence: &'r Convergence,
    /// Where the harness failed.
    pub harness_failures: &'r [String],
    /// What was left out because of the system.
    pub left_out: &'r [String],
    /// What was done to the cluster.
    pub faults: &'r [Fault],
    /// Numbers.
    pub measures: Measures,
    /// What the nodes' logs say, if something is wrong.
    pub logs: Vec<Excerpt>,
}

impl<'r> Summary<'r> {
    /// What there is to say about a run.
    pub fn new(record: &'r RunRecord, histories: &Histories, judgement: &'r Judgement) -> Self {
        let verdict = Verdict::of(record, judgement);
        let measures =
            Measures::new(&histories.samples, &record.faults, record.arguments.nodes, record.ended);
        let logs = match verdict {
            Verdict::Kept | Verdict::Unknown => Vec::new(),
            Verdict::Convicted | Verdict::HarnessFailed => {
                let moment = first_failure(judgement).map(|when| record.began + Duration::from_nanos(when));
                excerpts(&record.logs, moment)
            }
        };
        Self {
            verdict,
            convicted_of: convicted_of(verdict, record, judgement),
            arguments: &record.arguments,
            command: &record.command,
            version: &record.version,
            began: super::logs::timestamp(record.began) + "Z",
            operations: judgement.operations(),
            workloads: judgement.workloads.iter().map(WorkloadSummary::of).collect(),
            broken_rules: &judgement.broken_rules,
            convergence: &record.convergence,
            harness_failures: &record.harness_failures,
            left_out: &record.left_out,
            faults: &record.faults,
            measures,
            logs,
        }
    }
}

/// What the store is convicted of, by all that was found.
fn convicted_of(verdict: Verdict, record: &RunRecord, judgement: &Judgement) -> BTreeSet<Property> {
    if verdict != Verdict::Convicted {
        return BTreeSet::new();
    }
    let broken = judgement.workloads.iter().filter(|workload| workload.conclusion == Conclusion::Broken);
    let of_workloads = broken.map(|workload| workload.workload.property());
    let of_rules = judgement.broken_rules.iter().map(|rule| rule.property);
    let of_convergence = match record.convergence {
        Convergence::Converged { .. } => None,
        Convergence::Diverged { .. } => Some(Property::EqualStates),
        // It may be the harness that stood in the way.
        Convergence::NotReached { .. } => record.harness_failures.is_empty().then_some(Property::DoneInTime),
    };
    of_workloads.chain(of_rules).chain(of_convergence).collect()
}

/// When the first thing was seen that convicts the store, in nanoseconds of the run, if clients saw one.
fn first_failure(judgement: &Judgement) -> Option<u64> {
    let of_workloads = judgement.workloads.iter().filter_map(|workload| Some(workload.when?.1));
    of_workloads.chain(judgement.broken_rules.iter().map(|rule| rule.when)).min()
}
