//! What a replica says of itself.

use std::time::Duration;

use quorate_consensus::{ClusterId, GroupId, NodeId};
use quorate_kv::{Setting, Summary};

/// A replica's part in its Raft group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The cluster is being formed: not all initial members have been seen.
    Forming,
    /// Follows without a vote.
    Learner,
    /// Follows.
    Follower,
    /// Stands for election.
    Candidate,
    /// Leads.
    Leader,
    /// Has stopped, or is about to.
    Stopped,
}

impl Role {
    /// The role's name in the API and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Forming => "forming",
            Role::Learner => "learner",
            Role::Follower => "follower",
            Role::Candidate => "candidate",
            Role::Leader => "leader",
            Role::Stopped => "stopped",
        }
    }
}

/// A member of the group, as this replica knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// Who.
    pub node_id: NodeId,
    /// Where this node dials it.
    pub peer_address: String,
    /// Where clients reach it, as it last said itself, or else as the log says; empty if not known.
    pub client_url: String,
    /// Whether it votes (otherwise it is a learner).
    pub voter: bool,
    /// How long the newest ping to it took to come back, if this node is connected to it.
    pub round_trip: Option<Duration>,
    /// On the leader: the last index known to be on that member's disk.
    pub matched_index: Option<u64>,
}

/// A snapshot of a replica's own view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The cluster, or [`ClusterId::NONE`] while it is being formed.
    pub cluster_id: ClusterId,
    /// This node.
    pub node_id: NodeId,
    /// The Raft group.
    pub group: GroupId,
    /// Its part.
    pub role: Role,
    /// The current term.
    pub term: u64,
    /// The leader, if this replica knows of one.
    pub leader: Option<NodeId>,
    /// The index of the last entry in its log.
    pub last_log_index: u64,
    /// The last index that it knows to be committed.
    pub committed_index: u64,
    /// The last index that it has applied.
    pub applied_index: u64,
    /// The index that its newest snapshot covers, 0 if it has none.
    pub snapshot_index: u64,
    /// How long ago the latest ReadIndex round began whose index is applied here: the local state includes
    /// everything that was acknowledged before. `None` if no round has succeeded since the start.
    pub staleness: Option<Duration>,
    /// The members, in the order of their IDs.
    pub members: Vec<MemberStatus>,
    /// The state in a few numbers.
    pub state: Summary,
    /// Whether the node can serve linearizable requests as far as it knows.
    pub ready: bool,
    /// Whether there is room on the disk for puts.
    pub has_room: bool,
    /// What it has done, and what is left to do.
    pub work: WorkStatus,
    /// Why it has stopped, if its storage has failed.
    pub failure: Option<String>,
}

/// What a replica has done since it started, and what is left to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkStatus {
    /// Proposals that it has made as the leader.
    pub proposals: u64,
    /// Commands in them: many share one entry of the log.
    pub proposed_commands: u64,
    /// Batches of its log that it has flushed.
    pub flushes: u64,
    /// How long all of them took.
    pub flush_total: Duration,
    /// How long the last one took.
    pub flush_last: Duration,
    /// Bytes of entries in all of them.
    pub flushed_bytes: u64,
    /// Bytes of entries on their way to the disk.
    pub unflushed_bytes: u64,
    /// Bytes of entries in the log, roughly.
    pub log_bytes: u64,
    /// Bytes of the newest snapshot, 0 if there is none.
    pub snapshot_bytes: u64,
    /// Memory of what is applied but not in a checkpoint, roughly.
    pub overlay_bytes: u64,
    /// Bytes free on the disk when last measured.
    pub disk_free_bytes: u64,
    /// Writes that wait to be proposed.
    pub queued_writes: u64,
    /// Bytes of writes that this node works on.
    pub write_bytes_in_flight: u64,
    /// Revisions that compaction gave up and that are still to be swept.
    pub sweep_backlog: u64,
    /// The number of the newest mark of a digest in its state, 0 if there was none.
    pub digest_mark: u64,
    /// Comparisons of digests that it has led.
    pub digests_compared: u64,
    /// How often the search for damaged records has read everything.
    pub scrub_passes: u64,
    /// Records that it has checked.
    pub scrubbed_records: u64,
    /// Bytes of their keys and values.
    pub scrubbed_bytes: u64,
}

/// How much of its quota the store takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaState {
    /// There is none.
    Unlimited,
    /// Little enough.
    Good,
    /// So much that it is time to do something.
    Warning,
    /// All of it, or more than it was lowered to.
    Exceeded,
}

impl Status {
    /// Entries that are known to be committed and not applied here yet.
    pub fn apply_lag(&self) -> u64 {
        self.committed_index.saturating_sub(self.applied_index)
    }

    /// How much of its quota the store takes, as this replica knows it.
    pub fn quota_state(&self) -> QuotaState {
        QuotaState::of(&self.state)
    }
}

impl QuotaState {
    /// What the numbers of a state come to.
    fn of(state: &Summary) -> Self {
        let stored = u128::from(state.stored_bytes);
        let quota = u128::from(state.settings.get(Setting::QuotaBytes));
        let warn_percent = u128::from(state.settings.get(Setting::QuotaWarnPercent));
        match quota {
            0 => QuotaState::Unlimited,
            _ if stored >= quota => QuotaState::Exceeded,
            _ if stored * 100 >= quota * warn_percent => QuotaState::Warning,
            _ => QuotaState::Good,
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_kv::{SettingChange, Settings};

    use super::*;

    fn quota_state(stored_bytes: u64, quota: u64) -> QuotaState {
        let change = |setting, value| SettingChange { setting, value };
        let changes = [change(Setting::QuotaBytes, quota), change(Setting::QuotaWarnPercent, 80)];
        let settings = Settings::DEFAULT.changed(&changes).expect("in bounds");
        QuotaState::of(&Summary { stored_bytes, settings, ..Summary::default() })
    }

    #[test]
    fn the_quota_warns_before_it_is_used_up() {
        assert_eq!(quota_state(799, 1000), QuotaState::Good);
        assert_eq!(quota_state(800, 1000), QuotaState::Warning);
        assert_eq!(quota_state(999, 1000), QuotaState::Warning);
        assert_eq!(quota_state(1000, 1000), QuotaState::Exceeded);
        assert_eq!(quota_state(u64::MAX, 0), QuotaState::Unlimited);
        assert_eq!(quota_state(1 << 49, 1 << 50), QuotaState::Good);
    }
}
