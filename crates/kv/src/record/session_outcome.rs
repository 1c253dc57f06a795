//! What one write of a session did.
//!
//! ```text
//! key    := session:u64  sequence:u64
//! record := version:u8=1  fingerprint:u128  outcome (the rest, as it travels)  checksum:u32
//! ```

use bytes::Bytes;

use super::{CHECKSUM_BYTES, open, seal};
use crate::encoding::{DecodeError, Reader};
use crate::tables::Table;

const VERSION: u8 = 1;
const WHAT: &str = "session outcome record";

/// The outcome of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionOutcomeRecord<'record> {
    /// The hash over what was asked for.
    pub(crate) fingerprint: u128,
    /// The outcome in its encoding.
    pub(crate) outcome: &'record [u8],
}

/// Where the outcome of a write stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SequenceKey {
    pub(crate) session: u64,
    pub(crate) sequence: u64,
}

impl SequenceKey {
    /// As a key of the table: the outcomes of a session stand together, in the order of their sequences.
    pub(crate) fn encode(self) -> [u8; 16] {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&self.session.to_be_bytes());
        key[8..].copy_from_slice(&self.sequence.to_be_bytes());
        key
    }

    pub(crate) fn decode(key: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(key, "session outcome key");
        let key = Self { session: reader.u64()?, sequence: reader.u64()? };
        reader.finish()?;
        Ok(key)
    }
}

impl<'record> SessionOutcomeRecord<'record> {
    /// The record as it stands under `key`.
    pub(crate) fn encode(&self, key: SequenceKey) -> Bytes {
        let mut out = Vec::with_capacity(1 + 16 + self.outcome.len() + CHECKSUM_BYTES);
        out.push(VERSION);
        out.extend_from_slice(&self.fingerprint.to_be_bytes());
        out.extend_from_slice(self.outcome);
        seal(Table::SessionOutcomes, &key.encode(), &mut out);
        Bytes::from(out)
    }

    /// Reads the record that stands under `key`.
    pub(crate) fn decode(key: SequenceKey, record: &'record [u8]) -> Result<Self, DecodeError> {
        let mut reader = open(Table::SessionOutcomes, &key.encode(), record, WHAT, VERSION)?;
        Ok(Self { fingerprint: reader.u128()?, outcome: reader.rest() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::assert_golden;

    const KEY: SequenceKey = SequenceKey { session: 9, sequence: 300 };
    const RECORD: SessionOutcomeRecord<'static> =
        SessionOutcomeRecord { fingerprint: 5, outcome: &[1, 2, 7] };

    #[test]
    fn the_format_of_an_outcome_stays() {
        assert_golden(&KEY.encode(), "0000000000000009 000000000000012c");
        let golden = "01 00000000000000000000000000000005 010207 5f0d8d7c";
        assert_golden(&RECORD.encode(KEY), golden);
        assert_eq!(SessionOutcomeRecord::decode(KEY, &RECORD.encode(KEY)), Ok(RECORD));
        assert_eq!(SequenceKey::decode(&KEY.encode()), Ok(KEY));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let record = RECORD.encode(KEY);
        for bit in 0..record.len() * 8 {
            let mut record = record.to_vec();
            record[bit / 8] ^= 1 << (bit % 8);
            assert!(SessionOutcomeRecord::decode(KEY, &record).is_err(), "bit {bit}");
        }
    }
}
