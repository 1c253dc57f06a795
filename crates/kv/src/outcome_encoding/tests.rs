//! The tests of the encoding of outcomes.

use proptest::prelude::*;

use super::*;
use crate::fixtures::{arbitrary_outcome, assert_golden};
use crate::outcome::OperationResult;
use crate::query::{KeyEntry, KeyValue, RangePage};

#[test]
fn the_format_of_an_outcome_stays() {
    let check = |outcome: Outcome, golden: &str| {
        assert_golden(&outcome.encode(), golden);
        assert_eq!(Outcome::decode(&outcome.encode()), Ok(outcome));
    };
    check(Outcome::Put { revision: 300, create_revision: 7, version: 2 }, "01 01 ac02 07 02");
    check(Outcome::Deleted { revision: 300 }, "01 02 ac02");
    check(Outcome::NotFound { revision: 0 }, "01 03 00");
    check(Outcome::ConditionFailed { current: Some(5) }, "01 04 05");
    check(Outcome::ConditionFailed { current: None }, "01 05");
    check(Outcome::LimitExceeded { limit: Limit::KeyBytes, maximum: 1024 }, "01 06 01 8008");
    check(Outcome::LimitExceeded { limit: Limit::ValueBytes, maximum: 1 << 20 }, "01 06 02 808040");
}

#[test]
fn the_formats_of_the_other_outcomes_stay() {
    let check = |outcome: Outcome, golden: &str| {
        assert_golden(&outcome.encode(), golden);
        assert_eq!(Outcome::decode(&outcome.encode()), Ok(outcome));
    };
    let next = Some(Bytes::from("key"));
    check(Outcome::RangeDeleted { revision: 300, deleted: 2, next }, "01 07 ac02 02 01 036b6579");
    check(Outcome::RangeDeleted { revision: 300, deleted: 0, next: None }, "01 07 ac02 00 00");
    check(Outcome::Transaction { revision: 300, succeeded: true, results: vec![] }, "01 08 ac02 01 00");
    check(Outcome::TransactionRefused(InvalidTransaction::TooDeep), "01 09");
    check(Outcome::TransactionRefused(InvalidTransaction::KeyBytes), "01 0a");
    let invalid = InvalidTransaction::WrittenTwice { key: Bytes::from("key") };
    check(Outcome::TransactionRefused(invalid), "01 0b 036b6579");
    check(Outcome::Compacted { oldest: 300 }, "01 0c ac02");
    check(Outcome::FutureRevision { newest: 300 }, "01 0d ac02");
    check(Outcome::Swept { revision: 300, remaining: true }, "01 0e ac02 01");
    check(Outcome::SessionOpened { session: 9, ttl_ms: 300 }, "01 0f 09 ac02");
    check(Outcome::SessionKept { ttl_ms: 300 }, "01 10 ac02");
    check(Outcome::SessionClosed, "01 11");
    check(Outcome::SessionUnknown, "01 12");
    check(Outcome::SessionExpired, "01 13");
    check(Outcome::SequenceFreed { acknowledged_below: 300 }, "01 14 ac02");
    check(Outcome::SequenceReused, "01 15");
    check(Outcome::Replayed(Box::new(Outcome::Deleted { revision: 300 })), "01 16 02 ac02");
    check(Outcome::SettingsChanged, "01 17");
    check(Outcome::SettingOutOfBounds { setting: Setting::QuotaBytes, value: 300 }, "01 18 09 ac02");
    let digest = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
    check(Outcome::DigestMarked { mark: 300, digest }, "01 19 ac02 00112233445566778899aabbccddeeff");
    check(Outcome::DigestChecked { known: false }, "01 1a 00");
    for (place, limit) in LIMITS.into_iter().enumerate() {
        let golden = format!("01 06 {:02x} 05", place + 1);
        check(Outcome::LimitExceeded { limit, maximum: 5 }, &golden);
    }
}

#[test]
fn the_formats_of_results_stay() {
    let key_value = KeyValue { value: Bytes::from("v"), create_revision: 3, mod_revision: 300, version: 2 };
    let entry = |value| KeyEntry {
        key: Bytes::from("key"),
        value,
        create_revision: 3,
        mod_revision: 300,
        version: 2,
    };
    let page = RangePage {
        revision: 300,
        entries: vec![entry(None), entry(Some(Bytes::from("v")))],
        count: 2,
        next: Some(Bytes::from("key")),
    };
    let nested = vec![OperationResult::Delete { deleted: true }];
    let results = vec![
        OperationResult::Put { create_revision: 300, version: 1 },
        OperationResult::Delete { deleted: false },
        OperationResult::DeleteRange { deleted: 300 },
        OperationResult::Get(None),
        OperationResult::Get(Some(key_value)),
        OperationResult::Range(page),
        OperationResult::Range(RangePage::default()),
        OperationResult::Transaction { succeeded: true, results: nested },
    ];
    let golden = "01 08 ac02 00 08 \
        01 ac02 01 \
        02 00 \
        03 ac02 \
        04 00 \
        04 01 0176 03 ac02 02 \
        05 ac02 02 01 036b6579 02 036b6579 00 03 ac02 02 036b6579 01 0176 03 ac02 02 \
        05 00 00 00 00 \
        06 01 01 02 01";
    let outcome = Outcome::Transaction { revision: 300, succeeded: false, results };
    assert_golden(&outcome.encode(), golden);
    assert_eq!(Outcome::decode(&outcome.encode()), Ok(outcome));
}

#[test]
fn what_is_unknown_is_refused_by_its_name() {
    let check = |input: &'static [u8], expected| {
        assert_eq!(Outcome::decode(&Bytes::from_static(input)), Err(expected));
    };
    check(&[0, 5], DecodeError::UnknownVersion { what: OUTCOME, version: 0 });
    check(&[1, 27], DecodeError::UnknownOrdinal { what: OUTCOME, field: "outcome kind", ordinal: 27 });
    check(&[1, 0], DecodeError::UnknownOrdinal { what: OUTCOME, field: "outcome kind", ordinal: 0 });
    check(&[1, 22, 22], DecodeError::UnknownOrdinal { what: OUTCOME, field: "outcome kind", ordinal: 22 });
    for ordinal in [0, 12] {
        let input = Bytes::copy_from_slice(&[1, 6, ordinal, 1]);
        let expected = DecodeError::UnknownOrdinal { what: OUTCOME, field: "limit", ordinal };
        assert_eq!(Outcome::decode(&input), Err(expected));
    }
    check(&[1, 24, 12], DecodeError::UnknownOrdinal { what: OUTCOME, field: "setting", ordinal: 12 });
    check(&[1, 8, 1, 2, 0], DecodeError::Number { what: OUTCOME });
    check(&[1, 8, 1, 1, 1, 6, 1, 1, 6, 1, 0], DecodeError::Nesting { what: OUTCOME });
    check(&[1, 5, 0], DecodeError::Trailing { what: OUTCOME, bytes: 1 });
    check(&[1, 2], DecodeError::Truncated { what: OUTCOME });
}

proptest! {
    #[test]
    fn outcomes_round_trip(outcome in arbitrary_outcome()) {
        let input = outcome.encode();
        prop_assert_eq!(Outcome::decode(&input), Ok(outcome));
    }

    #[test]
    fn any_bytes_are_refused_or_are_the_only_encoding(
        kind in 0..28u8,
        tail in prop::collection::vec(any::<u8>(), 0..34),
    ) {
        let input: Bytes = [VERSION, kind].into_iter().chain(tail).collect();
        if let Ok(outcome) = Outcome::decode(&input) {
            prop_assert_eq!(outcome.encode(), input);
        }
    }
}
