//! The bytes of a segment file: its header, batches, records.
//!
//! Little-endian, as everything on disk. See the essay in [`super`] for what they are for.

use std::ops::RangeInclusive;

use bytes::{Buf, Bytes};
use quorate_consensus::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use quorate_consensus::{Entry, GroupId, LogId, NodeId, Vote};

use crate::layout::FORMAT;
use crate::record;

/// A segment's header has a page of its own, which is never written again.
pub(crate) const HEADER_BYTES: u64 = 4096;
/// Batches begin at multiples of this, so that they can be looked for.
pub(crate) const BLOCK_BYTES: u64 = 512;
/// What comes before the records of a batch.
pub(crate) const BATCH_HEADER_BYTES: usize = 28;
/// What comes before the payload of a record: kind and length.
const RECORD_HEAD_BYTES: usize = 5;
/// What comes before the sealed entry in an entry's record: all of the head, and the index.
const ENTRY_HEAD_BYTES: usize = RECORD_HEAD_BYTES + 8;

/// An opening record is not longer than this.
pub(crate) const OPENING_BYTES_MAX: usize = 256;

const MAGIC: &[u8; 16] = b"quorate\0segment\0";

/// The kinds of records. Never change one, never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Entry = 1,
    Truncate = 2,
    Vote = 3,
    Committed = 4,
    Purge = 5,
    Opening = 6,
}

/// What a segment says of itself. Not its number: that is in every batch, so that a file can become
/// another segment by another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) node_id: NodeId,
    pub(crate) group: GroupId,
    /// Random, the same in all segments of a log. Part of every batch's checksum: nobody who does not know
    /// it can make bytes that count as a batch, such as clients, whose values are in the segments.
    pub(crate) salt: u64,
    /// The length of the file, which never changes.
    pub(crate) segment_bytes: u64,
}

/// Why bytes are not a segment's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Damaged(&'static str),
    NewerFormat(u32),
}

impl SegmentHeader {
    /// The header's page: magic, format, the fields, zeros, and a checksum of all that at the end.
    pub(crate) fn render(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(HEADER_BYTES as usize);
        writer.raw(MAGIC);
        writer.u32(FORMAT);
        self.node_id.encode_into(&mut writer);
        writer.u32(self.group.0);
        writer.u64(self.salt);
        writer.u64(self.segment_bytes);
        let mut page = writer.finish().to_vec();
        page.resize(HEADER_BYTES as usize - record::CHECKSUM_BYTES, 0);
        page.extend_from_slice(&crc32c::crc32c(&page).to_le_bytes());
        page
    }

    pub(crate) fn parse(page: &[u8]) -> Result<Self, HeaderError> {
        let page = page.get(..HEADER_BYTES as usize).ok_or(HeaderError::Damaged("it is too short"))?;
        if !page.starts_with(MAGIC) {
            return Err(HeaderError::Damaged("it does not begin as a segment does"));
        }
        let content = record::open_bytes(page)
            .map_err(|_| HeaderError::Damaged("the checksum of its header does not match"))?;
        let mut reader = Reader::new(Bytes::copy_from_slice(&content[MAGIC.len()..]));
        let mut fields = || -> Result<_, DecodeError> {
            let format = reader.u32()?;
            if format > FORMAT {
                return Ok(Err(format));
            }
            let node_id = NodeId::decode_from(&mut reader)?;
            let group = GroupId(reader.u32()?);
            Ok(Ok(Self { node_id, group, salt: reader.u64()?, segment_bytes: reader.u64()? }))
        };
        match fields() {
            Ok(Ok(header)) => Ok(header),
            Ok(Err(newer)) => Err(HeaderError::NewerFormat(newer)),
            Err(_) => Err(HeaderError::Damaged("its header cannot be read")),
        }
    }

    /// What the checksum of every batch begins with.
    pub(crate) fn seed(&self) -> u32 {
        crc32c::crc32c(&self.salt.to_le_bytes())
    }
}

/// What a log has come to when a segment begins: with it, older segments can go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) vote: Option<Vote>,
    pub(crate) committed: Option<LogId>,
    pub(crate) purged: Option<LogId>,
    /// The index of the next entry, `None` if it may have any.
    pub(crate) next_index: Option<u64>,
}

impl Encode for Opening {
    fn encode_into(&self, writer: &mut Writer) {
        self.vote.encode_into(writer);
        self.committed.encode_into(writer);
        self.purged.encode_into(writer);
        match self.next_index {
            None => writer.u8(0),
            Some(index) => {
                writer.u8(1);
                writer.u64(index);
            }
        }
    }
}

