//! Who should lead next, if the leader can choose.

use std::time::Duration;

use quorate_consensus::NodeId;
use quorate_environment::mutant::{self, Mutant};

/// How many entries a voter may lack that counts as caught up: they are on their way to it.
pub(crate) const LAG_ENTRIES_MAX: u64 = 16;

/// A voter, as the leader sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// Who.
    pub(crate) node: NodeId,
    /// How long ago the leader sent what the voter has answered last.
    pub(crate) silent_for: Option<Duration>,
    /// The last index known to be on its disk.
    pub(crate) matched: Option<u64>,
    /// Whether it should rather not lead.
    pub(crate) is_reluctant: bool,
}

impl Candidate {
    /// Whether it has answered lately. A node that is gone would only keep everybody waiting.
    pub(crate) fn answers(&self, silence_max: Duration) -> bool {
        self.silent_for.is_some_and(|silence| silence <= silence_max)
    }

    /// How many entries it lacks of those up to `last_index`.
    pub(crate) fn lag(&self, last_index: u64) -> u64 {
        last_index.saturating_sub(self.matched.unwrap_or(0))
    }

    /// Whether it lacks next to nothing of the entries up to `last_index`.
    pub(crate) fn is_caught_up(&self, last_index: u64) -> bool {
        self.lag(last_index) <= LAG_ENTRIES_MAX
    }
}

/// Who should lead next: of those who have answered within `silence_max` a voter that is caught up, then one
/// that does not mind, then the one with the most complete log.
pub(crate) fn successor(candidates: &[Candidate], last_index: u64, silence_max: Duration) -> Option<NodeId> {
    let answering = candidates.iter().filter(|candidate| candidate.answers(silence_max));
    let chosen = if mutant::active(Mutant::TransferToLaggard) {
        answering.min_by_key(|candidate| candidate.matched)
    } else {
        answering.max_by_key(|candidate| {
            (candidate.is_caught_up(last_index), !candidate.is_reluctant, candidate.matched)
        })
    };
    chosen.map(|candidate| candidate.node)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: u64 = 100;

    fn candidate(member: u64, silent_ms: Option<u64>, matched: Option<u64>) -> Candidate {
        let silent_for = silent_ms.map(Duration::from_millis);
        Candidate { node: NodeId::new(member, 1), silent_for, matched, is_reluctant: false }
    }

    fn reluctant(candidate: Candidate) -> Candidate {
        Candidate { is_reluctant: true, ..candidate }
    }

    fn chosen(candidates: &[Candidate]) -> Option<u64> {
        successor(candidates, LAST, Duration::from_millis(300)).map(|node| node.member)
    }

    #[test]
    fn the_most_complete_log_of_those_who_answer_leads_next() {
        assert_eq!(chosen(&[candidate(2, Some(20), Some(97)), candidate(3, Some(90), Some(99))]), Some(3));
        assert_eq!(chosen(&[candidate(2, Some(20), None), candidate(3, Some(90), Some(1))]), Some(3));
    }

    #[test]
    fn a_node_that_does_not_answer_does_not_lead_next() {
        assert_eq!(chosen(&[candidate(2, Some(20), Some(97)), candidate(3, Some(900), Some(99))]), Some(2));
        assert_eq!(chosen(&[candidate(2, Some(20), Some(97)), candidate(3, None, Some(99))]), Some(2));
        assert_eq!(chosen(&[candidate(2, Some(900), Some(97)), candidate(3, None, None)]), None);
    }

    #[test]
    fn a_reluctant_node_leads_only_if_no_other_is_caught_up() {
        let willing = candidate(2, Some(20), Some(97));
        assert_eq!(chosen(&[willing, reluctant(candidate(3, Some(20), Some(99)))]), Some(2));
        let far_behind = candidate(2, Some(20), Some(9));
        assert_eq!(chosen(&[far_behind, reluctant(candidate(3, Some(20), Some(99)))]), Some(3));
    }
}
