//! The one record that changes with every proposal.
//!
//! ```text
//! record := version:u8=1  cluster_version:u32  revision:u64  time_ms:u64  key_count:u64  live_bytes:u64
//!           live:u128  written:u128  value_bytes_max:u64  checksum:u32
//! ```

use bytes::Bytes;

use super::{CHECKSUM_BYTES, open, seal};
use crate::digest;
use crate::encoding::{DecodeError, Reader};
use crate::tables::Table;

const VERSION: u8 = 1;
const WHAT: &str = "head record";
const RECORD_BYTES: usize = 1 + 4 + 4 * 8 + 2 * 16 + 8 + CHECKSUM_BYTES;

/// The key of the head in the meta table.
pub(crate) const KEY: [u8; 1] = [1];

/// Everything about the state that is not a record of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Which commands and formats the cluster may use.
    pub(crate) cluster_version: u32,
    /// The newest revision.
    pub(crate) revision: u64,
    /// The state's time, in milliseconds since the Unix epoch.
    pub(crate) time_ms: u64,
    /// Keys that exist now.
    pub(crate) key_count: u64,
    /// Bytes of the keys and values that exist now.
    pub(crate) live_bytes: u64,
    /// The sum of the elements of all keys that exist now.
    pub(crate) live: u128,
    /// The sum of the elements of all changes ever made. Nothing is ever subtracted, compaction does not
    /// touch it.
    pub(crate) written: u128,
    /// The replicated settings.
    pub(crate) settings: Settings,
}

/// Limits that decide outcomes, and therefore are state and not configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The longest value, in bytes.
    pub(crate) value_bytes_max: u64,
}

impl Head {
    /// The newest cluster version that this build understands, and the one that a new cluster starts with.
    pub(crate) const CLUSTER_VERSION: u32 = 1;

    /// The head of a store in which nothing ever happened.
    pub(crate) const EMPTY: Head = Head {
        cluster_version: Self::CLUSTER_VERSION,
        revision: 0,
        time_ms: 0,
        key_count: 0,
        live_bytes: 0,
        live: 0,
        written: 0,
        settings: Settings { value_bytes_max: 1 << 20 },
    };

    /// The record as it stands under [`KEY`].
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(RECORD_BYTES);
        out.push(VERSION);
        self.put_fields(&mut out);
        seal(Table::Meta, &KEY, &mut out);
        debug_assert_eq!(out.len(), RECORD_BYTES, "all fields have a fixed width");
        Bytes::from(out)
    }

    /// Reads the record that stands under [`KEY`].
    pub(crate) fn decode(record: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = open(Table::Meta, &KEY, record, WHAT, VERSION)?;
        let head = Self {
            cluster_version: reader.u32()?,
            revision: reader.u64()?,
            time_ms: reader.u64()?,
            key_count: reader.u64()?,
            live_bytes: reader.u64()?,
            live: reader.u128()?,
            written: reader.u128()?,
            settings: Settings { value_bytes_max: reader.u64()? },
        };
        reader.finish()?;
        Ok(head)
    }

    /// The digest over all replicated state.
    pub(crate) fn digest(&self) -> u128 {
        let mut fields = Vec::with_capacity(RECORD_BYTES);
        self.put_fields(&mut fields);
        digest::head(&fields)
    }

    fn put_fields(&self, out: &mut Vec<u8>) {
        // Taken apart, so that a new field cannot be forgotten here.
        let Self { cluster_version, revision, time_ms, key_count, live_bytes, live, written, settings } =
            self;
        let Settings { value_bytes_max } = settings;
        out.extend_from_slice(&cluster_version.to_be_bytes());
        for number in [revision, time_ms, key_count, live_bytes] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        for sum in [live, written] {
            out.extend_from_slice(&sum.to_be_bytes());
        }
        out.extend_from_slice(&value_bytes_max.to_be_bytes());
    }
}

/// Refuses keys of the meta table that this build does not know.
pub(crate) fn check_key(key: &[u8]) -> Result<(), DecodeError> {
    let mut reader = Reader::new(key, "meta key");
    match reader.byte()? {
        kind if kind == KEY[0] => reader.finish(),
        kind => Err(reader.unknown("kind", kind)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::assert_golden;

    const HEAD: Head = Head {
        cluster_version: 1,
        revision: 300,
        time_ms: 0x0102_0304_0506_0708,
        key_count: 2,
        live_bytes: 513,
        live: 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff,
        written: 5,
        settings: Settings { value_bytes_max: 1 << 20 },
    };

    #[test]
    fn the_format_of_the_head_stays() {
        let golden = "01 00000001 000000000000012c 0102030405060708 0000000000000002 0000000000000201 \
            00112233445566778899aabbccddeeff 00000000000000000000000000000005 0000000000100000 662552f2";
        assert_golden(&HEAD.encode(), golden);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let record = HEAD.encode();
        for bit in 0..record.len() * 8 {
            let mut record = record.to_vec();
            record[bit / 8] ^= 1 << (bit % 8);
            assert!(Head::decode(&record).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_field_changes_the_digest() {
        let others = [
            Head { cluster_version: 2, ..HEAD },
            Head { revision: 301, ..HEAD },
            Head { time_ms: 1, ..HEAD },
            Head { key_count: 3, ..HEAD },
            Head { live_bytes: 514, ..HEAD },
            Head { live: 1, ..HEAD },
            Head { written: 6, ..HEAD },
            Head { settings: Settings { value_bytes_max: 1 }, ..HEAD },
        ];
        for other in others {
            assert_ne!(other.digest(), HEAD.digest(), "{other:?}");
        }
    }

    #[test]
    fn an_unknown_kind_of_meta_record_is_refused() {
        assert_eq!(check_key(&KEY), Ok(()));
        assert!(check_key(&[2]).is_err());
        assert!(check_key(&[1, 1]).is_err());
        assert!(check_key(&[]).is_err());
    }

    proptest! {
        #[test]
        fn heads_round_trip(
            (cluster_version, revision, time_ms, key_count) in any::<(u32, u64, u64, u64)>(),
            (live_bytes, live, written, value_bytes_max) in any::<(u64, u128, u128, u64)>(),
        ) {
            let settings = Settings { value_bytes_max };
            let head =
                Head { cluster_version, revision, time_ms, key_count, live_bytes, live, written, settings };
            prop_assert_eq!(Head::decode(&head.encode()), Ok(head));
        }
    }
}