impl Decode for Opening {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        let (vote, committed) = (Option::decode_from(reader)?, Option::decode_from(reader)?);
        let purged = Option::decode_from(reader)?;
        let next_index = match reader.u8()? {
            0 => None,
            1 => Some(reader.u64()?),
            ordinal => return Err(DecodeError::UnknownOrdinal { what: "next index", ordinal }),
        };
        Ok(Self { vote, committed, purged, next_index })
    }
}

/// Where the sealed bytes of an entry are in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) offset: u32,
    pub(crate) bytes: u32,
}

/// What a record does to a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The entry with this index is there.
    Entry { index: u64, place: Place },
    /// The entries from there on are gone.
    Truncate { from: u64 },
    /// The vote.
    Vote(Vote),
    /// What is known to be committed.
    Committed(LogId),
    /// The entries up to and with this one are gone.
    Purge(LogId),
    /// A segment begins.
    Opening(Opening),
}

/// The records of a batch that is being put together. Places are relative to the first record.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) bytes: Vec<u8>,
    pub(crate) changes: Vec<Change>,
}

impl Records {
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    fn head(&mut self, kind: Kind, payload_bytes: usize) {
        let bytes = u32::try_from(payload_bytes).expect("entries are limited far below 4 GiB");
        self.bytes.push(kind as u8);
        self.bytes.extend_from_slice(&bytes.to_le_bytes());
    }

    fn record(&mut self, kind: Kind, payload: &[u8], change: Change) {
        self.head(kind, payload.len());
        self.bytes.extend_from_slice(payload);
        self.changes.push(change);
    }

    /// Roughly the bytes that an entry takes.
    pub(crate) fn entry_bytes(entry: &Entry) -> usize {
        ENTRY_HEAD_BYTES + entry.encoded_bytes_hint() + record::CHECKSUM_BYTES
    }

    /// Adds an entry, with a checksum of its own: it is read alone.
    pub(crate) fn entry(&mut self, entry: &Entry) {
        let (index, sealed) = (entry.log_id.index(), record::seal(entry));
        self.head(Kind::Entry, 8 + sealed.len());
        self.bytes.extend_from_slice(&index.to_le_bytes());
        let offset = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&sealed);
        self.changes.push(Change::Entry { index, place: Place { offset, bytes: sealed.len() as u32 } });
    }

    pub(crate) fn truncate(&mut self, from: u64) {
        self.record(Kind::Truncate, &from.to_le_bytes(), Change::Truncate { from });
    }

    pub(crate) fn vote(&mut self, vote: &Vote) {
        self.record(Kind::Vote, &vote.encode(), Change::Vote(*vote));
    }

    pub(crate) fn committed(&mut self, log_id: &LogId) {
        self.record(Kind::Committed, &log_id.encode(), Change::Committed(*log_id));
    }

    pub(crate) fn purge(&mut self, log_id: &LogId) {
        self.record(Kind::Purge, &log_id.encode(), Change::Purge(*log_id));
    }

    pub(crate) fn opening(&mut self, opening: Opening) {
        self.record(Kind::Opening, &opening.encode(), Change::Opening(opening));
    }
}

/// The bytes that a batch with so many bytes of records takes in a segment.
pub(crate) fn batch_bytes(records_bytes: usize) -> u64 {
    ((BATCH_HEADER_BYTES + records_bytes) as u64).next_multiple_of(BLOCK_BYTES)
}

/// Puts a batch into `buffer`, padded to whole blocks: its header, and records in several parts.
pub(crate) fn render_batch(
    buffer: &mut Vec<u8>,
    seed: u32,
    (segment, sequence): (u64, u64),
    parts: &[&[u8]],
) {
    let records_bytes: usize = parts.iter().map(|part| part.len()).sum();
    buffer.clear();
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&u32::try_from(records_bytes).expect("rounds are below 4 GiB").to_le_bytes());
    buffer.extend_from_slice(&segment.to_le_bytes());
    buffer.extend_from_slice(&sequence.to_le_bytes());
    buffer.extend_from_slice(&FORMAT.to_le_bytes());
    for part in parts {
        buffer.extend_from_slice(part);
    }
    let checksum = crc32c::crc32c_append(seed, &buffer[4..]);
    buffer[..4].copy_from_slice(&checksum.to_le_bytes());
    buffer.resize(batch_bytes(records_bytes) as usize, 0);
}

