//! What nodes ask each other about the membership, as bytes.

use std::time::Duration;

use quorate_consensus::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use quorate_consensus::{Member, NodeId};

use super::change::{Joining, MemberChange, MemberRequest};
use super::error::MemberError;
use super::view::{MemberRole, MemberView, MembersView};

/// The smallest encoded view of a member: node, address, URL, role, and three options.
const MEMBER_BYTES_MIN: usize = 16 + 4 + 4 + 1 + 3;

/// A request that a node passes on to the leader, or that a guest makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForwardedMemberRequest {
    /// Names the request in the logs of every node.
    pub(crate) request_id: u64,
    /// How many times it has been passed on, this time included.
    pub(crate) hops: u8,
    /// What to do.
    pub(crate) request: MemberRequest,
}

impl Encode for ForwardedMemberRequest {
    fn encode_into(&self, writer: &mut Writer) {
        writer.u64(self.request_id);
        writer.u8(self.hops);
        match &self.request {
            MemberRequest::Change(MemberChange::Add { member, learner }) => {
                writer.u8(1);
                writer.u64(*member);
                writer.u8((*learner).into());
            }
            MemberRequest::Change(MemberChange::Promote { member, force }) => {
                writer.u8(2);
                writer.u64(*member);
                writer.u8((*force).into());
            }
            MemberRequest::Change(MemberChange::Remove { member, force }) => {
                writer.u8(3);
                writer.u64(*member);
                writer.u8((*force).into());
            }
            MemberRequest::Change(MemberChange::Replace { old, new, force }) => {
                writer.u8(4);
                writer.u64(*old);
                writer.u64(*new);
                writer.u8((*force).into());
            }
            MemberRequest::Join(Joining { node, member, may_be_added }) => {
                writer.u8(5);
                node.encode_into(writer);
                member.encode_into(writer);
                writer.u8((*may_be_added).into());
            }
        }
    }
}

impl Decode for ForwardedMemberRequest {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let request_id = reader.u64()?;
        let hops = reader.u8()?;
        let request = match reader.u8()? {
            1 => {
                let (member, learner) = (reader.u64()?, reader.bool("learner")?);
                MemberRequest::Change(MemberChange::Add { member, learner })
            }
            2 => {
                let (member, force) = (reader.u64()?, reader.bool("force")?);
                MemberRequest::Change(MemberChange::Promote { member, force })
            }
            3 => {
                let (member, force) = (reader.u64()?, reader.bool("force")?);
                MemberRequest::Change(MemberChange::Remove { member, force })
            }
            4 => {
                let (old, new, force) = (reader.u64()?, reader.u64()?, reader.bool("force")?);
                MemberRequest::Change(MemberChange::Replace { old, new, force })
            }
            5 => MemberRequest::Join(Joining {
                node: NodeId::decode_from(reader)?,
                member: Member::decode_from(reader)?,
                may_be_added: reader.bool("may be added")?,
            }),
            ordinal => return Err(DecodeError::UnknownOrdinal { what: "request about members", ordinal }),
        };
        Ok(Self { request_id, hops, request })
    }
}

/// How such a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemberReply(pub(crate) Result<MembersView, MemberError>);

impl Encode for MemberReply {
    fn encode_into(&self, writer: &mut Writer) {
        match &self.0 {
            Ok(view) => {
                writer.u8(0);
                view.encode_into(writer);
            }
            Err(error) => encode_error(error, writer),
        }
    }
}

fn encode_error(error: &MemberError, writer: &mut Writer) {
    let text = |writer: &mut Writer, ordinal, reason: &str| {
        writer.u8(ordinal);
        writer.string(reason);
    };
    match error {
        MemberError::Exists { member, reason } => {
            text(writer, 1, reason);
            writer.u64(*member);
        }
        MemberError::UnknownMember { member } => {
            writer.u8(2);
            writer.u64(*member);
        }
        MemberError::NotAMember { node } => {
            writer.u8(3);
            node.encode_into(writer);
        }
        MemberError::InProgress { reason, retry_after } => {
            text(writer, 4, reason);
            writer.u64(milliseconds(*retry_after));
        }
        MemberError::QuorumAtRisk { reason } => text(writer, 5, reason),
        MemberError::Lagging { member, reason } => {
            text(writer, 6, reason);
            writer.u64(*member);
        }
        MemberError::SlotUnclaimed { member } => {
            writer.u8(7);
            writer.u64(*member);
        }
        MemberError::Invalid { reason } => text(writer, 8, reason),
        MemberError::Unavailable { reason, retry_after } => {
            text(writer, 9, reason);
            writer.u64(milliseconds(*retry_after));
        }
        MemberError::OutcomeUnknown { reason } => text(writer, 10, reason),
        MemberError::Unfinished { reason } => text(writer, 11, reason),
        MemberError::ShuttingDown => writer.u8(12),
    }
}

