//! One change in the history.
//!
//! ```text
//! record   := version:u8=1  kind:u8  previous  change  checksum:u32
//! kind     := 1 put | 2 delete
//! previous := 0 (none) | 1 + revision - previous revision, previous sub-index
//! change   := revision - create_revision, version, lease, key:bytes, value (the rest)  (put)
//!           | key (the rest)                                                           (delete)
//! ```
//!
//! All numbers without a width are varints.

use bytes::Bytes;

use super::{CHECKSUM_BYTES, Position, open, seal};
use crate::encoding::{DecodeError, Reader, bytes_bytes, put_bytes, put_varint};
use crate::tables::Table;

const VERSION: u8 = 1;
const WHAT: &str = "history record";

/// The most that everything but key and value takes: version and kind, five numbers, checksum.
const OVERHEAD_BYTES_MAX: usize = 2 + 5 * 10 + CHECKSUM_BYTES;

/// One change of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HistoryRecord<'record> {
    pub(crate) key: &'record [u8],
    /// The change of the same key before this one, a delete included, or none if there never was one.
    /// It may point at what compaction has removed. Not part of the digest.
    pub(crate) previous: Option<Position>,
    pub(crate) change: Change<'record>,
}

/// What happened to the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change<'record> {
    Put {
        value: &'record [u8],
        /// The revision at which the key was created.
        create_revision: u64,
        /// How often it was put since then.
        version: u64,
        /// The lease it is bound to, 0 if none.
        lease: u64,
    },
    Delete,
}

/// The persisted number of each kind of change: never change one, never reuse one.
#[derive(Clone, Copy)]
#[repr(u8)]
enum ChangeOrdinal {
    Put = 1,
    Delete = 2,
}

impl<'record> HistoryRecord<'record> {
    /// The value that was put, or nothing.
    pub(crate) fn value(&self) -> &'record [u8] {
        match self.change {
            Change::Put { value, .. } => value,
            Change::Delete => &[],
        }
    }

    /// The record as it stands at `position`.
    pub(crate) fn encode(&self, position: Position) -> Bytes {
        let room = OVERHEAD_BYTES_MAX + bytes_bytes(self.key.len()) + self.value().len();
        let mut out = Vec::with_capacity(room);
        match self.change {
            Change::Put { value, create_revision, version, lease } => {
                out.extend_from_slice(&[VERSION, ChangeOrdinal::Put as u8]);
                put_previous(&mut out, position, self.previous);
                put_distance(&mut out, position.revision, create_revision);
                put_varint(&mut out, version);
                put_varint(&mut out, lease);
                put_bytes(&mut out, self.key);
                out.extend_from_slice(value);
            }
            Change::Delete => {
                out.extend_from_slice(&[VERSION, ChangeOrdinal::Delete as u8]);
                put_previous(&mut out, position, self.previous);
                out.extend_from_slice(self.key);
            }
        }
        seal(Table::History, &position.encode(), &mut out);
        Bytes::from(out)
    }

    /// Reads the record that stands at `position`.
    pub(crate) fn decode(position: Position, record: &'record [u8]) -> Result<Self, DecodeError> {
        let mut reader = open(Table::History, &position.encode(), record, WHAT, VERSION)?;
        match reader.byte()? {
            ordinal if ordinal == ChangeOrdinal::Put as u8 => {
                let previous = read_previous(&mut reader, position)?;
                let create_revision = read_distance(&mut reader, position.revision)?;
                let (version, lease) = (reader.varint()?, reader.varint()?);
                let (key, value) = (reader.bytes()?, reader.rest());
                let change = Change::Put { value, create_revision, version, lease };
                Ok(Self { key, previous, change })
            }
            ordinal if ordinal == ChangeOrdinal::Delete as u8 => {
                let previous = read_previous(&mut reader, position)?;
                Ok(Self { key: reader.rest(), previous, change: Change::Delete })
            }
            ordinal => Err(reader.unknown("kind of change", ordinal)),
        }
    }
}

fn put_previous(out: &mut Vec<u8>, position: Position, previous: Option<Position>) {
    match previous {
        None => put_varint(out, 0),
        Some(previous) => {
            assert!(previous < position, "a change cannot precede itself");
            put_varint(out, 1 + (position.revision - previous.revision));
            put_varint(out, u64::from(previous.sub_index));
        }
    }
}

