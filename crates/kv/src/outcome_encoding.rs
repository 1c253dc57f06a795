//! The bytes of outcomes, as they travel between nodes and as sessions keep them.
//!
//! ```text
//! outcome := version:u8=1  body
//! body    := 1 put: revision, create_revision, version
//!          | 2 deleted: revision
//!          | 3 not found: revision
//!          | 4 condition failed, the key exists: current
//!          | 5 condition failed, the key does not exist
//!          | 6 limit exceeded: limit:u8, maximum
//!          | 7 range deleted: revision, deleted, next:option(bytes)
//!          | 8 transaction: revision, succeeded:flag, results
//!          | 9 transaction refused, too deep
//!          | 10 transaction refused, key bytes
//!          | 11 transaction refused, written twice: key:bytes
//!          | 12 compacted: oldest
//!          | 13 future revision: newest
//!          | 14 swept: revision, remaining:flag
//!          | 15 session opened: session, ttl_ms
//!          | 16 session kept: ttl_ms
//!          | 17 session closed
//!          | 18 session unknown
//!          | 19 session expired
//!          | 20 sequence freed: acknowledged_below
//!          | 21 sequence reused
//!          | 22 replayed: body
//!          | 23 settings changed
//!          | 24 setting out of bounds: setting:u8, value
//!          | 25 digest marked: mark, digest:u128
//!          | 26 digest checked: known:flag
//! limit   := 1 key bytes | 2 value bytes | 3 transaction comparisons | 4 transaction operations
//!          | 5 transaction result bytes | 6 transaction scanned keys | 7 transaction deleted keys
//!          | 8 quota | 9 sessions | 10 session time to live | 11 session outcomes
//! ```
//!
//! All fields without a width are varints. Results of transactions are told in their own encoding.

use bytes::Bytes;

use crate::encoding::{DecodeError, Length, Output, Reader, put_bytes, put_flag, put_option, put_varint};
use crate::outcome::{Limit, Outcome};
use crate::result_encoding::{put_results, read_results};
use crate::settings::Setting;
use crate::transaction::InvalidTransaction;

const VERSION: u8 = 1;
const OUTCOME: &str = "outcome";

/// The persisted number of each kind of outcome: never change one, never reuse one.
#[derive(Clone, Copy)]
#[repr(u8)]
enum OutcomeOrdinal {
    Put = 1,
    Deleted = 2,
    NotFound = 3,
    ConditionFailedExists = 4,
    ConditionFailedAbsent = 5,
    LimitExceeded = 6,
    RangeDeleted = 7,
    Transaction = 8,
    TransactionTooDeep = 9,
    TransactionKeyBytes = 10,
    TransactionWrittenTwice = 11,
    Compacted = 12,
    FutureRevision = 13,
    Swept = 14,
    SessionOpened = 15,
    SessionKept = 16,
    SessionClosed = 17,
    SessionUnknown = 18,
    SessionExpired = 19,
    SequenceFreed = 20,
    SequenceReused = 21,
    Replayed = 22,
    SettingsChanged = 23,
    SettingOutOfBounds = 24,
    DigestMarked = 25,
    DigestChecked = 26,
}

/// Every limit at the place of its persisted number, from 1: never change one, never reuse one.
const LIMITS: [Limit; 11] = [
    Limit::KeyBytes,
    Limit::ValueBytes,
    Limit::TransactionComparisons,
    Limit::TransactionOperations,
    Limit::TransactionResultBytes,
    Limit::TransactionScannedKeys,
    Limit::TransactionDeletedKeys,
    Limit::Quota,
    Limit::Sessions,
    Limit::SessionTtl,
    Limit::SessionOutcomes,
];

impl Outcome {
    /// The outcome in bytes. One allocation.
    pub fn encode(&self) -> Bytes {
        let mut length = Length::default();
        put_body(&mut length, self);
        let mut out = Vec::with_capacity(1 + length.0);
        out.push(VERSION);
        put_body(&mut out, self);
        Bytes::from(out)
    }

