//! The records on disk: their keys, their bytes, their checksums.
//!
//! | Table     | Key                                | Record                      |
//! |-----------|------------------------------------|-----------------------------|
//! | meta      | kind:u8 (1 is the head)            | [`head::Head`]              |
//! | key_index | the key's bytes                    | [`index::IndexRecord`]      |
//! | history   | revision:u64 sub_index:u32 (order) | [`history::HistoryRecord`]  |
//! | sessions  | session:u64                        | [`session::SessionRecord`]  |
//! | session_outcomes | session:u64 sequence:u64    | [`session_outcome::SessionOutcomeRecord`] |
//!
//! Every record is `version:u8 … checksum:u32`. The checksum (CRC-32C) covers the table's ordinal, the
//! table key and the record, so that a record that turns up under another key counts as damaged, too.

pub(crate) mod head;
pub(crate) mod history;
pub(crate) mod index;
pub(crate) mod session;
pub(crate) mod session_outcome;

use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::encoding::{DecodeError, Reader};
use crate::mutant::{self, Mutant};
use crate::outcome::Outcome;
use crate::tables::Table;

use head::Head;
use history::HistoryRecord;
use index::IndexRecord;
use session::SessionRecord;
use session_outcome::{SequenceKey, SessionOutcomeRecord};

/// What the quota counts of a record besides the bytes of key and value: roughly what the other fields, the
/// table's key and its place in a page take. A constant, so that the count does not depend on formats.
const STORED_OVERHEAD_BYTES: u64 = 48;

/// Bytes of a change as the quota counts them.
pub(crate) fn history_bytes(key: &[u8], value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64 + STORED_OVERHEAD_BYTES
}

/// Bytes of a key's index record as the quota counts them.
pub(crate) fn index_bytes(key: &[u8]) -> u64 {
    key.len() as u64 + STORED_OVERHEAD_BYTES
}

/// Bytes that the checksum adds to a record.
pub(crate) const CHECKSUM_BYTES: usize = 4;

/// Checks one record as it stands in the tables: its key, version, checksum and form. It does not compare
/// it with other records: [`crate::Machine::verify`] does.
pub fn check_record(table: Table, key: &[u8], record: &[u8]) -> Result<(), DecodeError> {
    match table {
        Table::Meta => head::check_key(key).and_then(|()| Head::decode(record).map(drop)),
        Table::KeyIndex => IndexRecord::decode(key, record).map(drop),
        Table::History => {
            Position::decode(key).and_then(|position| HistoryRecord::decode(position, record)).map(drop)
        }
        Table::Sessions => {
            session::decode_key(key).and_then(|session| SessionRecord::decode(session, record)).map(drop)
        }
        Table::SessionOutcomes => check_session_outcome(key, record),
    }
}

fn check_session_outcome(key: &[u8], record: &[u8]) -> Result<(), DecodeError> {
    let found = SessionOutcomeRecord::decode(SequenceKey::decode(key)?, record)?;
    Outcome::decode(&Bytes::copy_from_slice(found.outcome)).map(drop)
}

/// Where a change stands in the history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// The revision of the write that made the change.
    pub(crate) revision: u64,
    /// The number of the change inside its write.
    pub(crate) sub_index: u32,
}

impl Position {
    /// The position as a key of the history table: the order of bytes is the order of positions.
    pub(crate) fn encode(self) -> [u8; 12] {
        let mut key = [0; 12];
        key[..8].copy_from_slice(&self.revision.to_be_bytes());
        key[8..].copy_from_slice(&self.sub_index.to_be_bytes());
        key
    }

    pub(crate) fn decode(key: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(key, "history key");
        let position = Self { revision: reader.u64()?, sub_index: reader.u32()? };
        reader.finish()?;
        Ok(position)
    }
}

/// Appends the checksum to a record.
fn seal(table: Table, key: &[u8], record: &mut Vec<u8>) {
    let checksum = checksum(table, key, record);
    record.extend_from_slice(&checksum.to_be_bytes());
}

/// Starts reading a record behind its version, once version and checksum are known to be right.
fn open<'record>(
    table: Table,
    key: &[u8],
    record: &'record [u8],
    what: &'static str,
    version: u8,
) -> Result<Reader<'record>, DecodeError> {
    let (reader, _) = open_versions(table, key, record, what, version..=version)?;
    Ok(reader)
}

/// As [`open`], for a format with several versions that are sealed alike. Gives the one found.
fn open_versions<'record>(
    table: Table,
    key: &[u8],
    record: &'record [u8],
    what: &'static str,
    versions: RangeInclusive<u8>,
) -> Result<(Reader<'record>, u8), DecodeError> {
    // The version comes first: an unknown one may have another checksum.
    let version = Reader::new(record, what).byte()?;
    if !versions.contains(&version) {
        return Err(DecodeError::UnknownVersion { what, version });
    }
    let (body, stored) = record.split_last_chunk().ok_or(DecodeError::Truncated { what })?;
    let stored = u32::from_be_bytes(*stored);
    match checksum(table, key, body) {
        computed if computed == stored || mutant::active(Mutant::ChecksumNotVerified) => {
            Ok((Reader::versioned(body, what, version)?, version))
        }
        computed => Err(DecodeError::Checksum { what, computed, stored }),
    }
}

fn checksum(table: Table, key: &[u8], body: &[u8]) -> u32 {
    let checksum = crc32c::crc32c(&[table.ordinal()]);
    crc32c::crc32c_append(crc32c::crc32c_append(checksum, key), body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_record_under_another_key_or_in_another_table_is_damaged() {
        let mut record = vec![1, 2, 3];
        seal(Table::KeyIndex, b"key", &mut record);
        assert!(open(Table::KeyIndex, b"key", &record, "test", 1).is_ok());
        for (table, key) in [(Table::KeyIndex, "kex"), (Table::History, "key"), (Table::KeyIndex, "ke")] {
            let error = open(table, key.as_bytes(), &record, "test", 1).err();
            assert!(matches!(error, Some(DecodeError::Checksum { .. })), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn positions_sort_as_their_keys(left: (u64, u32), right: (u64, u32)) {
            let position = |(revision, sub_index)| Position { revision, sub_index };
            let (left, right) = (position(left), position(right));
            prop_assert_eq!(left.cmp(&right), left.encode().cmp(&right.encode()));
            prop_assert_eq!(Position::decode(&left.encode()), Ok(left));
        }

        #[test]
        fn checking_any_bytes_never_panics(
            table in prop::sample::select(&Table::ALL[..]),
            key in prop::collection::vec(any::<u8>(), 0..16),
            mut record in prop::collection::vec(any::<u8>(), 0..150),
            sealed: bool,
        ) {
            if sealed {
                // Past the checksum, so that the rest of the decoder is reached.
                record.insert(0, 1);
                seal(table, &key, &mut record);
            }
            // Any verdict will do.
            let _ = check_record(table, &key, &record);
        }
    }
}
