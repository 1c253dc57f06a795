//! Where a range read goes on: `next_cursor` of one answer is `cursor` of the next request.
//!
//! To clients a cursor is an opaque text. It is unpadded base64url of
//!
//! | Bytes | |
//! |---|---|
//! | 1 | version, 1 |
//! | 4 | group, big-endian |
//! | 8 | pinned revision, big-endian |
//! | 8 | hash over the query, big-endian |
//! | 1 to 1,024 | the last key that was given |
//! | 4 | CRC-32C over all of the above, big-endian |
//!
//! The checksum is against accidents only: a forged cursor reads what a query without it could read, too.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

use crate::key::KEY_BYTES_MAX;

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 1 + 4 + 8 + 8;
const CHECKSUM_BYTES: usize = 4;

/// A position in the answer to a query, and the revision that all of the answer shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The Raft group that the revision counts in.
    pub group: u32,
    /// The revision that the answer shows.
    pub revision: u64,
    /// Which query: see [`crate::RangeParameters::query_hash`].
    pub query_hash: u64,
    /// The last key that was given; it goes on behind it, in the query's order.
    pub last_key: Bytes,
}

/// A text that is no cursor of this version, or is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is damaged, or was not made by this version")]
pub struct BadCursor;

impl Cursor {
    /// The cursor as text.
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.last_key.len() + CHECKSUM_BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.group.to_be_bytes());
        bytes.extend_from_slice(&self.revision.to_be_bytes());
        bytes.extend_from_slice(&self.query_hash.to_be_bytes());
        bytes.extend_from_slice(&self.last_key);
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor.
    pub fn decode(text: &str) -> Result<Self, BadCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor)?;
        let (rest, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(BadCursor)?;
        if crc32c::crc32c(rest) != u32::from_be_bytes(*checksum) {
            return Err(BadCursor);
        }
        let (&[version], rest) = rest.split_first_chunk::<1>().ok_or(BadCursor)?;
        let (group, rest) = rest.split_first_chunk::<4>().ok_or(BadCursor)?;
        let (revision, rest) = rest.split_first_chunk::<8>().ok_or(BadCursor)?;
        let (query_hash, last_key) = rest.split_first_chunk::<8>().ok_or(BadCursor)?;
        if version != VERSION || !(1..=KEY_BYTES_MAX).contains(&last_key.len()) {
            return Err(BadCursor);
        }
        Ok(Self {
            group: u32::from_be_bytes(*group),
            revision: u64::from_be_bytes(*revision),
            query_hash: u64::from_be_bytes(*query_hash),
            last_key: Bytes::copy_from_slice(last_key),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example() -> Cursor {
        Cursor { group: 0, revision: 17, query_hash: 0x0123_4567_89ab_cdef, last_key: Bytes::from("key") }
    }

    #[test]
    fn the_format_holds_still() {
        assert_eq!(example().encode(), "AQAAAAAAAAAAAAAAEQEjRWeJq83va2V5agc06g");
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let text = example().encode();
        for position in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[position] = if damaged[position] == b'B' { b'C' } else { b'B' };
            let damaged = String::from_utf8(damaged).expect("is text");
            assert_eq!(Cursor::decode(&damaged), Err(BadCursor), "{damaged}");
            assert_eq!(Cursor::decode(&text[..position]), Err(BadCursor));
        }
        assert_eq!(Cursor::decode(&format!("{text}=")), Err(BadCursor));
        let of_no_key = Cursor { last_key: Bytes::new(), ..example() };
        assert_eq!(Cursor::decode(&of_no_key.encode()), Err(BadCursor));
        let of_too_long_a_key = Cursor { last_key: vec![0; KEY_BYTES_MAX + 1].into(), ..example() };
        assert_eq!(Cursor::decode(&of_too_long_a_key.encode()), Err(BadCursor));
    }

    proptest! {
        #[test]
        fn cursors_come_back(
            group: u32,
            revision: u64,
            query_hash: u64,
            key in prop::collection::vec(any::<u8>(), 1..=KEY_BYTES_MAX),
        ) {
            let cursor = Cursor { group, revision, query_hash, last_key: key.into() };
            prop_assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[A-Za-z0-9_-]{0,60}") {
            prop_assert_eq!(Cursor::decode(&text), Err(BadCursor));
        }
    }
}