/// A batch that was found whole.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) sequence: u64,
    pub(crate) format: u32,
    /// Its records, and where in the segment they begin.
    pub(crate) records: Bytes,
    pub(crate) records_at: u64,
    /// Where it begins, and the next one can.
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Batch {
    /// The batch of the segment with that number at this position of its content, if there is one, with one
    /// of these sequences.
    pub(crate) fn find(
        content: &Bytes,
        position: u64,
        seed: u32,
        segment: u64,
        sequences: RangeInclusive<u64>,
    ) -> Option<Self> {
        let start = usize::try_from(position).ok()?;
        let mut header = content.get(start..start + BATCH_HEADER_BYTES)?;
        let checksum = header.get_u32_le();
        let records_bytes = header.get_u32_le() as usize;
        let (number, sequence, format) = (header.get_u64_le(), header.get_u64_le(), header.get_u32_le());
        if number != segment || !sequences.contains(&sequence) {
            return None;
        }
        let records_start = start + BATCH_HEADER_BYTES;
        let checked = content.get(start + 4..records_start.checked_add(records_bytes)?)?;
        if crc32c::crc32c_append(seed, checked) != checksum {
            return None;
        }
        let records = content.slice(records_start..records_start + records_bytes);
        let end = position + batch_bytes(records_bytes);
        Some(Self { sequence, format, records, records_at: records_start as u64, start: position, end })
    }

    /// What its records do.
    pub(crate) fn changes(&self) -> Result<Vec<Change>, DecodeError> {
        let mut reader = Reader::new(self.records.clone());
        let mut changes = Vec::new();
        let mut at = self.records_at;
        while at < self.records_at + self.records.len() as u64 {
            let kind = reader.u8()?;
            let payload = reader.bytes()?;
            changes.push(decode_change(kind, payload.clone(), at)?);
            at += (RECORD_HEAD_BYTES + payload.len()) as u64;
        }
        reader.finish()?;
        Ok(changes)
    }
}

fn decode_change(kind: u8, payload: Bytes, at: u64) -> Result<Change, DecodeError> {
    let index = |payload: Bytes| {
        let mut reader = Reader::new(payload);
        reader.u64().map(|index| (index, reader.rest().len() as u32))
    };
    const ENTRY: u8 = Kind::Entry as u8;
    const TRUNCATE: u8 = Kind::Truncate as u8;
    const VOTE: u8 = Kind::Vote as u8;
    const COMMITTED: u8 = Kind::Committed as u8;
    const PURGE: u8 = Kind::Purge as u8;
    const OPENING: u8 = Kind::Opening as u8;
    Ok(match kind {
        ENTRY => {
            let (index, bytes) = index(payload)?;
            let offset = u32::try_from(at + ENTRY_HEAD_BYTES as u64).map_err(|_| DecodeError::TooShort)?;
            Change::Entry { index, place: Place { offset, bytes } }
        }
        TRUNCATE => Change::Truncate { from: index(payload)?.0 },
        VOTE => Change::Vote(Vote::decode(payload)?),
        COMMITTED => Change::Committed(LogId::decode(payload)?),
        PURGE => Change::Purge(LogId::decode(payload)?),
        OPENING => Change::Opening(Opening::decode(payload)?),
        ordinal => return Err(DecodeError::UnknownOrdinal { what: "log record", ordinal }),
    })
}

#[cfg(test)]
mod tests {
    use openraft::EntryPayload;
    use quorate_consensus::{CommittedLeaderId, ProposalBytes};

    use super::*;
    use crate::record::tests::assert_golden;

    fn log_id(term: u64, index: u64) -> LogId {
        LogId::new(CommittedLeaderId::new(term), index)
    }

    fn header() -> SegmentHeader {
        let node_id = NodeId::new(7, 0x0123_4567_89ab_cdef);
        SegmentHeader { node_id, group: GroupId::FIRST, salt: 0x1122_3344_5566_7788, segment_bytes: 65536 }
    }

    fn opening() -> Opening {
        let vote = Some(Vote::new(2, NodeId::new(7, 1)));
        let (committed, purged) = (Some(log_id(2, 4)), Some(log_id(1, 3)));
        Opening { vote, committed, purged, next_index: Some(5) }
    }

