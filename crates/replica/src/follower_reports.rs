//! What other nodes say of themselves that the leader has to know.
//!
//! **Whether there is room on their disks.** A full disk has to be met before it happens, on whichever node:
//! the leader's own disk says nothing about a follower's, and a follower cannot refuse what the leader sends.
//! The leader refuses puts while a voter that has been heard of lately lacks room.
//!
//! **Whether they should rather not lead**, which the leader has to know when it hands over.
//!
//! Every node says so with its ReadIndex requests, which go to the leader at least twice a second. A node that
//! has fallen silent holds nobody up.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use quorate_consensus::NodeId;
use quorate_environment::Moment;

/// How long a report counts. A few are sent in this time.
const REPORT_AGE_MAX: Duration = Duration::from_secs(2);

/// What a node says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FollowerReport {
    /// Whether it has room on its disk for puts.
    pub(crate) has_room: bool,
    /// Whether it should rather not lead.
    pub(crate) avoids_leading: bool,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct FollowerReports {
    /// The newest of each node, and when it came.
    newest: Mutex<BTreeMap<NodeId, (FollowerReport, Moment)>>,
}

impl FollowerReports {
    /// Notes what `node` says at `now`.
    pub(crate) fn note(&self, node: NodeId, report: FollowerReport, now: Moment) {
        let before = self.lock().insert(node, (report, now));
        if !report.has_room && before.is_none_or(|(before, _)| before.has_room) {
            tracing::warn!(%node, "the disk of another node is nearly full");
        }
    }

    /// The nodes that lack room at `now`, as far as is known.
    pub(crate) fn lacking_room(&self, now: Moment) -> Vec<NodeId> {
        self.matching(now, |report| !report.has_room)
    }

    /// The nodes that should rather not lead, as far as is known at `now`.
    pub(crate) fn avoiding(&self, now: Moment) -> Vec<NodeId> {
        self.matching(now, |report| report.avoids_leading)
    }

    /// The nodes that have said lately that they do not mind leading.
    pub(crate) fn willing(&self, now: Moment) -> Vec<NodeId> {
        self.matching(now, |report| !report.avoids_leading)
    }

    /// The nodes whose report counts at `now` and is like that.
    fn matching(&self, now: Moment, is_like_that: impl Fn(&FollowerReport) -> bool) -> Vec<NodeId> {
        let mut newest = self.lock();
        newest.retain(|_, (_, said)| now.saturating_since(*said) <= REPORT_AGE_MAX);
        newest.iter().filter(|(_, (report, _))| is_like_that(report)).map(|(node, _)| *node).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, (FollowerReport, Moment)>> {
        self.newest.lock().expect("no code panics while it holds the reports")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: FollowerReport = FollowerReport { has_room: true, avoids_leading: false };
    const NO_ROOM: FollowerReport = FollowerReport { has_room: false, avoids_leading: false };

    fn at(milliseconds: u64) -> Moment {
        Moment::from_origin(Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_node_lacks_room_until_it_says_otherwise_or_falls_silent() {
        let (second, third) = (NodeId::new(2, 1), NodeId::new(3, 1));
        let reports = FollowerReports::default();
        reports.note(second, NO_ROOM, at(0));
        reports.note(third, ROOM, at(0));
        assert_eq!(reports.lacking_room(at(500)), [second]);
        reports.note(second, ROOM, at(600));
        reports.note(third, NO_ROOM, at(600));
        assert_eq!(reports.lacking_room(at(700)), [third]);
        assert_eq!(reports.lacking_room(at(2_600)), [third]);
        assert!(reports.lacking_room(at(2_601)).is_empty());
    }

    #[test]
    fn a_node_that_avoids_leading_may_have_room() {
        let second = NodeId::new(2, 1);
        let reports = FollowerReports::default();
        reports.note(second, FollowerReport { avoids_leading: true, ..ROOM }, at(0));
        assert_eq!(reports.avoiding(at(500)), [second]);
        assert!(reports.willing(at(500)).is_empty());
        assert!(reports.lacking_room(at(500)).is_empty());
        reports.note(second, ROOM, at(600));
        assert!(reports.avoiding(at(700)).is_empty());
        assert_eq!(reports.willing(at(700)), [second]);
    }
}
