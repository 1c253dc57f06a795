//! Keys in paths.
//!
//! A key is any sequence of 1 to [`KEY_BYTES_MAX`] bytes. In a request it is everything of the raw path
//! behind `/v1/kv/`, percent-decoded once: every `%` and two hexadecimal digits stand for a byte, every
//! other byte for itself. So a slash in a key may be written as `/` or as `%2F`, and `/v1/kv/a/b` and
//! `/v1/kv/a%2Fb` are the same key, while `+` is a plus, and `//` and `/../` are bytes like others. A `%`
//! without two digits is refused: it is more likely a mistake than a key.
//!
//! The path, and so the key, ends where HTTP ends it: at a raw `?`, behind which the query stands, and at
//! a raw `#`, behind which nothing counts. In a key both must be escaped, as `%3F` and `%23`, and so must
//! whatever has no place in a request line, such as a space. [`encode_key`] does all of that.

/// The longest key, in bytes, after decoding.
pub const KEY_BYTES_MAX: usize = quorate_kv::Command::KEY_BYTES_MAX;

/// A `%` that is not followed by two hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the percent sign at byte {position} of the encoded key is not followed by two hexadecimal digits")]
pub struct BadEscape {
    /// Where it stands in the encoded key, counted from 0.
    pub position: usize,
}

/// Decodes what stands behind `/v1/kv/` in a raw path.
pub fn decode_key(encoded: &[u8]) -> Result<Vec<u8>, BadEscape> {
    let mut key = Vec::with_capacity(encoded.len());
    let mut position = 0;
    while let Some(&byte) = encoded.get(position) {
        if byte != b'%' {
            key.push(byte);
            position += 1;
            continue;
        }
        let digit = |offset: usize| encoded.get(position + offset).copied().and_then(hexadecimal_value);
        let (Some(high), Some(low)) = (digit(1), digit(2)) else {
            return Err(BadEscape { position });
        };
        key.push(high << 4 | low);
        position += 3;
    }
    Ok(key)
}

/// Encodes a key so that [`decode_key`] gives it back. Letters, digits and `-._~` stay; slashes too, so
/// that paths can be read, unless something on the way might tidy the path (`//`, `/./`, `/../`) and
/// thereby change the key.
pub fn encode_key(key: &[u8]) -> String {
    let slashes_are_safe =
        key.split(|byte| *byte == b'/').all(|segment| !matches!(segment, b"" | b"." | b".."));
    let mut encoded = String::with_capacity(key.len() + key.len() / 4);
    for &byte in key {
        let stays = matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~')
            || (byte == b'/' && slashes_are_safe);
        if stays {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEXADECIMAL_DIGITS[usize::from(byte >> 4)]));
            encoded.push(char::from(HEXADECIMAL_DIGITS[usize::from(byte & 15)]));
        }
    }
    encoded
}

const HEXADECIMAL_DIGITS: &[u8; 16] = b"0123456789ABCDEF";

fn hexadecimal_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(key: &[u8], encoded: &str) {
        assert_eq!(encode_key(key), encoded);
        assert_eq!(decode_key(encoded.as_bytes()), Ok(key.to_vec()));
    }

    #[test]
    fn readable_keys_stay_readable() {
        check(b"users/42/name", "users/42/name");
        check(b"a b+c%d", "a%20b%2Bc%25d");
        check("grüße".as_bytes(), "gr%C3%BC%C3%9Fe");
        check(b"\0\xff", "%00%FF");
        check(b"a?b#c", "a%3Fb%23c");
    }

    #[test]
    fn slashes_that_could_be_tidied_away_are_encoded() {
        check(b"/a", "%2Fa");
        check(b"a/", "a%2F");
        check(b"a//b", "a%2F%2Fb");
        check(b"a/../b", "a%2F..%2Fb");
        check(b"./a", ".%2Fa");
    }

    #[test]
    fn a_slash_may_come_raw_or_encoded_and_digits_in_either_case() {
        assert_eq!(decode_key(b"a%2Fb"), decode_key(b"a/b"));
        assert_eq!(decode_key(b"a%2fb"), decode_key(b"a/b"));
        assert_eq!(decode_key(b"//../+"), Ok(b"//../+".to_vec()));
    }

    #[test]
    fn a_broken_escape_is_refused_with_its_position() {
        for (encoded, position) in [("%", 0), ("a%2", 1), ("ab%zz", 2), ("%41%4", 3), ("%+1", 0)] {
            assert_eq!(decode_key(encoded.as_bytes()), Err(BadEscape { position }), "{encoded}");
        }
    }

    proptest! {
        #[test]
        fn every_key_comes_back(key in prop::collection::vec(any::<u8>(), 0..200)) {
            let encoded = encode_key(&key);
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert_eq!(decode_key(encoded.as_bytes()), Ok(key));
        }

        #[test]
        fn anything_decodes_or_is_refused(encoded in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(key) = decode_key(&encoded) {
                prop_assert!(key.len() <= encoded.len());
            }
        }
    }
}
