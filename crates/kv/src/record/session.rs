//! What is known of a session.
//!
//! ```text
//! key    := session:u64
//! record := version:u8=1  ttl_ms  last_active_ms  acknowledged_below  outcome_count  checksum:u32
//! ```
//!
//! All numbers without a width are varints.

use bytes::Bytes;

use super::{CHECKSUM_BYTES, open, seal};
use crate::encoding::{DecodeError, Reader, put_varint};
use crate::tables::Table;

const VERSION: u8 = 1;
const WHAT: &str = "session record";

/// Version, four numbers, checksum.
const RECORD_BYTES_MAX: usize = 1 + 4 * 10 + CHECKSUM_BYTES;

/// A session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionRecord {
    /// After how long without a sign of life it expires.
    pub(crate) ttl_ms: u64,
    /// The state's time at its last sign of life.
    pub(crate) last_active_ms: u64,
    /// The watermark: outcomes of sequences below it are forgotten.
    pub(crate) acknowledged_below: u64,
    /// How many outcomes are kept for it.
    pub(crate) outcome_count: u64,
}

impl SessionRecord {
    /// Whether it has expired at a time of the state.
    pub(crate) fn is_expired(&self, time_ms: u64) -> bool {
        self.last_active_ms.saturating_add(self.ttl_ms) < time_ms
    }

    /// The record as it stands under the session's [`key`].
    pub(crate) fn encode(&self, session: u64) -> Bytes {
        let mut out = Vec::with_capacity(RECORD_BYTES_MAX);
        out.push(VERSION);
        for number in [self.ttl_ms, self.last_active_ms, self.acknowledged_below, self.outcome_count] {
            put_varint(&mut out, number);
        }
        seal(Table::Sessions, &key(session), &mut out);
        Bytes::from(out)
    }

    /// Reads the record of a session.
    pub(crate) fn decode(session: u64, record: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = open(Table::Sessions, &key(session), record, WHAT, VERSION)?;
        let record = Self {
            ttl_ms: reader.varint()?,
            last_active_ms: reader.varint()?,
            acknowledged_below: reader.varint()?,
            outcome_count: reader.varint()?,
        };
        reader.finish()?;
        Ok(record)
    }
}

/// The key of a session.
pub(crate) fn key(session: u64) -> [u8; 8] {
    session.to_be_bytes()
}

/// The session of a key.
pub(crate) fn decode_key(key: &[u8]) -> Result<u64, DecodeError> {
    let mut reader = Reader::new(key, "session key");
    let session = reader.u64()?;
    reader.finish()?;
    Ok(session)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{arbitrary_number, assert_golden};

    const SESSION: SessionRecord =
        SessionRecord { ttl_ms: 60_000, last_active_ms: 300, acknowledged_below: 7, outcome_count: 2 };

    #[test]
    fn the_format_of_a_session_stays() {
        assert_golden(&key(9), "0000000000000009");
        assert_golden(&SESSION.encode(9), "01 e0d403 ac02 07 02 e37d4831");
    }

    #[test]
    fn a_session_expires_when_its_time_is_over_and_not_before() {
        assert!(!SESSION.is_expired(60_300));
        assert!(SESSION.is_expired(60_301));
        assert!(!SessionRecord { last_active_ms: u64::MAX, ..SESSION }.is_expired(u64::MAX));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let record = SESSION.encode(9);
        for bit in 0..record.len() * 8 {
            let mut record = record.to_vec();
            record[bit / 8] ^= 1 << (bit % 8);
            assert!(SessionRecord::decode(9, &record).is_err(), "bit {bit}");
        }
        assert!(SessionRecord::decode(8, &record).is_err(), "it is of another session");
    }

    proptest! {
        #[test]
        fn records_round_trip(
            session: u64,
            (ttl_ms, last_active_ms) in (arbitrary_number(), arbitrary_number()),
            (acknowledged_below, outcome_count) in (arbitrary_number(), arbitrary_number()),
        ) {
            let record = SessionRecord { ttl_ms, last_active_ms, acknowledged_below, outcome_count };
            prop_assert_eq!(SessionRecord::decode(session, &record.encode(session)), Ok(record));
            prop_assert_eq!(decode_key(&key(session)), Ok(session));
        }
    }
}
