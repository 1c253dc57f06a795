//! Raft's messages between nodes.

use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendError, StreamAppendResult,
    TransferLeaderError, TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft_rt::AsyncRuntime;

use super::{Decode, DecodeError, Encode, Reader, Writer};
use crate::identity::NodeId;
use crate::raft_types::{Entry, LogId, RaftTypes, SnapshotMeta, Vote};

/// The smallest encoded entry: log ID and payload ordinal.
const ENTRY_BYTES_MIN: usize = 8 + 8 + 1;

impl<R: AsyncRuntime + Send + Sync> Encode for AppendEntriesRequest<RaftTypes<R>> {
    fn encode_into(&self, writer: &mut Writer) {
        self.vote.encode_into(writer);
        self.prev_log_id.encode_into(writer);
        self.leader_commit.encode_into(writer);
        writer.u32(u32::try_from(self.entries.len()).expect("openraft bounds entries per message"));
        for entry in &self.entries {
            entry.encode_into(writer);
        }
    }

    fn encoded_bytes_hint(&self) -> usize {
        64 + self.entries.iter().map(Encode::encoded_bytes_hint).sum::<usize>()
    }
}

impl<R: AsyncRuntime + Send + Sync> Decode for AppendEntriesRequest<RaftTypes<R>> {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let vote = Vote::decode_from(reader)?;
        let prev_log_id = Option::<LogId>::decode_from(reader)?;
        let leader_commit = Option::<LogId>::decode_from(reader)?;
        let count = reader.count(ENTRY_BYTES_MIN)?;
        let entries = (0..count).map(|_| Entry::decode_from(reader)).collect::<Result<_, _>>()?;
        Ok(Self { vote, prev_log_id, entries, leader_commit })
    }
}

impl<R: AsyncRuntime + Send + Sync> Encode for AppendEntriesResponse<RaftTypes<R>> {
    fn encode_into(&self, writer: &mut Writer) {
        match self {
            Self::Success => writer.u8(0),
            Self::PartialSuccess(log_id) => {
                writer.u8(1);
                log_id.encode_into(writer);
            }
            Self::Conflict => writer.u8(2),
            Self::HigherVote(vote) => {
                writer.u8(3);
                vote.encode_into(writer);
            }
        }
    }
}

impl<R: AsyncRuntime + Send + Sync> Decode for AppendEntriesResponse<RaftTypes<R>> {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        match reader.u8()? {
            0 => Ok(Self::Success),
            1 => Ok(Self::PartialSuccess(Option::<LogId>::decode_from(reader)?)),
            2 => Ok(Self::Conflict),
            3 => Ok(Self::HigherVote(Vote::decode_from(reader)?)),
            ordinal => Err(DecodeError::UnknownOrdinal { what: "append response", ordinal }),
        }
    }
}

impl<R: AsyncRuntime + Send + Sync> Encode for StreamAppendResult<RaftTypes<R>> {
    fn encode_into(&self, writer: &mut Writer) {
        match self {
            Ok(log_id) => {
                writer.u8(0);
                log_id.encode_into(writer);
            }
            Err(StreamAppendError::Conflict(log_id)) => {
                writer.u8(1);
                log_id.encode_into(writer);
            }
            Err(StreamAppendError::HigherVote(vote)) => {
                writer.u8(2);
                vote.encode_into(writer);
            }
        }
    }
}

impl<R: AsyncRuntime + Send + Sync> Decode for StreamAppendResult<RaftTypes<R>> {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        match reader.u8()? {
            0 => Ok(Ok(Option::<LogId>::decode_from(reader)?)),
            1 => Ok(Err(StreamAppendError::Conflict(LogId::decode_from(reader)?))),
            2 => Ok(Err(StreamAppendError::HigherVote(Vote::decode_from(reader)?))),
            ordinal => Err(DecodeError::UnknownOrdinal { what: "stream append result", ordinal }),
        }
    }
}

impl<R: AsyncRuntime + Send + Sync> Encode for VoteRequest<RaftTypes<R>> {
    fn encode_into(&self, writer: &mut Writer) {
        self.vote.encode_into(writer);
        self.last_log_id.encode_into(writer);
        writer.u8(u8::from(self.leadership_transfer));
    }
}