fn read_previous(reader: &mut Reader<'_>, position: Position) -> Result<Option<Position>, DecodeError> {
    let Some(distance) = reader.varint()?.checked_sub(1) else { return Ok(None) };
    let revision = position.revision.checked_sub(distance).ok_or(reader.number_error())?;
    let previous = Position { revision, sub_index: reader.varint_u32()? };
    // Strictly backwards, so that a walk along the changes of a key ends.
    if previous < position { Ok(Some(previous)) } else { Err(reader.number_error()) }
}

/// Appends a revision as its distance back from another one: most are near, and take few bytes.
pub(super) fn put_distance(out: &mut Vec<u8>, from: u64, to: u64) {
    assert!(to <= from, "a key was created before its newest change or with it");
    put_varint(out, from - to);
}

/// Reads what [`put_distance`] wrote.
pub(super) fn read_distance(reader: &mut Reader<'_>, from: u64) -> Result<u64, DecodeError> {
    from.checked_sub(reader.varint()?).ok_or(reader.number_error())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{arbitrary_bytes, arbitrary_number, assert_golden};

    const POSITION: Position = Position { revision: 300, sub_index: 2 };

    const PUT: HistoryRecord<'static> = HistoryRecord {
        key: b"key",
        previous: Some(Position { revision: 299, sub_index: 1 }),
        change: Change::Put { value: b"value", create_revision: 100, version: 3, lease: 0 },
    };

    #[test]
    fn the_format_of_a_put_stays() {
        assert_golden(&PUT.encode(POSITION), "01 01 0201 c801 03 00 036b6579 76616c7565 d105fcbd");
        let first = HistoryRecord {
            key: b"key",
            previous: None,
            change: Change::Put { value: b"", create_revision: 300, version: 1, lease: 300 },
        };
        assert_golden(&first.encode(POSITION), "01 01 00 00 01 ac02 036b6579 5c86d5e9");
    }

    #[test]
    fn the_format_of_a_delete_stays() {
        let delete = HistoryRecord { change: Change::Delete, ..PUT };
        assert_golden(&delete.encode(POSITION), "01 02 0201 6b6579 007594b9");
    }

    #[test]
    fn the_key_is_the_position_in_order() {
        assert_golden(&POSITION.encode(), "000000000000012c 00000002");
    }

    #[test]
    fn a_newer_version_is_named_as_such() {
        let mut record = PUT.encode(POSITION).to_vec();
        record[0] = 2;
        let error = HistoryRecord::decode(POSITION, &record);
        assert_eq!(error, Err(DecodeError::UnknownVersion { what: WHAT, version: 2 }));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let record = PUT.encode(POSITION);
        for bit in 0..record.len() * 8 {
            let mut record = record.to_vec();
            record[bit / 8] ^= 1 << (bit % 8);
            assert!(HistoryRecord::decode(POSITION, &record).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_previous_change_that_is_not_before_is_refused() {
        for previous in [[1, 2], [1, 3]] {
            let mut record = vec![VERSION, ChangeOrdinal::Delete as u8];
            record.extend_from_slice(&previous);
            seal(Table::History, &POSITION.encode(), &mut record);
            assert_eq!(HistoryRecord::decode(POSITION, &record), Err(DecodeError::Number { what: WHAT }));
        }
    }

    proptest! {
        #[test]
        fn records_round_trip(
            (revision, create_revision, previous) in (arbitrary_number(), arbitrary_number(), arbitrary_number()),
            (sub_index, previous_sub_index) in any::<(u32, u32)>(),
            key in arbitrary_bytes(),
            put in prop::option::of((arbitrary_bytes(), arbitrary_number(), arbitrary_number())),
        ) {
            let position = Position { revision, sub_index };
            let previous = Position { revision: previous.min(revision), sub_index: previous_sub_index };
            let change = match &put {
                None => Change::Delete,
                Some((value, version, lease)) => Change::Put {
                    value,
                    create_revision: create_revision.min(revision),
                    version: *version,
                    lease: *lease,
                },
            };
            let previous = Some(previous).filter(|previous| *previous < position);
            let record = HistoryRecord { key: &key, previous, change };
            let encoded = record.encode(position);
            prop_assert_eq!(HistoryRecord::decode(position, &encoded), Ok(record));
        }
    }
}
