//! The bytes of a snapshot file.

use bytes::Bytes;
use quorate_consensus::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use quorate_consensus::{ClusterId, GroupId, SnapshotMeta};
use quorate_kv::{Machine, Table};

/// What a snapshot file begins with.
pub(crate) const MAGIC: &[u8; 16] = b"quorate\0snapshot";
/// The version of the format that this build writes.
pub(crate) const FORMAT: u32 = 1;
/// What comes before a frame's payload.
pub(crate) const FRAME_HEAD_BYTES: usize = 5;
/// What comes behind a frame's payload.
pub(crate) const FRAME_TAIL_BYTES: usize = 4;
/// The length of a trailer's payload.
pub(crate) const TRAILER_BYTES: usize = 1 + 4 * 8 + 16;
/// A payload that is longer is not a payload: chunks are cut far below this.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 64 << 20;

/// The kinds of frames. Never change one, never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FrameKind {
    Header = 1,
    Chunk = 2,
    Trailer = 3,
}

/// What a snapshot is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotHeader {
    /// The version of the file's format.
    pub format: u32,
    /// The cluster, or [`ClusterId::NONE`].
    pub cluster_id: ClusterId,
    /// The Raft group.
    pub group: GroupId,
    /// The replicated version that the state's records may use.
    pub cluster_version: u32,
    /// The moment of the log that it stands for.
    pub meta: SnapshotMeta,
}

/// Some of a snapshot's records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// Its place in the file, from 0.
    pub number: u64,
    /// Table, key and value of each record, in the order of tables and keys.
    pub records: Vec<(Table, Bytes, Bytes)>,
}

/// What all of a snapshot's records come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotTrailer {
    /// How many chunks there are.
    pub chunk_count: u64,
    /// How many records there are.
    pub record_count: u64,
    /// Bytes of all keys and values.
    pub record_bytes: u64,
    /// The state's newest revision.
    pub revision: u64,
    /// The state's digest.
    pub digest: u128,
}

/// Why bytes are not a part of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A checksum does not match.
    #[error("a checksum does not match: the file is damaged")]
    Checksum,
    /// A frame of another kind, or of an impossible length.
    #[error("a part of kind {kind} and {length} bytes is not what has to come here")]
    Frame {
        /// The kind found.
        kind: u8,
        /// The length found.
        length: u32,
    },
    /// A newer release wrote the file.
    #[error(
        "the file has format {found}, this build knows formats up to {FORMAT}: use the release that wrote it"
    )]
    NewerFormat {
        /// The format found.
        found: u32,
    },
    /// The content of a frame cannot be understood.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    /// The file does not begin as a snapshot does.
    #[error("the file is not a snapshot")]
    NotASnapshot,
    /// The parts do not fit together.
    #[error("the file contradicts itself: {reason}")]
    Contradiction {
        /// How.
        reason: &'static str,
    },
}

impl Encode for SnapshotHeader {
    fn encode_into(&self, writer: &mut Writer) {
        // The format comes first: what follows may mean something else in a newer one.
        writer.u32(self.format);
        self.cluster_id.encode_into(writer);
        writer.u32(self.group.0);
        writer.u32(self.cluster_version);
        self.meta.encode_into(writer);
    }
}

impl SnapshotHeader {
    /// The header of a snapshot that this build writes.
    pub(crate) fn new(cluster_id: ClusterId, group: GroupId, machine: &Machine, meta: SnapshotMeta) -> Self {
        Self { format: FORMAT, cluster_id, group, cluster_version: machine.cluster_version(), meta }
    }

    pub(crate) fn decode_payload(payload: Bytes) -> Result<Self, FormatError> {
        let mut reader = Reader::new(payload.clone());
        reader.u8()?;
        let format = reader.u32()?;
        if format > FORMAT {
            return Err(FormatError::NewerFormat { found: format });
        }
        Ok(Self::decode(payload)?)
    }
}

impl Decode for SnapshotHeader {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            format: reader.u32()?,
            cluster_id: ClusterId::decode_from(reader)?,
            group: GroupId(reader.u32()?),
            cluster_version: reader.u32()?,
            meta: SnapshotMeta::decode_from(reader)?,
        })
    }
}

/// A record's table and the lengths of its key and value.
const RECORD_HEAD_BYTES: usize = 1 + 4 + 4;

impl Encode for Chunk {
    fn encode_into(&self, writer: &mut Writer) {
        writer.u64(self.number);
        writer.u32(u32::try_from(self.records.len()).expect("a chunk is cut far below 2^32 records"));
        for (table, key, value) in &self.records {
            writer.u8(table.ordinal());
            writer.bytes(key);
            writer.bytes(value);
        }
    }

    fn encoded_bytes_hint(&self) -> usize {
        let record = |(_, key, value): &(Table, Bytes, Bytes)| RECORD_HEAD_BYTES + key.len() + value.len();
        12 + self.records.iter().map(record).sum::<usize>()
    }
}

impl Decode for Chunk {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let number = reader.u64()?;
        let count = reader.count(RECORD_HEAD_BYTES)?;
        let mut records = Vec::with_capacity(count);
        for _ in 0..count {
            let ordinal = reader.u8()?;
            let table = Table::from_ordinal(ordinal)
                .ok_or(DecodeError::UnknownOrdinal { what: "table of a snapshot's record", ordinal })?;
            records.push((table, reader.bytes()?, reader.bytes()?));
        }
        Ok(Self { number, records })
    }
}