impl<R: AsyncRuntime + Send + Sync> Decode for VoteRequest<RaftTypes<R>> {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            vote: Vote::decode_from(reader)?,
            last_log_id: Option::<LogId>::decode_from(reader)?,
            leadership_transfer: reader.bool("leadership transfer flag")?,
        })
    }
}

impl<R: AsyncRuntime + Send + Sync> Encode for VoteResponse<RaftTypes<R>> {
    fn encode_into(&self, writer: &mut Writer) {
        self.vote.encode_into(writer);
        writer.u8(u8::from(self.vote_granted));
        self.last_log_id.encode_into(writer);
    }
}

impl<R: AsyncRuntime + Send + Sync> Decode for VoteResponse<RaftTypes<R>> {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            vote: Vote::decode_from(reader)?,
            vote_granted: reader.bool("vote granted flag")?,
            last_log_id: Option::<LogId>::decode_from(reader)?,
        })
    }
}

impl<R: AsyncRuntime + Send + Sync> Encode for SnapshotResponse<RaftTypes<R>> {
    fn encode_into(&self, writer: &mut Writer) {
        self.vote.encode_into(writer);
    }
}

impl<R: AsyncRuntime + Send + Sync> Decode for SnapshotResponse<RaftTypes<R>> {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { vote: Vote::decode_from(reader)? })
    }
}

impl<R: AsyncRuntime + Send + Sync> Encode for TransferLeaderRequest<RaftTypes<R>> {
    fn encode_into(&self, writer: &mut Writer) {
        self.from_leader().encode_into(writer);
        self.to_node_id().encode_into(writer);
        self.last_log_id().cloned().encode_into(writer);
    }
}

impl<R: AsyncRuntime + Send + Sync> Decode for TransferLeaderRequest<RaftTypes<R>> {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let from = Vote::decode_from(reader)?;
        let to = NodeId::decode_from(reader)?;
        Ok(Self::new(from, to, Option::<LogId>::decode_from(reader)?))
    }
}

/// What precedes a snapshot's bytes on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotHeader {
    /// The sending leader's vote.
    pub vote: Vote,
    /// What the snapshot covers.
    pub meta: SnapshotMeta,
    /// How many bytes follow.
    pub length: u64,
}

impl Encode for SnapshotHeader {
    fn encode_into(&self, writer: &mut Writer) {
        self.vote.encode_into(writer);
        self.meta.encode_into(writer);
        writer.u64(self.length);
    }
}

impl Decode for SnapshotHeader {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            vote: Vote::decode_from(reader)?,
            meta: SnapshotMeta::decode_from(reader)?,
            length: reader.u64()?,
        })
    }
}

impl<R: AsyncRuntime + Send + Sync> Encode for TransferLeaderResponse<RaftTypes<R>> {
    fn encode_into(&self, writer: &mut Writer) {
        match self {
            Ok(()) => writer.u8(0),
            Err(TransferLeaderError::VoteChanged { expected, actual }) => {
                writer.u8(1);
                expected.encode_into(writer);
                actual.encode_into(writer);
            }
            Err(TransferLeaderError::LogNotFlushed { expected, actual }) => {
                writer.u8(2);
                expected.encode_into(writer);
                actual.encode_into(writer);
            }
        }
    }
}

impl<R: AsyncRuntime + Send + Sync> Decode for TransferLeaderResponse<RaftTypes<R>> {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        match reader.u8()? {
            0 => Ok(Ok(())),
            1 => Ok(Err(TransferLeaderError::VoteChanged {
                expected: Vote::decode_from(reader)?,
                actual: Vote::decode_from(reader)?,
            })),
            2 => Ok(Err(TransferLeaderError::LogNotFlushed {
                expected: Option::<LogId>::decode_from(reader)?,
                actual: Option::<LogId>::decode_from(reader)?,
            })),
            ordinal => Err(DecodeError::UnknownOrdinal { what: "transfer leader response", ordinal }),
        }
    }
}