impl Decode for MemberReply {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let duration = |milliseconds| Duration::from_millis(milliseconds);
        Ok(Self(Err(match reader.u8()? {
            0 => return Ok(Self(Ok(MembersView::decode_from(reader)?))),
            1 => MemberError::Exists { reason: reader.string()?, member: reader.u64()? },
            2 => MemberError::UnknownMember { member: reader.u64()? },
            3 => MemberError::NotAMember { node: NodeId::decode_from(reader)? },
            4 => MemberError::InProgress { reason: reader.string()?, retry_after: duration(reader.u64()?) },
            5 => MemberError::QuorumAtRisk { reason: reader.string()? },
            6 => MemberError::Lagging { reason: reader.string()?, member: reader.u64()? },
            7 => MemberError::SlotUnclaimed { member: reader.u64()? },
            8 => MemberError::Invalid { reason: reader.string()? },
            9 => MemberError::Unavailable { reason: reader.string()?, retry_after: duration(reader.u64()?) },
            10 => MemberError::OutcomeUnknown { reason: reader.string()? },
            11 => MemberError::Unfinished { reason: reader.string()? },
            12 => MemberError::ShuttingDown,
            ordinal => return Err(DecodeError::UnknownOrdinal { what: "reply about members", ordinal }),
        })))
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn encode_option(value: Option<u64>, writer: &mut Writer) {
    writer.u8(value.is_some().into());
    if let Some(value) = value {
        writer.u64(value);
    }
}

fn decode_option(reader: &mut Reader) -> Result<Option<u64>, DecodeError> {
    reader.bool("option")?.then(|| reader.u64()).transpose()
}

impl Encode for MembersView {
    fn encode_into(&self, writer: &mut Writer) {
        writer.u64(self.index);
        encode_option(self.leader, writer);
        writer.u8(self.is_joint.into());
        writer.u32(u32::try_from(self.members.len()).expect("a cluster has far fewer than 2^32 members"));
        for member in &self.members {
            member.encode_into(writer);
        }
    }
}

impl Decode for MembersView {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let (index, leader, is_joint) = (reader.u64()?, decode_option(reader)?, reader.bool("joint")?);
        let count = reader.count(MEMBER_BYTES_MIN)?;
        let members = (0..count).map(|_| MemberView::decode_from(reader)).collect::<Result<_, _>>()?;
        Ok(Self { index, leader, is_joint, members })
    }
}

impl Encode for MemberView {
    fn encode_into(&self, writer: &mut Writer) {
        let node = self.node.unwrap_or(NodeId::unclaimed(self.member));
        let Self { peer_address, client_url, wanted, .. } = self;
        node.encode_into(writer);
        let member =
            Member { peer_address: peer_address.clone(), client_url: client_url.clone(), wanted: *wanted };
        member.encode_into(writer);
        writer.u8(match self.role {
            MemberRole::Unclaimed => 0,
            MemberRole::Learner => 1,
            MemberRole::Voter => 2,
            MemberRole::Leaving => 3,
        });
        encode_option(self.matched_index, writer);
        encode_option(self.lag, writer);
        writer.u8(match self.is_reachable {
            None => 0,
            Some(false) => 1,
            Some(true) => 2,
        });
    }
}

impl Decode for MemberView {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let node = NodeId::decode_from(reader)?;
        let Member { peer_address, client_url, wanted } = Member::decode_from(reader)?;
        Ok(Self {
            member: node.member,
            node: Some(node).filter(|node| !node.is_unclaimed()),
            peer_address,
            client_url,
            wanted,
            role: match reader.u8()? {
                0 => MemberRole::Unclaimed,
                1 => MemberRole::Learner,
                2 => MemberRole::Voter,
                3 => MemberRole::Leaving,
                ordinal => return Err(DecodeError::UnknownOrdinal { what: "role of a member", ordinal }),
            },
            matched_index: decode_option(reader)?,
            lag: decode_option(reader)?,
            is_reachable: match reader.u8()? {
                0 => None,
                1 => Some(false),
                2 => Some(true),
                ordinal => return Err(DecodeError::UnknownOrdinal { what: "reach", ordinal }),
            },
        })
    }
}

/// Whether the node that has asked is a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is.
    Member,
    /// It is not: it has been removed, if it ever was.
    NotAMember,
}

impl Encode for Standing {
    fn encode_into(&self, writer: &mut Writer) {
        writer.u8(match self {
            Standing::Member => 1,
            Standing::NotAMember => 2,
        });
    }
}

