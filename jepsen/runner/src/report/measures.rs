//! Numbers of a run: how many requests ended how, how long nobody could write, and how soon the store was back.
//!
//! The store is *away* as long as no write is acknowledged by any node. After a fault it is *back* with the first write
//! that is acknowledged after the healing; *everywhere*, when every node has acknowledged one.

mod plot;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::fault::{Fault, FaultState};
use crate::history::{Outcome, Sample};

pub use plot::Plot;

/// How long what never ends takes.
pub const NEVER: u64 = u64::MAX;

/// The numbers of a run. Times are nanoseconds of the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measures {
    /// How long clients worked.
    pub length: u64,
    /// Requests by outcome.
    pub reads: Outcomes,
    /// The same of those that could change something.
    pub writes: Outcomes,
    /// The longest time without an acknowledged write: from when until when.
    pub longest_absence: (u64, u64),
    /// Of each fault, in the order of the record.
    pub recoveries: Vec<Recovery>,
    /// By nemesis.
    pub kinds: BTreeMap<&'static str, Kind>,
    /// What is plotted.
    pub plot: Plot,
}

/// How many requests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// Answered.
    pub ok: usize,
    /// Certainly without effect.
    pub failed: usize,
    /// Nobody knows.
    pub unknown: usize,
}

/// What a fault did to the service, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// The longest time without an acknowledged write that was not over before the fault began, and began before it
    /// was healed; what lies before the fault is not counted.
    pub away: u64,
    /// From the healing to the next acknowledged write; [`NEVER`] if there was none. None if another fault was still
    /// there when this one was healed: then the service has to be back after that.
    pub back: Option<u64>,
    /// From the healing until every node had acknowledged a write. None if another fault was still there, or that did
    /// not come about before the next one, or at all.
    pub everywhere: Option<u64>,
}

/// What all faults of a nemesis did. Times are nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Kind {
    /// Faults whose effect was seen.
    pub installed: usize,
    /// Those that were not tried.
    pub skipped: usize,
    /// Those of which nobody knows.
    pub indeterminate: usize,
    /// The longest time without an acknowledged write.
    pub away_max: u64,
    /// The longest time from a healing to the next acknowledged write. None if other faults were always still there.
    pub back_max: Option<u64>,
    /// The longest time from a healing until every node had acknowledged one. None if it never came so far before the
    /// next fault.
    pub everywhere_max: Option<u64>,
}

impl Measures {
    /// The numbers of a run of this many nodes.
    pub fn new(samples: &[Sample], faults: &[Fault], nodes: u8, length: u64) -> Self {
        let mut reads = Outcomes::default();
        let mut writes = Outcomes::default();
        for sample in samples {
            if sample.is_write { &mut writes } else { &mut reads }.count(sample.outcome);
        }
        let acknowledged = Acknowledged::new(samples);
        let first = samples.iter().map(|sample| sample.began).min().unwrap_or(0);
        let recoveries: Vec<Recovery> =
            faults.iter().map(|fault| recovery(fault, faults, &acknowledged, nodes, length)).collect();
        Self {
            length,
            reads,
            writes,
            longest_absence: acknowledged.longest_absence(first.min(length), length, length),
            kinds: kinds(faults, &recoveries),
            recoveries,
            plot: Plot::new(samples, length),
        }
    }

    /// Requests of both kinds.
    pub fn requests(&self) -> Outcomes {
        let (reads, writes) = (self.reads, self.writes);
        Outcomes {
            ok: reads.ok + writes.ok,
            failed: reads.failed + writes.failed,
            unknown: reads.unknown + writes.unknown,
        }
    }
}

impl Outcomes {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Ok => self.ok += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Unknown => self.unknown += 1,
        }
    }
}

/// When writes were acknowledged.
struct Acknowledged {
    /// By anybody, in ascending order.
    all: Vec<u64>,
    /// By node.
    by_node: BTreeMap<u8, Vec<u64>>,
}

impl Acknowledged {
    fn new(samples: &[Sample]) -> Self {
        let mut by_node: BTreeMap<u8, Vec<u64>> = BTreeMap::new();
        for sample in samples.iter().filter(|sample| sample.is_write && sample.outcome == Outcome::Ok) {
            by_node.entry(sample.node).or_default().push(sample.ended);
        }
        by_node.values_mut().for_each(|moments| moments.sort_unstable());
        let mut all: Vec<u64> = by_node.values().flatten().copied().collect();
        all.sort_unstable();
        Self { all, by_node }
    }

    /// The longest time without an acknowledgement that begins between two moments. `end` is that of the run.
    fn longest_absence(&self, from: u64, until: u64, end: u64) -> (u64, u64) {
        let first = self.all.partition_point(|moment| *moment <= from);
        let mut since = from;
        let mut longest = (from, from);
        for moment in self.all[first..].iter().copied().chain([end]) {
            if moment.saturating_sub(since) > longest.1 - longest.0 {
                longest = (since, moment);
            }
            if moment > until {
                break;
            }
            since = moment;
        }
        longest
    }

    /// The first acknowledgement after a moment.
    fn first_after(moments: &[u64], moment: u64) -> Option<u64> {
        moments.get(moments.partition_point(|it| *it <= moment)).copied()
    }
}