    fn one_of_each() -> Records {
        let mut records = Records::default();
        records.opening(opening());
        let payload = EntryPayload::Normal(ProposalBytes(Bytes::from_static(b"proposal")));
        records.entry(&Entry { log_id: log_id(2, 5), payload });
        records.truncate(5);
        records.vote(&Vote::new(3, NodeId::new(7, 1)));
        records.committed(&log_id(2, 4));
        records.purge(&log_id(2, 4));
        records
    }

    #[test]
    fn the_format_of_a_segments_header_stays() {
        let page = header().render();
        assert_eq!(page.len() as u64, HEADER_BYTES);
        let fields = "71756f72617465007365676d656e7400 01000000 0700000000000000 efcdab8967452301 00000000 \
             8877665544332211 0000010000000000";
        assert_golden(&page[..56], fields);
        assert!(page[56..4092].iter().all(|byte| *byte == 0));
        assert_golden(&page[4092..], "9031642f");
        assert_eq!(SegmentHeader::parse(&page), Ok(header()));
    }

    #[test]
    fn an_opening_record_is_short() {
        let mut records = Records::default();
        records.opening(opening());
        assert!(records.bytes.len() <= OPENING_BYTES_MAX, "{}", records.bytes.len());
    }

    #[test]
    fn every_changed_byte_of_a_header_is_noticed() {
        let page = header().render();
        for position in (0..80).chain(4080..4096) {
            let mut changed = page.clone();
            changed[position] ^= 1;
            assert!(matches!(SegmentHeader::parse(&changed), Err(HeaderError::Damaged(_))), "{position}");
        }
        assert!(SegmentHeader::parse(&page[..4095]).is_err());
    }

    #[test]
    fn the_format_of_a_batch_and_of_each_kind_of_record_stays() {
        let mut buffer = Vec::new();
        let records = one_of_each();
        render_batch(&mut buffer, header().seed(), (2, 9), &[&records.bytes]);
        assert_eq!(buffer.len(), 512);
        assert_golden(&buffer[..28], "5d7722de d2000000 0200000000000000 0900000000000000 01000000");
        let records_bytes = records.bytes.len();
        assert_golden(
            &buffer[28..28 + records_bytes],
            "06 46000000 01 01 0200000000000000 0700000000000000 0100000000000000 00 01 0200000000000000 0400000000000000 \
             01 0100000000000000 0300000000000000 01 0500000000000000 \
             01 2a000000 0500000000000000 01 0200000000000000 0500000000000000 01 08000000 70726f706f73616c a5580d56 \
             02 08000000 0500000000000000 \
             03 1a000000 01 0300000000000000 0700000000000000 0100000000000000 00 \
             04 11000000 01 0200000000000000 0400000000000000 \
             05 11000000 01 0200000000000000 0400000000000000",
        );
        let batch = Batch::find(&Bytes::from(buffer), 0, header().seed(), 2, 9..=9).expect("a batch");
        assert_eq!((batch.sequence, batch.format, batch.end), (9, FORMAT, 512));
        let mut expected = records.changes;
        for change in &mut expected {
            if let Change::Entry { place, .. } = change {
                place.offset += BATCH_HEADER_BYTES as u32;
            }
        }
        assert_eq!(batch.changes(), Ok(expected));
    }

    #[test]
    fn a_batch_counts_only_whole_and_in_its_own_segment_and_log() {
        let mut buffer = Vec::new();
        let records = one_of_each();
        render_batch(&mut buffer, header().seed(), (2, 9), &[&records.bytes]);
        let content = Bytes::from(buffer);
        let found = |content: &Bytes| Batch::find(content, 0, header().seed(), 2, 9..=9);
        assert!(found(&content).is_some());
        assert!(Batch::find(&content, 0, header().seed(), 2, 10..=99).is_none(), "of another sequence");
        assert!(Batch::find(&content, 0, header().seed(), 3, 9..=9).is_none(), "a recycled segment");
        assert!(Batch::find(&content, 0, 0, 2, 9..=9).is_none(), "another log");
        assert!(Batch::find(&content, 512, header().seed(), 2, 9..=9).is_none(), "behind the end");
        for position in 0..BATCH_HEADER_BYTES + records.bytes.len() {
            let mut changed = content.to_vec();
            changed[position] ^= 1;
            let changed = Bytes::from(changed);
            assert!(found(&changed).is_none(), "{position}");
            assert!(found(&content.slice(..position)).is_none(), "{position}");
        }
    }
}
