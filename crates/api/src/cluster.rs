//! What `GET /v1/cluster` answers: one node's view of the cluster and of itself.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::upkeep::{BackgroundStatus, CompactionStatus, QuotaStatus};

/// A node: the member number that people choose, and the incarnation of its data directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeName {
    /// The member number.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub member: u64,
    /// The incarnation: 16 hexadecimal digits. A directory that was wiped comes back with another one.
    pub incarnation: String,
}

impl fmt::Display for NodeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.member, self.incarnation)
    }
}

/// A node's part in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
    /// Every role.
    pub const ALL: [Role; 6] =
        [Role::Forming, Role::Learner, Role::Follower, Role::Candidate, Role::Leader, Role::Stopped];

    /// The role's name, as in JSON.
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

/// A member of the cluster, as the answering node knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClusterMember {
    /// Who.
    pub node: NodeName,
    /// `HOST:PORT` at which the other nodes reach it.
    pub peer_address: String,
    /// `http://HOST:PORT` at which clients reach it; `null` if the node has not said.
    pub client_url: Option<String>,
    /// Whether it votes; otherwise it is a learner.
    pub voter: bool,
    /// Only the leader knows: the last log index that is on that member's disk.
    #[serde(with = "crate::decimal::optional")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub matched_index: Option<u64>,
}

/// One node's view of the cluster and of itself. Other nodes may see it differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClusterStatus {
    /// The cluster: 32 hexadecimal digits, or `null` while it is being formed.
    pub cluster_id: Option<String>,
    /// The node that answers.
    pub node: NodeName,
    /// The Raft group that the rest is about; there is one group today, 0.
    pub group: u32,
    /// The answering node's part.
    pub role: Role,
    /// Whether it can serve linearizable requests, as far as it knows.
    pub ready: bool,
    /// Whether there is room on its disk for puts.
    pub has_room: bool,
    /// Its Raft term.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub term: u64,
    /// The leader, if the node knows of one. Where clients reach it is in `members`.
    pub leader: Option<NodeName>,
    /// `http://HOST:PORT` at which clients reach the leader, if both are known.
    pub leader_client_url: Option<String>,
    /// The members, in the order of their numbers.
    pub members: Vec<ClusterMember>,
    /// The index of the last entry in the node's log.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub last_log_index: u64,
    /// The last index that it knows to be committed.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub committed_index: u64,
    /// The last index that it has applied.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub applied_index: u64,
    /// The index that its newest snapshot covers, 0 if it has none.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub snapshot_index: u64,
    /// How long ago its state was known to be current, in milliseconds; `null` if never since it
    /// started.
    #[serde(with = "crate::decimal::optional")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub age_ms: Option<u64>,
    /// The newest revision in the node's state.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub revision: u64,
    /// The state's time, in milliseconds since the Unix epoch.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub time_ms: u64,
    /// Keys that exist.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub key_count: u64,
    /// Bytes of the keys and values that exist.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub live_bytes: u64,
    /// The digest over the state: 32 hexadecimal digits. Equal on all nodes at equal `applied_index`.
    pub digest: String,
    /// The longest value that a put may carry, in bytes.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub value_bytes_max: u64,
    /// The quota and what the store takes of it.
    pub quota: QuotaStatus,
    /// How much of the past can be read, and how much of the rest is still to be removed.
    pub compaction: CompactionStatus,
    /// What the node does besides serving requests.
    pub background: BackgroundStatus,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_its_name_in_json() {
        for role in Role::ALL {
            assert_eq!(serde_json::to_string(&role).expect("serialises"), format!("{:?}", role.name()));
        }
    }

    #[test]
    fn numbers_of_64_bits_survive_as_strings() {
        let member = ClusterMember {
            node: NodeName { member: u64::MAX, incarnation: "00000000000000ff".to_owned() },
            peer_address: "a:1".to_owned(),
            client_url: None,
            voter: true,
            matched_index: Some(u64::MAX - 1),
        };
        let json = serde_json::to_string(&member).expect("serialises");
        assert_eq!(
            json,
            r#"{"node":{"member":"18446744073709551615","incarnation":"00000000000000ff"},"peer_address":"a:1","client_url":null,"voter":true,"matched_index":"18446744073709551614"}"#
        );
        assert_eq!(serde_json::from_str::<ClusterMember>(&json).expect("parses"), member);
        let numeric = json.replace("\"18446744073709551614\"", "5");
        assert!(serde_json::from_str::<ClusterMember>(&numeric).is_err());
    }
}
