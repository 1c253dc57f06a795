//! What the tests of this crate share: golden bytes and arbitrary values.

use bytes::Bytes;
use proptest::prelude::*;

use crate::command::{Command, Condition, Limit, Outcome};

/// Compares bytes with their fixture: hexadecimal digits, spaces only for the reader.
#[track_caller]
pub(crate) fn assert_golden(found: &[u8], golden: &str) {
    let digits: String = golden.split_whitespace().collect();
    let found: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(found, digits, "a persisted format changed: it needs a new version");
}

/// Any short byte string.
pub(crate) fn arbitrary_bytes() -> impl Strategy<Value = Bytes> {
    // Sometimes longer than 127 bytes, where a length takes two.
    prop_oneof![4 => prop::collection::vec(any::<u8>(), 0..8), 1 => prop::collection::vec(any::<u8>(), 120..300)]
        .prop_map(Bytes::from)
}

/// Numbers of every length.
pub(crate) fn arbitrary_number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64u32).prop_map(|(number, shift)| number >> shift)
}

/// Any command.
pub(crate) fn arbitrary_command() -> impl Strategy<Value = Command> {
    let condition = prop_oneof![
        Just(Condition::Always),
        Just(Condition::Absent),
        Just(Condition::Exists),
        arbitrary_number().prop_map(Condition::RevisionIs),
    ];
    (arbitrary_bytes(), prop::option::of(arbitrary_bytes()), condition).prop_map(|(key, value, condition)| {
        match value {
            Some(value) => Command::Put { key, value, condition },
            None => Command::Delete { key, condition },
        }
    })
}

/// Any outcome.
pub(crate) fn arbitrary_outcome() -> impl Strategy<Value = Outcome> {
    let number = arbitrary_number;
    let limit = prop_oneof![Just(Limit::KeyBytes), Just(Limit::ValueBytes)];
    prop_oneof![
        (number(), number(), number()).prop_map(|(revision, create_revision, version)| Outcome::Put {
            revision,
            create_revision,
            version
        }),
        number().prop_map(|revision| Outcome::Deleted { revision }),
        number().prop_map(|revision| Outcome::NotFound { revision }),
        prop::option::of(number()).prop_map(|current| Outcome::ConditionFailed { current }),
        (limit, number()).prop_map(|(limit, maximum)| Outcome::LimitExceeded { limit, maximum }),
    ]
}