impl Encode for SnapshotTrailer {
    fn encode_into(&self, writer: &mut Writer) {
        for number in [self.chunk_count, self.record_count, self.record_bytes, self.revision] {
            writer.u64(number);
        }
        writer.raw(&self.digest.to_le_bytes());
    }
}

impl Decode for SnapshotTrailer {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            chunk_count: reader.u64()?,
            record_count: reader.u64()?,
            record_bytes: reader.u64()?,
            revision: reader.u64()?,
            digest: u128::from_le_bytes(reader.raw(16)?[..].try_into().expect("raw(16) gives 16 bytes")),
        })
    }
}

/// A frame around a payload.
pub(crate) fn frame(kind: FrameKind, payload: &impl Encode) -> Vec<u8> {
    let payload = payload.encode();
    let length = u32::try_from(payload.len()).expect("payloads are cut far below 4 GiB");
    let mut frame = Vec::with_capacity(FRAME_HEAD_BYTES + payload.len() + FRAME_TAIL_BYTES);
    frame.push(kind as u8);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&payload);
    let checksum = crc32c::crc32c(&frame);
    frame.extend_from_slice(&checksum.to_le_bytes());
    frame
}

/// Kind and payload length, from the head of a frame.
pub(crate) fn read_frame_head(head: &[u8; FRAME_HEAD_BYTES]) -> Result<(FrameKind, usize), FormatError> {
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    let kinds = [FrameKind::Header, FrameKind::Chunk, FrameKind::Trailer];
    match kinds.into_iter().find(|kind| *kind as u8 == head[0]) {
        Some(kind) if length as usize <= PAYLOAD_BYTES_MAX => Ok((kind, length as usize)),
        _ => Err(FormatError::Frame { kind: head[0], length }),
    }
}

/// The payload of a frame, from all that comes behind its head.
pub(crate) fn read_frame_rest(head: &[u8; FRAME_HEAD_BYTES], rest: Bytes) -> Result<Bytes, FormatError> {
    let (payload, checksum) = rest.split_last_chunk::<FRAME_TAIL_BYTES>().ok_or(FormatError::Checksum)?;
    let found = crc32c::crc32c_append(crc32c::crc32c(head), payload);
    if found == u32::from_le_bytes(*checksum) {
        Ok(rest.slice(..rest.len() - FRAME_TAIL_BYTES))
    } else {
        Err(FormatError::Checksum)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use quorate_consensus::{CommittedLeaderId, LogId, Member, Membership, NodeId, StoredMembership};

    use super::*;
    use crate::record::tests::assert_golden;

    #[test]
    fn the_format_of_a_header_stays() {
        let node_id = NodeId::new(1, 0x10);
        let member = Member::new("a:1", "b");
        let membership =
            Membership::new(vec![BTreeSet::from([node_id])], BTreeMap::from([(node_id, member)]));
        let log_id = |index| Some(LogId::new(CommittedLeaderId::new(2), index));
        let meta = SnapshotMeta {
            last_log_id: log_id(5),
            last_membership: StoredMembership::new(log_id(4), membership.expect("a membership")),
        };
        let (cluster_id, group) = (ClusterId([0xcc; 16]), GroupId(3));
        let header = SnapshotHeader { format: FORMAT, cluster_id, group, cluster_version: 7, meta };
        let golden = "01 77000000 01 01000000 cccccccccccccccccccccccccccccccc 03000000 07000000 01 \
            02000000000000000500000000000000 01 02000000000000000400000000000000 01000000 01000000 \
            0100000000000000 1000000000000000 01000000 0100000000000000 1000000000000000 03000000 \
            613a31 01000000 62 e1b47cc4";
        assert_golden(&frame(FrameKind::Header, &header), golden);
        assert_eq!(SnapshotHeader::decode_payload(header.encode()), Ok(header));
    }

    #[test]
    fn the_format_of_a_chunk_stays() {
        let record = |table, key: &'static str, value: &'static str| (table, key.into(), value.into());
        let records = vec![record(Table::Meta, "k", "v"), record(Table::History, "key", "")];
        let chunk = Chunk { number: 9, records };
        let golden = "02 24000000 01 0900000000000000 02000000 01 01000000 6b 01000000 76 \
            03 03000000 6b6579 00000000 ff1bb90e";
        assert_golden(&frame(FrameKind::Chunk, &chunk), golden);
        assert_eq!(Chunk::decode(chunk.encode()), Ok(chunk));
    }

    #[test]
    fn the_format_of_a_trailer_stays() {
        let trailer = SnapshotTrailer {
            chunk_count: 1,
            record_count: 2,
            record_bytes: 3,
            revision: 4,
            digest: 5 << 120,
        };
        let golden = "03 31000000 01 0100000000000000 0200000000000000 0300000000000000 0400000000000000 \
            00000000000000000000000000000005 310c0e79";
        let found = frame(FrameKind::Trailer, &trailer);
        assert_golden(&found, golden);
        assert_eq!(found.len(), FRAME_HEAD_BYTES + TRAILER_BYTES + FRAME_TAIL_BYTES);
        assert_eq!(SnapshotTrailer::decode(trailer.encode()), Ok(trailer));
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let payload = Bytes::from_static(&[1, 2, 0, 0, 0, 99]);
        assert_eq!(SnapshotHeader::decode_payload(payload), Err(FormatError::NewerFormat { found: 2 }));
    }
}
