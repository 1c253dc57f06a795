//! The verdict on what clients saw.
//!
//! Each history is judged by the checker, from the bytes that stand in its file. The rules that it does not know are
//! checked beside it, over all workloads: how revisions grow ([`revisions`]), what a listing, a stale read or a read of
//! the past must show ([`snapshots`]), that no money is lost, and no element of a set ([`sets`]).

mod checked;
mod revisions;
mod sets;
mod snapshots;

use quorate_jepsen::judge::Conclusion;
use quorate_jepsen::picture::Picture;

use crate::fault::{Fault, FaultState};
use crate::history::{Conviction, Histories};
use crate::workload::WorkloadName;

/// How many violations of one kind are told; there may be thousands with one cause.
const TOLD_MAX: usize = 5;

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
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// By workload.
    pub workloads: Vec<WorkloadJudgement>,
    /// Rules that were broken and that the checker does not know.
    pub broken_rules: Vec<Conviction>,
    /// Histories that could not be judged, each in a sentence: there the harness failed.
    pub failures: Vec<String>,
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

    /// Operations of all histories.
    pub fn operations(&self) -> usize {
        self.workloads.iter().map(|workload| workload.operations).sum()
    }
}

/// Judges all histories, and those that the checker can read even if it cannot read another. The faults are drawn behind
/// what is wrong.
pub fn judge(histories: &Histories, faults: &[Fault]) -> Judgement {
    let mut broken_rules = some(histories.convictions.clone());
    broken_rules.extend(revisions::check(&histories.revealed, &disturbed_clocks(faults)));
    let (mut workloads, mut failures) = (Vec::new(), Vec::new());
    for history in &histories.workloads {
        if history.lines.is_empty() {
            continue;
        }
        let (judgement, imported) = match checked::check(history, faults) {
            Ok(checked) => checked,
            Err(why) => {
                failures.push(why);
                continue;
            }
        };
        workloads.push(judgement);
        broken_rules.extend(match history.workload {
            WorkloadName::Bank => snapshots::check_sums(&history.snapshots),
            WorkloadName::Set => sets::check(&imported),
            _ => snapshots::check(&history.snapshots, &imported),
        });
    }
    broken_rules.sort_by_key(|rule| rule.when);
    Judgement { workloads, broken_rules, failures }
}

/// A node whose clock cannot be trusted, from when until when.
type DisturbedClock = (u8, u64, u64);

/// The faults of clocks. What a node says of the age of its state meanwhile, it says by a wrong clock.
fn disturbed_clocks(faults: &[Fault]) -> Vec<DisturbedClock> {
    let faults = faults.iter().filter(|fault| fault.nemesis == "clock-rate");
    let faults = faults.filter(|fault| !matches!(fault.state, FaultState::Skipped { .. }));
    faults
        .flat_map(|fault| {
            let until = fault.healed.unwrap_or(u64::MAX);
            fault.nodes.iter().map(move |node| (*node, fault.began, until))
        })
        .collect()
}

/// The first few of many convictions of each property, and how many there are.
fn some(mut convictions: Vec<Conviction>) -> Vec<Conviction> {
    convictions.sort_by_key(|conviction| (conviction.property, conviction.when));
    let by_property = convictions.chunk_by(|one, next| one.property == next.property);
    let first_few = by_property.flat_map(|alike| {
        let mut told = alike[..alike.len().min(TOLD_MAX)].to_vec();
        if let (Some(last), true) = (told.last_mut(), alike.len() > TOLD_MAX) {
            last.what.push_str(&format!(" (and {} more like these)", alike.len() - TOLD_MAX));
        }
        told
    });
    first_few.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Call, Completion, Outcome, Recorder};
    use crate::property::Property;
    use crate::run_clock::RunClock;
    use quorate_jepsen::event::Value;

    #[test]
    fn who_cannot_read_one_history_judges_the_others() {
        let recorder = Recorder::new(RunClock::start(), &[WorkloadName::Register, WorkloadName::Conditional]);
        let read = |workload, function| {
            let call = Call { function, key: Some("k".to_owned()), value: Value::Nil, expected: None };
            let operation = recorder.invoke(workload, 1, call);
            // Nobody has written it.
            let value = Some(Value::Word(b"7".as_slice().into()));
            recorder.complete(operation, Outcome::Ok, Completion { value, ..Completion::default() });
        };
        read(WorkloadName::Conditional, "no such function");
        read(WorkloadName::Register, "read");
        let judgement = judge(&recorder.take(), &[]);
        assert_eq!(judgement.failures.len(), 1);
        assert!(
            judgement.failures[0].starts_with("the history of conditional: "),
            "{:?}",
            judgement.failures
        );
        assert_eq!(judgement.conclusion(), Conclusion::Broken);
    }

    #[test]
    fn of_many_convictions_the_first_of_each_property_are_told() {
        let of = |property| move |when| Conviction { when, property, what: "it".to_owned() };
        let money = (0..9).map(of(Property::MoneyIsKept));
        let told = some(money.chain((3..5).map(of(Property::NodesGoOn))).rev().collect());
        let told: Vec<_> = told.iter().map(|it| (it.property, it.when, it.what.as_str())).collect();
        let money = |when| (Property::MoneyIsKept, when, "it");
        let last = (Property::MoneyIsKept, 4, "it (and 4 more like these)");
        let others = [(Property::NodesGoOn, 3, "it"), (Property::NodesGoOn, 4, "it")];
        assert_eq!(told, [&[money(0), money(1), money(2), money(3), last][..], &others].concat());
    }
}