    /// Reads an outcome. Keys and values are slices of `input` and keep all of it in memory.
    pub fn decode(input: &Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(input, OUTCOME, VERSION)?;
        let outcome = match reader.byte()? {
            ordinal if ordinal == OutcomeOrdinal::Replayed as u8 => {
                let ordinal = reader.byte()?;
                Outcome::Replayed(Box::new(read_plain(input, &mut reader, ordinal)?))
            }
            ordinal => read_plain(input, &mut reader, ordinal)?,
        };
        reader.finish()?;
        Ok(outcome)
    }
}

fn put_body(out: &mut impl Output, outcome: &Outcome) {
    use OutcomeOrdinal as Kind;
    match outcome {
        Outcome::Put { revision, create_revision, version } => {
            put(out, Kind::Put, &[*revision, *create_revision, *version]);
        }
        Outcome::Deleted { revision } => put(out, Kind::Deleted, &[*revision]),
        Outcome::NotFound { revision } => put(out, Kind::NotFound, &[*revision]),
        Outcome::ConditionFailed { current: Some(current) } => {
            put(out, Kind::ConditionFailedExists, &[*current]);
        }
        Outcome::ConditionFailed { current: None } => put(out, Kind::ConditionFailedAbsent, &[]),
        Outcome::LimitExceeded { limit, maximum } => {
            out.put_slice(&[Kind::LimitExceeded as u8, limit_ordinal(*limit)]);
            put_varint(out, *maximum);
        }
        Outcome::RangeDeleted { revision, deleted, next } => {
            put(out, Kind::RangeDeleted, &[*revision, *deleted]);
            put_option(out, next.as_ref(), |out, next| put_bytes(out, next));
        }
        Outcome::Transaction { revision, succeeded, results } => {
            put(out, Kind::Transaction, &[*revision]);
            put_flag(out, *succeeded);
            put_results(out, results);
        }
        Outcome::TransactionRefused(invalid) => put_invalid(out, invalid),
        Outcome::Compacted { oldest } => put(out, Kind::Compacted, &[*oldest]),
        Outcome::FutureRevision { newest } => put(out, Kind::FutureRevision, &[*newest]),
        Outcome::Swept { revision, remaining } => {
            put(out, Kind::Swept, &[*revision]);
            put_flag(out, *remaining);
        }
        Outcome::SessionOpened { session, ttl_ms } => put(out, Kind::SessionOpened, &[*session, *ttl_ms]),
        Outcome::SessionKept { ttl_ms } => put(out, Kind::SessionKept, &[*ttl_ms]),
        Outcome::SessionClosed => put(out, Kind::SessionClosed, &[]),
        Outcome::SessionUnknown => put(out, Kind::SessionUnknown, &[]),
        Outcome::SessionExpired => put(out, Kind::SessionExpired, &[]),
        Outcome::SequenceFreed { acknowledged_below } => {
            put(out, Kind::SequenceFreed, &[*acknowledged_below]);
        }
        Outcome::SequenceReused => put(out, Kind::SequenceReused, &[]),
        Outcome::Replayed(outcome) => {
            assert!(!matches!(**outcome, Outcome::Replayed(_)), "what is kept was done the first time");
            put(out, Kind::Replayed, &[]);
            put_body(out, outcome);
        }
        Outcome::SettingsChanged => put(out, Kind::SettingsChanged, &[]),
        Outcome::SettingOutOfBounds { setting, value } => {
            out.put_slice(&[Kind::SettingOutOfBounds as u8, setting.ordinal()]);
            put_varint(out, *value);
        }
        Outcome::DigestMarked { mark, digest } => {
            put(out, Kind::DigestMarked, &[*mark]);
            out.put_slice(&digest.to_be_bytes());
        }
        Outcome::DigestChecked { known } => {
            put(out, Kind::DigestChecked, &[]);
            put_flag(out, *known);
        }
    }
}

fn put(out: &mut impl Output, kind: OutcomeOrdinal, numbers: &[u64]) {
    out.put_byte(kind as u8);
    numbers.iter().for_each(|number| put_varint(out, *number));
}

