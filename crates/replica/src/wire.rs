//! What replicas ask of each other besides Raft's own messages, as bytes.
//!
//! Each value is versioned by [`quorate_consensus::encoding`]. The remaining time of a request travels
//! in the peer frame that carries it.

use std::time::Duration;

use bytes::Bytes;
use quorate_consensus::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use quorate_consensus::{LogId, SnapshotMeta};
use quorate_kv::{Command, Outcome};

use crate::errors::WriteError;
use crate::follower_reports::FollowerReport;
use crate::rounds::Confirmation;

/// The kinds of application requests. Ordinals are part of the wire format.
pub(crate) mod kind {
    /// Run a write: [`super::ForwardedWrite`], answered with [`super::WriteReply`].
    pub(crate) const WRITE: u8 = 1;
    /// Run a ReadIndex round: [`super::ReadIndexRequest`], answered with [`super::ReadIndexReply`].
    pub(crate) const READ_INDEX: u8 = 2;
    /// Read a piece of a snapshot: [`super::SnapshotRequest`], answered with [`super::SnapshotReply`].
    pub(crate) const SNAPSHOT: u8 = 3;
    /// Change the members, or be added: [`crate::membership`]'s request, answered with its reply.
    pub(crate) const MEMBERS: u8 = 4;
    /// Whether the asking node is a member: nothing, answered with [`crate::membership`]'s standing.
    pub(crate) const STANDING: u8 = 5;
    /// Hand leadership over: [`crate::transfer_wire`].
    pub(crate) const TRANSFER_LEADERSHIP: u8 = 8;
}

/// A write that a node passes on to the leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForwardedWrite {
    /// Names the request in the logs of every node.
    pub(crate) request_id: u64,
    /// How many times it has been passed on, this time included.
    pub(crate) hops: u8,
    /// What to write.
    pub(crate) command: Command,
}

impl Encode for ForwardedWrite {
    fn encode_into(&self, writer: &mut Writer) {
        writer.u64(self.request_id);
        writer.u8(self.hops);
        writer.bytes(&self.command.encode());
    }
}

impl Decode for ForwardedWrite {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let request_id = reader.u64()?;
        let hops = reader.u8()?;
        let command = Command::decode(&reader.bytes()?)
            .map_err(|error| DecodeError::Invalid { what: "command", reason: error.to_string() })?;
        Ok(Self { request_id, hops, command })
    }
}

/// How a forwarded write ended on the node that it was passed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WriteReply(pub(crate) Result<Outcome, WriteError>);

impl Encode for WriteReply {
    fn encode_into(&self, writer: &mut Writer) {
        match &self.0 {
            Ok(outcome) => {
                writer.u8(0);
                writer.bytes(&outcome.encode());
            }
            Err(WriteError::Unknown { reason }) => {
                writer.u8(1);
                writer.string(reason);
            }
            Err(WriteError::Unavailable { reason, retry_after }) => {
                writer.u8(2);
                writer.string(reason);
                writer.u64(milliseconds(*retry_after));
            }
            Err(WriteError::Overloaded { retry_after }) => {
                writer.u8(3);
                writer.u64(milliseconds(*retry_after));
            }
            Err(WriteError::DiskFull) => writer.u8(4),
            Err(WriteError::TooManyHops { hops }) => {
                writer.u8(5);
                writer.u8(*hops);
            }
            Err(WriteError::ShuttingDown) => writer.u8(6),
            Err(WriteError::TooLarge { maximum }) => {
                writer.u8(7);
                writer.u64(*maximum);
            }
            Err(WriteError::Damaged { reason }) => {
                writer.u8(8);
                writer.string(reason);
            }
        }
    }
}

impl Decode for WriteReply {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self(match reader.u8()? {
            0 => Ok(Outcome::decode(&reader.bytes()?)
                .map_err(|error| DecodeError::Invalid { what: "outcome", reason: error.to_string() })?),
            1 => Err(WriteError::Unknown { reason: reader.string()? }),
            2 => Err(WriteError::Unavailable {
                reason: reader.string()?,
                retry_after: Duration::from_millis(reader.u64()?),
            }),
            3 => Err(WriteError::Overloaded { retry_after: Duration::from_millis(reader.u64()?) }),
            4 => Err(WriteError::DiskFull),
            5 => Err(WriteError::TooManyHops { hops: reader.u8()? }),
            6 => Err(WriteError::ShuttingDown),
            7 => Err(WriteError::TooLarge { maximum: reader.u64()? }),
            8 => Err(WriteError::Damaged { reason: reader.string()? }),
            ordinal => return Err(DecodeError::UnknownOrdinal { what: "write reply", ordinal }),
        }))
    }
}

