//! Items of ranges as JSON, written by hand: a range has many, and each goes through here.
//!
//! The bytes are those that [`quorate_api::Item`] has when serde writes it, which a test holds. What is quicker
//! is that most texts have nothing to escape, and that nothing is allocated or formatted on the way.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quorate_kv::KeyEntry;

/// The bytes of an item besides key and value, at most: names, quotes, and three numbers of 64 bits.
const FRAME_BYTES_MAX: usize = 160;

/// Makes room for the items, if none of them has to be escaped.
pub(crate) fn reserve(json: &mut Vec<u8>, entries: &[KeyEntry]) {
    let bytes = |entry: &KeyEntry| {
        entry.key.len() + entry.value.as_ref().map_or(0, bytes::Bytes::len) + FRAME_BYTES_MAX
    };
    json.reserve(entries.iter().map(bytes).sum());
}

/// Writes an item.
pub(crate) fn write(json: &mut Vec<u8>, entry: &KeyEntry) {
    json.push(b'{');
    write_bytes(json, "key", &entry.key);
    if let Some(value) = &entry.value {
        json.push(b',');
        write_bytes(json, "value", value);
    }
    write_number(json, ",\"create_revision\":\"", entry.create_revision);
    write_number(json, "\",\"mod_revision\":\"", entry.mod_revision);
    write_number(json, "\",\"version\":\"", entry.version);
    json.extend_from_slice(b"\"}");
}

fn write_number(json: &mut Vec<u8>, name: &str, number: u64) {
    json.extend_from_slice(name.as_bytes());
    json.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Writes bytes under their name, as text if they are text.
fn write_bytes(json: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    json.push(b'"');
    json.extend_from_slice(name.as_bytes());
    match std::str::from_utf8(bytes) {
        Ok(_) if stands_for_itself(bytes) => {
            json.extend_from_slice(b"\":\"");
            json.extend_from_slice(bytes);
            json.push(b'"');
        }
        Ok(text) => {
            json.extend_from_slice(b"\":");
            serde_json::to_writer(json, text).expect("text can be written as JSON");
        }
        Err(_) => {
            json.extend_from_slice(b"_base64\":\"");
            json.extend_from_slice(STANDARD.encode(bytes).as_bytes());
            json.push(b'"');
        }
    }
}

/// Whether text has nothing that JSON escapes. Without an early end it is done for many bytes at once.
fn stands_for_itself(text: &[u8]) -> bool {
    !text.iter().fold(false, |found, byte| found | (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\'))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use quorate_api::Item;

    use super::*;

    fn bytes() -> impl Strategy<Value = Bytes> {
        prop_oneof![
            any::<Vec<u8>>().prop_map(Bytes::from),
            any::<String>().prop_map(Bytes::from),
            "[a-z/\"\\\\\x00-\x20\x7f]{0,40}".prop_map(Bytes::from),
        ]
    }

    proptest! {
        #[test]
        fn an_item_has_the_bytes_that_serde_gives_it(
            key in bytes(),
            value in proptest::option::of(bytes()),
            (create_revision, mod_revision, version) in any::<(u64, u64, u64)>(),
        ) {
            let entry = KeyEntry { key, value, create_revision, mod_revision, version };
            let mut json = Vec::new();
            write(&mut json, &entry);
            let expected = serde_json::to_string(&Item::from(entry)).expect("wire types can be written as JSON");
            prop_assert_eq!(String::from_utf8(json).expect("JSON is text"), expected);
        }
    }

    #[test]
    fn room_is_made_for_the_longest_numbers() {
        let numbers = u64::MAX;
        let entry = KeyEntry {
            key: Bytes::from("key"),
            value: Some(Bytes::from("value")),
            create_revision: numbers,
            mod_revision: numbers,
            version: numbers,
        };
        let mut json = Vec::new();
        reserve(&mut json, std::slice::from_ref(&entry));
        let room = json.capacity();
        write(&mut json, &entry);
        assert!(json.len() <= room && json.capacity() == room, "{} of {room} bytes", json.len());
    }
}
