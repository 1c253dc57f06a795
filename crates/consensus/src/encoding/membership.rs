//! Memberships.

use std::collections::{BTreeMap, BTreeSet};

use super::{Decode, DecodeError, Encode, Reader, Writer};
use crate::identity::NodeId;
use crate::member::{Member, Wanted};
use crate::raft_types::{LogId, Membership, SnapshotMeta, StoredMembership};

/// The encoded length of a [`NodeId`].
const NODE_ID_BYTES: usize = 16;

/// Set in the length of a member's first string if what is wanted of it follows. The first releases did not
/// write that, and wanted voters: a voter is written as they wrote it.
const WANTED_FOLLOWS: u32 = 1 << 31;

impl Encode for Member {
    fn encode_into(&self, writer: &mut Writer) {
        let length = u32::try_from(self.peer_address.len()).expect("an address is much shorter");
        let flag = if self.wanted == Wanted::Voter { 0 } else { WANTED_FOLLOWS };
        writer.u32(length | flag);
        writer.raw(self.peer_address.as_bytes());
        writer.string(&self.client_url);
        match self.wanted {
            Wanted::Voter => {}
            Wanted::Learner => writer.u8(1),
            Wanted::Replacement(node) => {
                writer.u8(2);
                node.encode_into(writer);
            }
            Wanted::Removed => writer.u8(3),
        }
    }
}

impl Decode for Member {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let length = reader.u32()?;
        let address = reader.raw((length & !WANTED_FOLLOWS) as usize)?;
        let peer_address = String::from_utf8(address.into()).map_err(|_| DecodeError::NotUtf8)?;
        let client_url = reader.string()?;
        let wanted = match length & WANTED_FOLLOWS != 0 {
            true => decode_wanted(reader)?,
            false => Wanted::Voter,
        };
        Ok(Member { peer_address, client_url, wanted })
    }
}

fn decode_wanted(reader: &mut Reader) -> Result<Wanted, DecodeError> {
    match reader.u8()? {
        1 => Ok(Wanted::Learner),
        2 => Ok(Wanted::Replacement(NodeId::decode_from(reader)?)),
        3 => Ok(Wanted::Removed),
        ordinal => Err(DecodeError::UnknownOrdinal { what: "wanted role", ordinal }),
    }
}

fn write_count(writer: &mut Writer, count: usize) {
    writer.u32(u32::try_from(count).expect("a cluster has far fewer than 2^32 members"));
}

/// Nodes are written in ascending order; anything else did not come from [`Encode`].
fn check_ascending(last: Option<&NodeId>, next: NodeId) -> Result<(), DecodeError> {
    if last.is_some_and(|last| *last >= next) {
        let reason = format!("node {next} is out of order");
        return Err(DecodeError::Invalid { what: "membership", reason });
    }
    Ok(())
}

impl Encode for Membership {
    fn encode_into(&self, writer: &mut Writer) {
        let configurations = self.get_joint_config();
        write_count(writer, configurations.len());
        for voters in configurations {
            write_count(writer, voters.len());
            for voter in voters {
                voter.encode_into(writer);
            }
        }
        write_count(writer, self.nodes().count());
        for (node_id, member) in self.nodes() {
            node_id.encode_into(writer);
            member.encode_into(writer);
        }
    }
}

impl Decode for Membership {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let mut configurations = Vec::new();
        for _ in 0..reader.count(4)? {
            let mut voters = BTreeSet::new();
            for _ in 0..reader.count(NODE_ID_BYTES)? {
                let voter = NodeId::decode_from(reader)?;
                check_ascending(voters.last(), voter)?;
                voters.insert(voter);
            }
            configurations.push(voters);
        }
        let mut nodes = BTreeMap::new();
        for _ in 0..reader.count(NODE_ID_BYTES)? {
            let node = NodeId::decode_from(reader)?;
            check_ascending(nodes.last_key_value().map(|(last, _)| last), node)?;
            nodes.insert(node, Member::decode_from(reader)?);
        }
        // openraft's default membership has no configuration at all, which its constructor refuses.
        if configurations.is_empty() && nodes.is_empty() {
            return Ok(Membership::default());
        }
        Membership::new(configurations, nodes)
            .map_err(|error| DecodeError::Invalid { what: "membership", reason: error.to_string() })
    }
}

impl Encode for StoredMembership {
    fn encode_into(&self, writer: &mut Writer) {
        self.log_id().encode_into(writer);
        self.membership().encode_into(writer);
    }
}

impl Decode for StoredMembership {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let log_id = Option::<LogId>::decode_from(reader)?;
        Ok(StoredMembership::new(log_id, Membership::decode_from(reader)?))
    }
}

impl Encode for SnapshotMeta {
    fn encode_into(&self, writer: &mut Writer) {
        self.last_log_id.encode_into(writer);
        self.last_membership.encode_into(writer);
    }
}

impl Decode for SnapshotMeta {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let last_log_id = Option::<LogId>::decode_from(reader)?;
        Ok(SnapshotMeta { last_log_id, last_membership: StoredMembership::decode_from(reader)? })
    }
}