impl Decode for Standing {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        match reader.u8()? {
            1 => Ok(Standing::Member),
            2 => Ok(Standing::NotAMember),
            ordinal => Err(DecodeError::UnknownOrdinal { what: "standing", ordinal }),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use quorate_consensus::Wanted;

    use super::*;

    const NODE: NodeId = NodeId::new(4, 0x1122);
    const NODE_HEX: &str = "0400000000000000 2211000000000000";

    /// The bytes of a value are exactly `golden` (hexadecimal), and give the value back.
    #[track_caller]
    fn check<T: Encode + Decode + PartialEq + std::fmt::Debug>(value: T, golden: &str) {
        let bytes = value.encode();
        let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hexadecimal, golden.replace(' ', ""), "{value:?}");
        assert_eq!(T::decode(bytes), Ok(value));
    }

    fn forwarded(request: MemberRequest) -> ForwardedMemberRequest {
        ForwardedMemberRequest { request_id: 0x0102, hops: 1, request }
    }

    #[test]
    fn requests_keep_their_bytes() {
        let start = "01 0201000000000000 01";
        let golden = [
            (MemberChange::Add { member: 4, learner: true }, "01 0400000000000000 01"),
            (MemberChange::Promote { member: 4, force: false }, "02 0400000000000000 00"),
            (MemberChange::Remove { member: 4, force: true }, "03 0400000000000000 01"),
            (
                MemberChange::Replace { old: 4, new: 5, force: false },
                "04 0400000000000000 0500000000000000 00",
            ),
        ];
        for (change, golden) in golden {
            check(forwarded(MemberRequest::Change(change)), &format!("{start} {golden}"));
        }
        let joining = Joining { node: NODE, member: Member::new("a", "b"), may_be_added: true };
        check(
            forwarded(MemberRequest::Join(joining)),
            &format!("{start} 05 {NODE_HEX} 01000000 61 01000000 62 01"),
        );
        check(Standing::Member, "0101");
        check(Standing::NotAMember, "0102");
    }

    #[test]
    fn errors_keep_their_bytes() {
        let reason = || "r".to_owned();
        let (member, retry_after) = (4, Duration::from_millis(2));
        let golden = [
            (MemberError::Exists { member, reason: reason() }, "01 01000000 72 0400000000000000"),
            (MemberError::UnknownMember { member }, "02 0400000000000000"),
            (MemberError::NotAMember { node: NODE }, "03 0400000000000000 2211000000000000"),
            (MemberError::InProgress { reason: reason(), retry_after }, "04 01000000 72 0200000000000000"),
            (MemberError::QuorumAtRisk { reason: reason() }, "05 01000000 72"),
            (MemberError::Lagging { member, reason: reason() }, "06 01000000 72 0400000000000000"),
            (MemberError::SlotUnclaimed { member }, "07 0400000000000000"),
            (MemberError::Invalid { reason: reason() }, "08 01000000 72"),
            (MemberError::Unavailable { reason: reason(), retry_after }, "09 01000000 72 0200000000000000"),
            (MemberError::OutcomeUnknown { reason: reason() }, "0a 01000000 72"),
            (MemberError::Unfinished { reason: reason() }, "0b 01000000 72"),
            (MemberError::ShuttingDown, "0c"),
        ];
        for (error, golden) in golden {
            check(MemberReply(Err(error)), &format!("01 {golden}"));
        }
    }

    #[test]
    fn views_keep_their_bytes() {
        let learner = MemberView {
            member: 4,
            node: Some(NODE),
            peer_address: "a".to_owned(),
            client_url: "b".to_owned(),
            role: MemberRole::Learner,
            wanted: Wanted::Replacement(NODE),
            matched_index: Some(7),
            lag: None,
            is_reachable: Some(true),
        };
        let place = MemberView {
            node: None,
            peer_address: String::new(),
            client_url: String::new(),
            role: MemberRole::Unclaimed,
            wanted: Wanted::Voter,
            matched_index: None,
            is_reachable: None,
            ..learner.clone()
        };
        let view = MembersView { index: 9, leader: Some(1), is_joint: true, members: vec![place, learner] };
        check(
            MemberReply(Ok(view)),
            &format!(
                "01 00 0900000000000000 01 0100000000000000 01 02000000 \
                 0400000000000000 0000000000000000 00000000 00000000 00 00 00 00 \
                 {NODE_HEX} 01000080 61 01000000 62 02 {NODE_HEX} 01 01 0700000000000000 00 02"
            ),
        );
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for bytes in [&b""[..], &[2], &[1, 99], &[1, 12, 0], &[1, 0, 1]] {
            assert!(MemberReply::decode(Bytes::copy_from_slice(bytes)).is_err(), "{bytes:?}");
        }
    }
}
