//! Which other nodes have too little room on their disks, as the leader has heard.
//!
//! A full disk has to be met before it happens, on whichever node: the leader's own disk says nothing
//! about a follower's, and a follower cannot refuse what the leader sends. So every node says with its
//! ReadIndex requests, which go to the leader at least twice a second, whether it has room; and the leader
//! refuses puts while a voter that has been heard of lately lacks it. A node that has fallen silent holds
//! nobody up.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use quorate_consensus::NodeId;
use quorate_environment::Moment;

/// How long a report counts. A few are sent in this time.
const REPORT_AGE_MAX: Duration = Duration::from_secs(2);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct FollowerRoom {
    /// When each node that lacks room has last said so.
    lacking: Mutex<BTreeMap<NodeId, Moment>>,
}

impl FollowerRoom {
    /// Notes what `node` says at `now`.
    pub(crate) fn note(&self, node: NodeId, has_room: bool, now: Moment) {
        let mut lacking = self.lock();
        if has_room {
            lacking.remove(&node);
        } else if lacking.insert(node, now).is_none() {
            tracing::warn!(%node, "the disk of another node is nearly full");
        }
    }

    /// The nodes that lack room at `now`, as far as is known.
    pub(crate) fn lacking(&self, now: Moment) -> Vec<NodeId> {
        let mut lacking = self.lock();
        lacking.retain(|_, said| now.saturating_since(*said) <= REPORT_AGE_MAX);
        lacking.keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, Moment>> {
        self.lacking.lock().expect("no code panics while it holds the reports")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Moment {
        Moment::from_origin(Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_node_lacks_room_until_it_says_otherwise_or_falls_silent() {
        let (second, third) = (NodeId::new(2, 1), NodeId::new(3, 1));
        let room = FollowerRoom::default();
        room.note(second, false, at(0));
        room.note(third, true, at(0));
        assert_eq!(room.lacking(at(500)), [second]);
        room.note(second, true, at(600));
        room.note(third, false, at(600));
        assert_eq!(room.lacking(at(700)), [third]);
        assert_eq!(room.lacking(at(2_600)), [third]);
        assert!(room.lacking(at(2_601)).is_empty());
    }
}