fn put_invalid(out: &mut impl Output, invalid: &InvalidTransaction) {
    match invalid {
        InvalidTransaction::TooDeep => put(out, OutcomeOrdinal::TransactionTooDeep, &[]),
        InvalidTransaction::KeyBytes => put(out, OutcomeOrdinal::TransactionKeyBytes, &[]),
        InvalidTransaction::WrittenTwice { key } => {
            put(out, OutcomeOrdinal::TransactionWrittenTwice, &[]);
            put_bytes(out, key);
        }
    }
}

/// Reads what follows the kind of an outcome that has no other one in it.
fn read_plain(input: &Bytes, reader: &mut Reader<'_>, ordinal: u8) -> Result<Outcome, DecodeError> {
    Ok(match ordinal {
        1 => Outcome::Put {
            revision: reader.varint()?,
            create_revision: reader.varint()?,
            version: reader.varint()?,
        },
        2 => Outcome::Deleted { revision: reader.varint()? },
        3 => Outcome::NotFound { revision: reader.varint()? },
        4 => Outcome::ConditionFailed { current: Some(reader.varint()?) },
        5 => Outcome::ConditionFailed { current: None },
        6 => Outcome::LimitExceeded { limit: read_limit(reader)?, maximum: reader.varint()? },
        7 => Outcome::RangeDeleted {
            revision: reader.varint()?,
            deleted: reader.varint()?,
            next: reader.option(|reader| Ok(input.slice_ref(reader.bytes()?)))?,
        },
        8 => Outcome::Transaction {
            revision: reader.varint()?,
            succeeded: reader.flag()?,
            results: read_results(input, reader)?,
        },
        9 => Outcome::TransactionRefused(InvalidTransaction::TooDeep),
        10 => Outcome::TransactionRefused(InvalidTransaction::KeyBytes),
        11 => {
            let key = input.slice_ref(reader.bytes()?);
            Outcome::TransactionRefused(InvalidTransaction::WrittenTwice { key })
        }
        12 => Outcome::Compacted { oldest: reader.varint()? },
        13 => Outcome::FutureRevision { newest: reader.varint()? },
        14 => Outcome::Swept { revision: reader.varint()?, remaining: reader.flag()? },
        _ => return read_session_or_setting(reader, ordinal),
    })
}

fn read_session_or_setting(reader: &mut Reader<'_>, ordinal: u8) -> Result<Outcome, DecodeError> {
    Ok(match ordinal {
        15 => Outcome::SessionOpened { session: reader.varint()?, ttl_ms: reader.varint()? },
        16 => Outcome::SessionKept { ttl_ms: reader.varint()? },
        17 => Outcome::SessionClosed,
        18 => Outcome::SessionUnknown,
        19 => Outcome::SessionExpired,
        20 => Outcome::SequenceFreed { acknowledged_below: reader.varint()? },
        21 => Outcome::SequenceReused,
        23 => Outcome::SettingsChanged,
        24 => Outcome::SettingOutOfBounds { setting: read_setting(reader)?, value: reader.varint()? },
        25 => Outcome::DigestMarked { mark: reader.varint()?, digest: reader.u128()? },
        26 => Outcome::DigestChecked { known: reader.flag()? },
        ordinal => return Err(reader.unknown("outcome kind", ordinal)),
    })
}

fn limit_ordinal(limit: Limit) -> u8 {
    let place = LIMITS.iter().position(|it| *it == limit).expect("every limit is in the list of all");
    place as u8 + 1
}

fn read_limit(reader: &mut Reader<'_>) -> Result<Limit, DecodeError> {
    let ordinal = reader.byte()?;
    let limit = usize::from(ordinal).checked_sub(1).and_then(|place| LIMITS.get(place));
    limit.copied().ok_or_else(|| reader.unknown("limit", ordinal))
}

fn read_setting(reader: &mut Reader<'_>) -> Result<Setting, DecodeError> {
    let ordinal = reader.byte()?;
    Setting::from_ordinal(ordinal).ok_or_else(|| reader.unknown("setting", ordinal))
}

#[cfg(test)]
mod tests;
