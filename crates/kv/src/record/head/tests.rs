//! The tests of the head record.

use proptest::prelude::*;

use super::*;
use crate::fixtures::{arbitrary_number, assert_golden};

const HEAD: Head = Head {
    cluster_version: 1,
    revision: 300,
    time_ms: 0x0102_0304_0506_0708,
    key_count: 2,
    live_bytes: 513,
    live: 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff,
    written: 5,
    compacted: 200,
    swept: Position { revision: 199, sub_index: 3 },
    removed: 6,
    stored_bytes: 1024,
    session_count: 4,
    last_session: 9,
    session_cursor: 8,
    sessions: 7,
    settings: Settings::DEFAULT,
    mark: DigestMark { number: 11, revision: 250, digest: 12 },
};

#[test]
fn the_format_of_the_head_stays() {
    let golden = "02 00000001 000000000000012c 0102030405060708 0000000000000002 0000000000000201 \
        00112233445566778899aabbccddeeff 00000000000000000000000000000005 \
        00000000000000c8 00000000000000c7 00000003 00000000000000000000000000000006 0000000000000400 \
        0000000000000004 0000000000000009 0000000000000008 00000000000000000000000000000007 \
        0b 0000000000100000 0000000000000080 00000000000003e8 0000000000002710 0000000005265c00 \
        0000000000000100 000000000036ee80 00000000000f4240 0000000200000000 0000000000000050 \
        0000000000002710 000000000000000b 00000000000000fa 0000000000000000000000000000000c dcc3caf9";
    assert_golden(&HEAD.encode(), golden);
    assert_eq!(Head::decode(&HEAD.encode()), Ok(HEAD));
    assert!(!is_bare(&HEAD.encode()));
}

/// The record in version 1.
pub(crate) fn encode_bare(head: &Head) -> Bytes {
    let mut record = vec![VERSION_BARE];
    record.extend_from_slice(&head.cluster_version.to_be_bytes());
    for number in [head.revision, head.time_ms, head.key_count, head.live_bytes] {
        record.extend_from_slice(&number.to_be_bytes());
    }
    for sum in [head.live, head.written] {
        record.extend_from_slice(&sum.to_be_bytes());
    }
    record.extend_from_slice(&head.settings.get(Setting::ValueBytesMax).to_be_bytes());
    seal(Table::Meta, &KEY, &mut record);
    Bytes::from(record)
}

#[test]
fn the_first_version_is_still_read() {
    let record = encode_bare(&HEAD);
    let golden = "01 00000001 000000000000012c 0102030405060708 0000000000000002 0000000000000201 \
        00112233445566778899aabbccddeeff 00000000000000000000000000000005 0000000000100000 662552f2";
    assert_golden(&record, golden);
    let Head { revision, time_ms, key_count, live_bytes, live, written, .. } = HEAD;
    let expected = Head { revision, time_ms, key_count, live_bytes, live, written, ..Head::EMPTY };
    assert_eq!(Head::decode(&record), Ok(expected));
    assert!(is_bare(&record));
}

#[test]
fn a_newer_version_is_named_as_such() {
    let mut record = HEAD.encode().to_vec();
    record[0] = 3;
    assert_eq!(Head::decode(&record), Err(DecodeError::UnknownVersion { what: WHAT, version: 3 }));
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
fn every_field_but_the_mark_changes_the_digest() {
    let swept = |revision, sub_index| Head { swept: Position { revision, sub_index }, ..HEAD };
    let fields = [
        Head { cluster_version: 2, ..HEAD },
        Head { revision: 301, ..HEAD },
        Head { time_ms: 1, ..HEAD },
        Head { key_count: 3, ..HEAD },
        Head { live_bytes: 514, ..HEAD },
        Head { live: 1, ..HEAD },
        Head { written: 6, ..HEAD },
        Head { compacted: 201, ..HEAD },
        swept(198, 3),
        swept(199, 2),
        Head { removed: 5, ..HEAD },
        Head { stored_bytes: 1025, ..HEAD },
        Head { session_count: 5, ..HEAD },
        Head { last_session: 10, ..HEAD },
        Head { session_cursor: 9, ..HEAD },
        Head { sessions: 8, ..HEAD },
    ];
    let settings = Setting::ALL.map(|setting| Head { settings: HEAD.settings.with(setting, 3), ..HEAD });
    for other in fields.into_iter().chain(settings) {
        assert_ne!(other.digest(), HEAD.digest(), "{other:?}");
    }
    assert_eq!(Head { mark: DigestMark::default(), ..HEAD }.digest(), HEAD.digest());
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
        (live_bytes, live, written, removed, sessions) in any::<(u64, u128, u128, u128, u128)>(),
        (compacted, swept, stored_bytes) in any::<(u64, (u64, u32), u64)>(),
        (session_count, last_session, session_cursor) in any::<(u64, u64, u64)>(),
        (number, mark_revision, digest) in any::<(u64, u64, u128)>(),
        (setting, value) in (prop::sample::select(&Setting::ALL[..]), arbitrary_number()),
    ) {
        let head = Head {
            cluster_version,
            revision,
            time_ms,
            key_count,
            live_bytes,
            live,
            written,
            compacted,
            swept: Position { revision: swept.0, sub_index: swept.1 },
            removed,
            stored_bytes,
            session_count,
            last_session,
            session_cursor,
            sessions,
            settings: Settings::DEFAULT.with(setting, value),
            mark: DigestMark { number, revision: mark_revision, digest },
        };
        prop_assert_eq!(Head::decode(&head.encode()), Ok(head));
    }
}
