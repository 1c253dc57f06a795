//! Values that are read alone, entries of the log and single records in LMDB: a versioned value of
//! [`quorate_consensus::encoding`] with its CRC-32C behind it, because neither a file nor LMDB notices a
//! flipped bit.

use bytes::{BufMut, Bytes, BytesMut};
use quorate_consensus::encoding::{Decode, DecodeError, Encode};

/// The length of the checksum at the end of a record.
pub(crate) const CHECKSUM_BYTES: usize = 4;

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The checksum does not match.
    #[error("its checksum does not match its content")]
    Checksum,
    /// The checksum matches, but the content is not what it should be.
    #[error("it cannot be decoded: {0}")]
    Decode(#[from] DecodeError),
    /// The content does not belong under its key.
    #[error("it does not belong where it is")]
    Misplaced,
}

/// The value as a record.
pub(crate) fn seal(value: &impl Encode) -> Bytes {
    seal_bytes(value.encode())
}

/// Bytes with their checksum behind them.
pub(crate) fn seal_bytes(encoded: Bytes) -> Bytes {
    let checksum = crc32c::crc32c(&encoded);
    let mut record = BytesMut::from(encoded);
    record.put_u32_le(checksum);
    record.freeze()
}

/// The bytes of a record without their checksum, which was checked.
pub(crate) fn open_bytes(record: &[u8]) -> Result<&[u8], RecordError> {
    let (content, checksum) = record.split_last_chunk::<CHECKSUM_BYTES>().ok_or(RecordError::Checksum)?;
    if crc32c::crc32c(content) == u32::from_le_bytes(*checksum) {
        Ok(content)
    } else {
        Err(RecordError::Checksum)
    }
}

/// Reads a record back.
pub(crate) fn unseal<T: Decode>(record: &[u8]) -> Result<T, RecordError> {
    Ok(T::decode(Bytes::copy_from_slice(open_bytes(record)?))?)
}

#[cfg(test)]
pub(crate) mod tests {
    use openraft::EntryPayload;
    use quorate_consensus::{CommittedLeaderId, Entry, LogId, ProposalBytes};

    use super::*;

    /// Compares bytes with hexadecimal digits, in which spaces do not count.
    #[track_caller]
    pub(crate) fn assert_golden(found: &[u8], golden: &str) {
        let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(digits(found), golden.replace(' ', ""));
    }

    #[test]
    fn the_format_of_a_log_record_stays() {
        let log_id = LogId::new(CommittedLeaderId::new(2), 5);
        let payload = EntryPayload::Normal(ProposalBytes(Bytes::from_static(b"proposal")));
        let entry = Entry { log_id, payload };
        let record = seal(&entry);
        assert_golden(&record, "01 0200000000000000 0500000000000000 01 08000000 70726f706f73616c a5580d56");
        assert_eq!(unseal(&record), Ok(entry));
    }

    #[test]
    fn every_changed_byte_of_a_record_is_noticed() {
        let record = seal(&LogId::new(CommittedLeaderId::new(2), 5));
        for position in 0..record.len() {
            let mut changed = record.to_vec();
            changed[position] ^= 1;
            assert_eq!(unseal::<LogId>(&changed), Err(RecordError::Checksum), "{position}");
            assert!(unseal::<LogId>(&record[..position]).is_err(), "{position}");
        }
    }
}
