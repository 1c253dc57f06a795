//! `/v1/cluster/members`: who is a member, and changing that.

use serde::{Deserialize, Serialize};

/// What a member is in the cluster now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MemberRole {
    /// A number that was added and that no node has claimed yet: start one with it and `--join`.
    Unclaimed,
    /// Follows without a vote.
    Learner,
    /// Has a vote.
    Voter,
    /// Is being removed.
    Leaving,
}

impl MemberRole {
    /// Every role.
    pub const ALL: [MemberRole; 4] =
        [MemberRole::Unclaimed, MemberRole::Learner, MemberRole::Voter, MemberRole::Leaving];

    /// The role's name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            MemberRole::Unclaimed => "unclaimed",
            MemberRole::Learner => "learner",
            MemberRole::Voter => "voter",
            MemberRole::Leaving => "leaving",
        }
    }
}

/// What a member is to become. The leader works towards it; a change is done when all members are what they are
/// wanted to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WantedRole {
    /// A voter, as soon as it has caught up.
    Voter,
    /// A learner, until it is promoted.
    Learner,
    /// No member any more.
    Removed,
}

impl WantedRole {
    /// Every role that can be wanted.
    pub const ALL: [WantedRole; 3] = [WantedRole::Voter, WantedRole::Learner, WantedRole::Removed];

    /// The role's name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            WantedRole::Voter => "voter",
            WantedRole::Learner => "learner",
            WantedRole::Removed => "removed",
        }
    }
}

/// A member, as the answering node knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MemberAnswer {
    /// Its number.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub member: u64,
    /// The incarnation of the data directory that has claimed the number: 16 hexadecimal digits, or `null` if
    /// none has.
    pub incarnation: Option<String>,
    /// What it is.
    pub role: MemberRole,
    /// What it is to become.
    pub wanted: WantedRole,
    /// The member that it is to replace, which is removed when this one votes.
    #[serde(with = "crate::decimal::optional")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub replaces: Option<u64>,
    /// `HOST:PORT` at which the other nodes reach it; `null` if no node has claimed the number.
    pub peer_address: Option<String>,
    /// `http://HOST:PORT` at which clients reach it; `null` if the node has not said.
    pub client_url: Option<String>,
    /// Only the leader knows: the last log index that is on that member's disk.
    #[serde(with = "crate::decimal::optional")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub matched_index: Option<u64>,
    /// Only the leader knows: how many entries of the log the member has not got yet.
    #[serde(with = "crate::decimal::optional")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub lag: Option<u64>,
    /// Only the leader knows: whether the member has answered lately.
    pub reachable: Option<bool>,
}

impl MemberAnswer {
    /// Whether it is what it is wanted to be.
    pub fn is_settled(&self) -> bool {
        match self.wanted {
            WantedRole::Voter => self.role == MemberRole::Voter && self.replaces.is_none(),
            WantedRole::Learner => self.role == MemberRole::Learner,
            WantedRole::Removed => false,
        }
    }
}

/// The answer to `GET /v1/cluster/members` and to every change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MembersAnswer {
    /// The index of the log entry that made the members what they are here. Of two answers, that with the greater
    /// one is the newer.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub index: u64,
    /// The member that leads, if the node knows of one.
    #[serde(with = "crate::decimal::optional")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub leader: Option<u64>,
    /// Whether voters are being exchanged just now, so that majorities of both the old and the new ones have to
    /// agree ("joint consensus").
    pub joint: bool,
    /// The members, in the order of their numbers. A number is there twice while a node with a new data directory
    /// takes the place of the old one.
    pub members: Vec<MemberAnswer>,
}

impl MembersAnswer {
    /// The members with this number, of which there are two while one replaces the other.
    pub fn with_number(&self, member: u64) -> impl Iterator<Item = &MemberAnswer> {
        self.members.iter().filter(move |answer| answer.member == member)
    }
}

/// The body of `POST /v1/cluster/members`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddMemberBody {
    /// The new member's number, 1 or greater.
    #[serde(with = "crate::maintenance::number")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::decimal::lenient::Number))]
    pub member: u64,
    /// Whether it stays a learner until it is promoted.
    #[serde(default)]
    pub learner: bool,
}

/// The body of `POST /v1/cluster/members/{id}/replace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplaceMemberBody {
    /// The number of the member that takes its place; added if it is new.
    #[serde(with = "crate::maintenance::number")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::decimal::lenient::Number))]
    pub with: u64,
    /// Whether to do it even if too few voters would be reachable for a quorum.
    #[serde(default)]
    pub force: bool,
}

/// The body of `POST /v1/cluster/members/{id}/promote`. An empty body stands for all defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PromoteMemberBody {
    /// Whether to do it even if the member has not caught up.
    #[serde(default)]
    pub force: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::parse_body;

    fn member(role: MemberRole, wanted: WantedRole) -> MemberAnswer {
        MemberAnswer {
            member: 4,
            incarnation: None,
            role,
            wanted,
            replaces: None,
            peer_address: None,
            client_url: None,
            matched_index: None,
            lag: None,
            reachable: None,
        }
    }

    #[test]
    fn names_are_those_of_json() {
        for role in MemberRole::ALL {
            assert_eq!(serde_json::to_string(&role).expect("serialises"), format!("{:?}", role.name()));
        }
        for wanted in WantedRole::ALL {
            assert_eq!(serde_json::to_string(&wanted).expect("serialises"), format!("{:?}", wanted.name()));
        }
    }

    #[test]
    fn a_member_is_settled_when_it_is_what_is_wanted() {
        assert!(member(MemberRole::Voter, WantedRole::Voter).is_settled());
        assert!(member(MemberRole::Learner, WantedRole::Learner).is_settled());
        for (role, wanted) in [
            (MemberRole::Unclaimed, WantedRole::Voter),
            (MemberRole::Learner, WantedRole::Voter),
            (MemberRole::Leaving, WantedRole::Removed),
        ] {
            assert!(!member(role, wanted).is_settled(), "{role:?} {wanted:?}");
        }
        let swapping = MemberAnswer { replaces: Some(2), ..member(MemberRole::Voter, WantedRole::Voter) };
        assert!(!swapping.is_settled(), "the other is still to be removed");
    }

    #[test]
    fn the_forms_hold_still() {
        let answer = MembersAnswer {
            index: 9,
            leader: Some(1),
            joint: false,
            members: vec![member(MemberRole::Unclaimed, WantedRole::Voter)],
        };
        assert_eq!(
            serde_json::to_string(&answer).expect("serialises"),
            r#"{"index":"9","leader":"1","joint":false,"members":[{"member":"4","incarnation":null,"role":"unclaimed","wanted":"voter","replaces":null,"peer_address":null,"client_url":null,"matched_index":null,"lag":null,"reachable":null}]}"#
        );
        let body: AddMemberBody = parse_body(br#"{"member":4}"#).expect("parses");
        assert_eq!(body, AddMemberBody { member: 4, learner: false });
        assert_eq!(serde_json::to_string(&body).expect("serialises"), r#"{"member":"4","learner":false}"#);
        assert_eq!(parse_body(br#"{"with":"5"}"#), Ok(ReplaceMemberBody { with: 5, force: false }));
        assert_eq!(parse_body(br#"{"force":true}"#), Ok(PromoteMemberBody { force: true }));
        assert!(parse_body::<AddMemberBody>(b"{}").is_err());
        assert!(parse_body::<ReplaceMemberBody>(br#"{"with":5,"by":1}"#).is_err());
    }
}
