//! Node IDs, votes and log IDs.

use openraft::vote::{RaftLeaderId, RaftVote};

use super::{Decode, DecodeError, Encode, Reader, Writer};
use crate::identity::{ClusterId, NodeId};
use crate::raft_types::{CommittedLeaderId, LeaderId, LogId, Vote};

impl Encode for NodeId {
    fn encode_into(&self, writer: &mut Writer) {
        writer.u64(self.member);
        writer.u64(self.incarnation);
    }
}

impl Decode for NodeId {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(NodeId::new(reader.u64()?, reader.u64()?))
    }
}

impl Encode for ClusterId {
    fn encode_into(&self, writer: &mut Writer) {
        writer.raw(&self.0);
    }
}

impl Decode for ClusterId {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let bytes = reader.raw(16)?;
        Ok(ClusterId(bytes[..].try_into().expect("raw(16) gives 16 bytes")))
    }
}

impl Encode for Vote {
    fn encode_into(&self, writer: &mut Writer) {
        writer.u64(self.leader_id().term());
        self.leader_id().node_id().encode_into(writer);
        writer.u8(u8::from(self.is_committed()));
    }
}

impl Decode for Vote {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let term = reader.u64()?;
        let node_id = NodeId::decode_from(reader)?;
        let committed = reader.bool("vote's committed flag")?;
        Ok(Vote::from_leader_id(LeaderId::new(term, node_id), committed))
    }
}

impl Encode for LogId {
    fn encode_into(&self, writer: &mut Writer) {
        writer.u64(*self.leader_id);
        writer.u64(self.index());
    }
}

impl Decode for LogId {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let term = reader.u64()?;
        Ok(LogId::new(CommittedLeaderId::new(term), reader.u64()?))
    }
}
