//! Where a key's newest change is, and what a write has to know of it without reading the history.
//!
//! ```text
//! record := version:u8=1  state:u8  mod_revision, mod_sub_index  [live]  checksum:u32
//! state  := 1 live | 2 deleted
//! live   := mod_revision - create_revision, version, lease, value_bytes, element:u128
//! ```
//!
//! All numbers without a width are varints.

use bytes::Bytes;

use super::history::{Change, HistoryRecord, put_distance, read_distance};
use super::{CHECKSUM_BYTES, Position, open, seal};
use crate::encoding::{DecodeError, put_varint};
use crate::tables::Table;

const VERSION: u8 = 1;
const WHAT: &str = "key index record";

/// Version and state, six numbers, the element, the checksum.
const RECORD_BYTES_MAX: usize = 2 + 6 * 10 + 16 + CHECKSUM_BYTES;

/// A key's newest change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexRecord {
    /// Where it is in the history.
    pub(crate) position: Position,
    /// The key as it is after it, or `None` if it was deleted. Deleted keys stay here until compaction, as
    /// the start of their history.
    pub(crate) live: Option<LiveKey>,
}

/// What the index knows of a key that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LiveKey {
    /// The revision at which the key was created.
    pub(crate) create_revision: u64,
    /// How often it was put since then.
    pub(crate) version: u64,
    /// The lease it is bound to, 0 if none.
    pub(crate) lease: u64,
    /// The length of its value. Here, so that overwriting a key does not have to read its old value.
    pub(crate) value_bytes: u64,
    /// What the key adds to the digest of living keys. Here for the same reason.
    pub(crate) element: u128,
}

/// The persisted number of each state of a key: never change one, never reuse one.
#[derive(Clone, Copy)]
#[repr(u8)]
enum StateOrdinal {
    Live = 1,
    Deleted = 2,
}

impl IndexRecord {
    /// The index record for a key whose newest change is `record`, which has this element.
    pub(crate) fn of(position: Position, record: &HistoryRecord<'_>, element: u128) -> Self {
        let live = match record.change {
            Change::Delete => None,
            Change::Put { value, create_revision, version, lease } => {
                Some(LiveKey { create_revision, version, lease, value_bytes: value.len() as u64, element })
            }
        };
        Self { position, live }
    }

    /// The record as it stands under `key`.
    pub(crate) fn encode(&self, key: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(RECORD_BYTES_MAX);
        let state = if self.live.is_some() { StateOrdinal::Live } else { StateOrdinal::Deleted };
        out.extend_from_slice(&[VERSION, state as u8]);
        put_varint(&mut out, self.position.revision);
        put_varint(&mut out, u64::from(self.position.sub_index));
        if let Some(live) = &self.live {
            put_distance(&mut out, self.position.revision, live.create_revision);
            put_varint(&mut out, live.version);
            put_varint(&mut out, live.lease);
            put_varint(&mut out, live.value_bytes);
            out.extend_from_slice(&live.element.to_be_bytes());
        }
        seal(Table::KeyIndex, key, &mut out);
        Bytes::from(out)
    }

    /// Reads the record that stands under `key`.
    pub(crate) fn decode(key: &[u8], record: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = open(Table::KeyIndex, key, record, WHAT, VERSION)?;
        let state = reader.byte()?;
        let position = Position { revision: reader.varint()?, sub_index: reader.varint_u32()? };
        let live = match state {
            ordinal if ordinal == StateOrdinal::Deleted as u8 => None,
            ordinal if ordinal == StateOrdinal::Live as u8 => Some(LiveKey {
                create_revision: read_distance(&mut reader, position.revision)?,
                version: reader.varint()?,
                lease: reader.varint()?,
                value_bytes: reader.varint()?,
                element: reader.u128()?,
            }),
            ordinal => return Err(reader.unknown("state of a key", ordinal)),
        };
        reader.finish()?;
        Ok(Self { position, live })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{arbitrary_number, assert_golden};

    const LIVE: IndexRecord = IndexRecord {
        position: Position { revision: 300, sub_index: 2 },
        live: Some(LiveKey {
            create_revision: 100,
            version: 3,
            lease: 0,
            value_bytes: 256,
            element: 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff,
        }),
    };

    #[test]
    fn the_format_of_a_living_key_stays() {
        let golden = "01 01 ac02 02 c801 03 00 8002 00112233445566778899aabbccddeeff 50e6fb9e";
        assert_golden(&LIVE.encode(b"key"), golden);
    }

    #[test]
    fn the_format_of_a_deleted_key_stays() {
        assert_golden(&IndexRecord { live: None, ..LIVE }.encode(b"key"), "01 02 ac02 02 1b2ae6e6");
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let record = LIVE.encode(b"key");
        for bit in 0..record.len() * 8 {
            let mut record = record.to_vec();
            record[bit / 8] ^= 1 << (bit % 8);
            assert!(IndexRecord::decode(b"key", &record).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_creation_after_the_newest_change_is_refused() {
        let mut record = vec![VERSION, StateOrdinal::Live as u8, 5, 0, 6, 1, 0, 0];
        record.extend_from_slice(&[0; 16]);
        seal(Table::KeyIndex, b"key", &mut record);
        assert_eq!(IndexRecord::decode(b"key", &record), Err(DecodeError::Number { what: WHAT }));
    }

    proptest! {
        #[test]
        fn records_round_trip(
            key in prop::collection::vec(any::<u8>(), 1..9),
            revision in arbitrary_number(),
            sub_index: u32,
            live in prop::option::of((arbitrary_number(), arbitrary_number(), arbitrary_number())),
            (value_bytes, element) in any::<(u64, u128)>(),
        ) {
            let live = live.map(|(create_revision, version, lease)| LiveKey {
                create_revision: create_revision.min(revision),
                version,
                lease,
                value_bytes,
                element,
            });
            let record = IndexRecord { position: Position { revision, sub_index }, live };
            prop_assert_eq!(IndexRecord::decode(&key, &record.encode(&key)), Ok(record));
        }
    }
}