fn recovery(
    fault: &Fault,
    faults: &[Fault],
    acknowledged: &Acknowledged,
    nodes: u8,
    length: u64,
) -> Recovery {
    let healed = fault.healed.unwrap_or(fault.began);
    let (since, until) = acknowledged.longest_absence(fault.began, healed, length);
    let was_tried = |other: &&Fault| !matches!(other.state, FaultState::Skipped { .. });
    let others = || faults.iter().filter(was_tried);
    let is_last =
        !others().any(|other| other.began <= healed && other.healed.is_some_and(|later| later > healed));
    let next = others().map(|other| other.began).filter(|began| *began > healed).min();
    let is_before_next = |moment: &u64| next.is_none_or(|next| *moment < next);
    let of_node = |node: u8| {
        let moments = acknowledged.by_node.get(&node)?;
        Acknowledged::first_after(moments, healed).filter(is_before_next)
    };
    // The slowest, if all of them came back.
    let everywhere = (1..=nodes).map(of_node).try_fold(healed, |slowest, moment| Some(slowest.max(moment?)));
    Recovery {
        away: until - since,
        back: is_last.then(|| {
            Acknowledged::first_after(&acknowledged.all, healed).map_or(NEVER, |moment| moment - healed)
        }),
        everywhere: everywhere.filter(|_| is_last).map(|moment| moment - healed),
    }
}

fn kinds(faults: &[Fault], recoveries: &[Recovery]) -> BTreeMap<&'static str, Kind> {
    let mut kinds: BTreeMap<&'static str, Kind> = BTreeMap::new();
    for (fault, recovery) in faults.iter().zip(recoveries) {
        let kind = kinds.entry(fault.nemesis).or_default();
        match fault.state {
            FaultState::Installed => kind.installed += 1,
            FaultState::Indeterminate { .. } => kind.indeterminate += 1,
            FaultState::Skipped { .. } => {
                kind.skipped += 1;
                continue;
            }
        }
        kind.away_max = kind.away_max.max(recovery.away);
        kind.back_max = kind.back_max.max(recovery.back);
        kind.everywhere_max = kind.everywhere_max.max(recovery.everywhere);
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn write(ended: u64, node: u8) -> Sample {
        Sample { began: ended - 1, ended, node, is_write: true, outcome: Outcome::Ok }
    }

    fn fault(began: u64, healed: u64) -> Fault {
        let state = FaultState::Installed;
        Fault { nemesis: "kill", action: String::new(), nodes: vec![1], began, healed: Some(healed), state }
    }

    #[test]
    fn the_store_is_away_while_nobody_acknowledges() {
        let samples: Vec<Sample> = [1, 2, 7, 8, 9].map(|second| write(second * SECOND, 1)).into();
        let measures = Measures::new(&samples, &[fault(3 * SECOND, 6 * SECOND)], 1, 10 * SECOND);
        assert_eq!(measures.longest_absence, (2 * SECOND, 7 * SECOND));
        let back = Some(SECOND);
        assert_eq!(measures.recoveries, [Recovery { away: 4 * SECOND, back, everywhere: back }]);
    }

    #[test]
    fn a_fault_that_nobody_noticed_cost_little() {
        let samples: Vec<Sample> = (1..100).map(|tenth| write(tenth * SECOND / 10, 1)).collect();
        let measures = Measures::new(&samples, &[fault(3 * SECOND, 6 * SECOND)], 1, 10 * SECOND);
        assert_eq!(measures.recoveries[0].away, SECOND / 10);
        assert_eq!(measures.recoveries[0].back, Some(SECOND / 10));
    }

    #[test]
    fn it_is_back_everywhere_with_the_slowest_node_and_before_the_next_fault() {
        let samples = [write(5 * SECOND, 1), write(8 * SECOND, 2), write(20 * SECOND, 1)];
        let of = |faults: &[Fault]| Measures::new(&samples, faults, 2, 30 * SECOND).recoveries[0];
        assert_eq!(of(&[fault(SECOND, 4 * SECOND)]).everywhere, Some(4 * SECOND));
        let next = fault(7 * SECOND, 9 * SECOND);
        assert_eq!(of(&[fault(SECOND, 4 * SECOND), next]).everywhere, None);
        let skipped = FaultState::Skipped { why: String::new() };
        let next = Fault { state: skipped, ..fault(7 * SECOND, 9 * SECOND) };
        assert_eq!(of(&[fault(SECOND, 4 * SECOND), next]).everywhere, Some(4 * SECOND));
    }

    #[test]
    fn of_faults_together_the_last_to_be_healed_counts() {
        let samples = [write(5 * SECOND, 1), write(10 * SECOND, 1)];
        let faults = [fault(SECOND, 4 * SECOND), fault(2 * SECOND, 9 * SECOND)];
        let recoveries = Measures::new(&samples, &faults, 1, 30 * SECOND).recoveries;
        assert_eq!((recoveries[0].back, recoveries[0].everywhere), (None, None));
        assert_eq!((recoveries[1].back, recoveries[1].everywhere), (Some(SECOND), Some(SECOND)));
    }

    #[test]
    fn a_store_that_never_comes_back_is_away_to_the_end() {
        let measures = Measures::new(&[write(SECOND, 1)], &[fault(2 * SECOND, 3 * SECOND)], 1, 60 * SECOND);
        assert_eq!(
            measures.recoveries[0],
            Recovery { away: 58 * SECOND, back: Some(NEVER), everywhere: None }
        );
    }
}