/// Asks the leader for a read index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadIndexRequest {
    /// What the asking node says of itself on the way.
    pub(crate) report: FollowerReport,
    /// What is to confirm that the leader leads.
    pub(crate) confirmation: Confirmation,
}

impl ReadIndexRequest {
    /// Reads a payload. An empty one is of a release that did not say whether it had room.
    pub(crate) fn decode_payload(payload: Bytes) -> Result<Option<Self>, DecodeError> {
        if payload.is_empty() { Ok(None) } else { Self::decode(payload).map(Some) }
    }
}

impl Encode for ReadIndexRequest {
    fn encode_into(&self, writer: &mut Writer) {
        let flags =
            [self.report.has_room, self.report.avoids_leading, self.confirmation == Confirmation::Lease];
        writer.u8(flags.iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(*flag)));
    }
}

impl Decode for ReadIndexRequest {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        match reader.u8()? {
            flags @ 0..=7 => Ok(Self {
                report: FollowerReport { has_room: flags & 1 != 0, avoids_leading: flags & 2 != 0 },
                confirmation: if flags & 4 == 0 { Confirmation::Quorum } else { Confirmation::Lease },
            }),
            ordinal => Err(DecodeError::UnknownOrdinal { what: "report", ordinal }),
        }
    }
}

/// The read index of a round that the leader ran, or why it could not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadIndexReply(pub(crate) Result<u64, String>);

impl Encode for ReadIndexReply {
    fn encode_into(&self, writer: &mut Writer) {
        match &self.0 {
            Ok(index) => {
                writer.u8(0);
                writer.u64(*index);
            }
            Err(reason) => {
                writer.u8(1);
                writer.string(reason);
            }
        }
    }
}

impl Decode for ReadIndexReply {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self(match reader.u8()? {
            0 => Ok(reader.u64()?),
            1 => Err(reader.string()?),
            ordinal => return Err(DecodeError::UnknownOrdinal { what: "read index reply", ordinal }),
        }))
    }
}

/// Asks any node for a piece of its newest snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotRequest {
    /// The index that the snapshot has to reach.
    pub(crate) index: u64,
    /// Which snapshot, once that is known: where it ends.
    pub(crate) wanted: Option<LogId>,
    /// Where in its file the piece begins.
    pub(crate) offset: u64,
}

impl Encode for SnapshotRequest {
    fn encode_into(&self, writer: &mut Writer) {
        writer.u64(self.index);
        self.wanted.encode_into(writer);
        writer.u64(self.offset);
    }
}

impl Decode for SnapshotRequest {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let index = reader.u64()?;
        Ok(Self { index, wanted: Option::<LogId>::decode_from(reader)?, offset: reader.u64()? })
    }
}

/// What a node has of the snapshot that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SnapshotReply {
    /// Nothing yet, and why.
    NotReady(String),
    /// A piece.
    Piece {
        /// Which snapshot.
        meta: SnapshotMeta,
        /// How long its file is.
        file_bytes: u64,
        /// The piece. Empty only behind the end.
        bytes: Bytes,
    },
}

impl Encode for SnapshotReply {
    fn encode_into(&self, writer: &mut Writer) {
        match self {
            SnapshotReply::NotReady(reason) => {
                writer.u8(0);
                writer.string(reason);
            }
            SnapshotReply::Piece { meta, file_bytes, bytes } => {
                writer.u8(1);
                meta.encode_into(writer);
                writer.u64(*file_bytes);
                writer.bytes(bytes);
            }
        }
    }
}

impl Decode for SnapshotReply {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match reader.u8()? {
            0 => SnapshotReply::NotReady(reader.string()?),
            1 => SnapshotReply::Piece {
                meta: SnapshotMeta::decode_from(reader)?,
                file_bytes: reader.u64()?,
                bytes: reader.bytes()?,
            },
            ordinal => return Err(DecodeError::UnknownOrdinal { what: "snapshot reply", ordinal }),
        })
    }
}

pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use quorate_consensus::CommittedLeaderId;
    use quorate_kv::Condition;

    use super::*;

    /// The bytes of a value are exactly `golden` (hexadecimal), and give the value back.
    fn check<T: Encode + Decode + PartialEq + std::fmt::Debug>(value: T, golden: &str) {
        let bytes = value.encode();
        let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hexadecimal, golden, "{value:?}");
        assert_eq!(T::decode(bytes), Ok(value));
    }

    #[test]
    fn golden_bytes() {
        let command = Command::Put {
            key: Bytes::from_static(b"k"),
            value: Bytes::from_static(b"v"),
            condition: Condition::RevisionIs(7),
        };
        let encoded: String = command.encode().iter().map(|byte| format!("{byte:02x}")).collect();
        let length = u8::try_from(command.encode().len()).expect("a short command");
        check(
            ForwardedWrite { request_id: 0x0102, hops: 1, command },
            &format!("010201000000000000{:02x}{length:02x}000000{encoded}", 1),
        );
        check(WriteReply(Err(WriteError::Unknown { reason: "r".to_owned() })), "01010100000072");
        check(
            WriteReply(Err(WriteError::Unavailable {
                reason: "r".to_owned(),
                retry_after: Duration::from_millis(1000),
            })),
            "01020100000072e803000000000000",
        );
        check(
            WriteReply(Err(WriteError::Overloaded { retry_after: Duration::from_millis(2) })),
            "01030200000000000000",
        );
        check(WriteReply(Err(WriteError::DiskFull)), "0104");
        check(WriteReply(Err(WriteError::TooManyHops { hops: 3 })), "010503");
        check(WriteReply(Err(WriteError::ShuttingDown)), "0106");
        check(WriteReply(Err(WriteError::TooLarge { maximum: 258 })), "01070201000000000000");
        check(WriteReply(Err(WriteError::Damaged { reason: "r".to_owned() })), "01080100000072");
        let request = |has_room, avoids_leading| ReadIndexRequest {
            report: FollowerReport { has_room, avoids_leading },
            confirmation: Confirmation::Quorum,
        };
        check(request(false, false), "0100");
        check(request(true, false), "0101");
        check(request(false, true), "0102");
        check(request(true, true), "0103");
        check(ReadIndexRequest { confirmation: Confirmation::Lease, ..request(true, false) }, "0105");
        check(ReadIndexReply(Ok(258)), "01000201000000000000");
        check(ReadIndexReply(Err("r".to_owned())), "01010100000072");
        let wanted = LogId::new(CommittedLeaderId::new(3), 7);
        check(
            SnapshotRequest { index: 5, wanted: Some(wanted), offset: 9 },
            "01050000000000000001030000000000000007000000000000000900000000000000",
        );
        check(SnapshotReply::NotReady("r".to_owned()), "01000100000072");
        let meta = SnapshotMeta { last_log_id: Some(wanted), ..SnapshotMeta::default() };
        let bytes = Bytes::from_static(b"ab");
        check(
            SnapshotReply::Piece { meta, file_bytes: 258, bytes },
            "010101030000000000000007000000000000000000000000000000000201000000000000020000006162",
        );
    }

    #[test]
    fn outcomes_survive_the_way_back() {
        for outcome in [Outcome::Deleted { revision: 9 }, Outcome::ConditionFailed { current: None }] {
            let reply = WriteReply(Ok(outcome));
            assert_eq!(WriteReply::decode(reply.encode()), Ok(reply));
        }
    }

    #[test]
    fn a_read_index_request_may_say_nothing() {
        assert_eq!(ReadIndexRequest::decode_payload(Bytes::new()), Ok(None));
        let report = FollowerReport { has_room: false, avoids_leading: true };
        let request = ReadIndexRequest { report, confirmation: Confirmation::Lease };
        assert_eq!(ReadIndexRequest::decode_payload(request.encode()), Ok(Some(request)));
        assert!(ReadIndexRequest::decode_payload(Bytes::from_static(&[1, 8])).is_err());
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for bytes in [&b""[..], &[2], &[1, 9], &[1, 0, 255], &[1, 4, 0]] {
            assert!(WriteReply::decode(Bytes::copy_from_slice(bytes)).is_err(), "{bytes:?}");
        }
    }
}
