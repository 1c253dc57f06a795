//! What the tests of this crate share: golden bytes and arbitrary values.

use bytes::Bytes;
use proptest::prelude::*;

use crate::command::Command;
use crate::comparison::{Comparison, Predicate, Relation, Target};
use crate::condition::Condition;
use crate::outcome::{Limit, OperationResult, Outcome};
use crate::query::{KeyEntry, KeyValue, RangeForm, RangePage};
use crate::range::KeyRange;
use crate::session::SessionRequest;
use crate::settings::{Setting, SettingChange};
use crate::tables::Direction;
use crate::transaction::{InvalidTransaction, Operation, Transaction};

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

/// Any range.
pub(crate) fn arbitrary_range() -> impl Strategy<Value = KeyRange> {
    (arbitrary_bytes(), prop::option::of(arbitrary_bytes()))
        .prop_map(|(start, end)| KeyRange::new(start, end))
}

fn arbitrary_comparison() -> impl Strategy<Value = Comparison> {
    let target =
        prop_oneof![arbitrary_bytes().prop_map(Target::Key), arbitrary_range().prop_map(Target::Range)];
    let relation = || {
        prop::sample::select(&[Relation::Equal, Relation::NotEqual, Relation::Less, Relation::Greater][..])
    };
    let related = || (relation(), arbitrary_number());
    let predicate = prop_oneof![
        any::<bool>().prop_map(Predicate::Exists),
        (relation(), arbitrary_bytes()).prop_map(|(relation, value)| Predicate::Value(relation, value)),
        related().prop_map(|(relation, number)| Predicate::Version(relation, number)),
        related().prop_map(|(relation, number)| Predicate::CreateRevision(relation, number)),
        related().prop_map(|(relation, number)| Predicate::ModRevision(relation, number)),
    ];
    (target, predicate).prop_map(|(target, predicate)| Comparison { target, predicate })
}

fn arbitrary_operation() -> impl Strategy<Value = Operation> {
    let key = arbitrary_bytes;
    let direction = prop::sample::select(&[Direction::Ascending, Direction::Descending][..]);
    let form = prop::sample::select(&[RangeForm::KeysAndValues, RangeForm::Keys, RangeForm::Count][..]);
    prop_oneof![
        (key(), key()).prop_map(|(key, value)| Operation::Put { key, value }),
        key().prop_map(|key| Operation::Delete { key }),
        arbitrary_range().prop_map(|range| Operation::DeleteRange { range }),
        key().prop_map(|key| Operation::Get { key }),
        (arbitrary_range(), direction, prop::option::of(arbitrary_number()), form)
            .prop_map(|(range, direction, limit, form)| Operation::Range { range, direction, limit, form }),
    ]
}

/// Any transaction, of any depth that is written.
pub(crate) fn arbitrary_transaction() -> impl Strategy<Value = Transaction> {
    fn of(operation: impl Strategy<Value = Operation> + Clone) -> impl Strategy<Value = Transaction> {
        let operations = || prop::collection::vec(operation.clone(), 0..3);
        let comparisons = prop::collection::vec(arbitrary_comparison(), 0..3);
        (comparisons, operations(), operations()).prop_map(|(comparisons, success, failure)| Transaction {
            comparisons,
            success,
            failure,
        })
    }
    let operation = arbitrary_operation().boxed();
    let operation = operation.prop_recursive(3, 8, 3, |inner| of(inner).prop_map(Operation::Transaction));
    of(operation)
}

/// Any command that sessions carry.
fn arbitrary_write() -> impl Strategy<Value = Command> {
    let condition = prop_oneof![
        Just(Condition::Always),
        Just(Condition::Absent),
        Just(Condition::Exists),
        arbitrary_number().prop_map(Condition::RevisionIs),
    ];
    let single = (arbitrary_bytes(), prop::option::of(arbitrary_bytes()), condition);
    prop_oneof![
        2 => single.prop_map(|(key, value, condition)| match value {
            Some(value) => Command::Put { key, value, condition },
            None => Command::Delete { key, condition },
        }),
        1 => (arbitrary_range(), arbitrary_number())
            .prop_map(|(range, keys_max)| Command::DeleteRange { range, keys_max }),
        1 => arbitrary_transaction().prop_map(Command::Transaction),
    ]
}

/// Any command.
pub(crate) fn arbitrary_command() -> impl Strategy<Value = Command> {
    let number = arbitrary_number;
    let change = (prop::sample::select(&Setting::ALL[..]), number())
        .prop_map(|(setting, value)| SettingChange { setting, value });
    prop_oneof![
        4 => arbitrary_write(),
        2 => (arbitrary_write(), (number(), number(), number()), any::<u128>()).prop_map(
            |(write, (session, sequence, acknowledged_below), fingerprint)| {
                let request = SessionRequest { session, sequence, acknowledged_below, fingerprint };
                write.in_session(request).expect("it is a write")
            }
        ),
        1 => prop_oneof![
            number().prop_map(|revision| Command::Compact { revision }),
            number().prop_map(|records_max| Command::Sweep { records_max }),
            number().prop_map(|ttl_ms| Command::OpenSession { ttl_ms }),
            number().prop_map(|session| Command::KeepSession { session }),
            number().prop_map(|session| Command::CloseSession { session }),
            prop::collection::vec(change, 0..3).prop_map(|changes| Command::ChangeSettings { changes }),
            Just(Command::MarkDigest),
            (number(), any::<u128>()).prop_map(|(mark, digest)| Command::CheckDigest { mark, digest }),
        ],
    ]
}

fn arbitrary_key_value() -> impl Strategy<Value = KeyValue> {
    (arbitrary_bytes(), arbitrary_number(), arbitrary_number(), arbitrary_number()).prop_map(
        |(value, create_revision, mod_revision, version)| KeyValue {
            value,
            create_revision,
            mod_revision,
            version,
        },
    )
}

fn arbitrary_page() -> impl Strategy<Value = RangePage> {
    let entry =
        (arbitrary_bytes(), any::<bool>(), arbitrary_key_value()).prop_map(|(key, with_value, it)| {
            KeyEntry {
                key,
                value: with_value.then_some(it.value),
                create_revision: it.create_revision,
                mod_revision: it.mod_revision,
                version: it.version,
            }
        });
    let entries = prop::collection::vec(entry, 0..3);
    (arbitrary_number(), entries, arbitrary_number(), prop::option::of(arbitrary_bytes()))
        .prop_map(|(revision, entries, count, next)| RangePage { revision, entries, count, next })
}

fn arbitrary_result() -> impl Strategy<Value = OperationResult> {
    let number = arbitrary_number;
    prop_oneof![
        (number(), number())
            .prop_map(|(create_revision, version)| OperationResult::Put { create_revision, version }),
        any::<bool>().prop_map(|deleted| OperationResult::Delete { deleted }),
        number().prop_map(|deleted| OperationResult::DeleteRange { deleted }),
        prop::option::of(arbitrary_key_value()).prop_map(OperationResult::Get),
        arbitrary_page().prop_map(OperationResult::Range),
    ]
}

fn arbitrary_transaction_outcome() -> impl Strategy<Value = Outcome> {
    let results = || prop::collection::vec(arbitrary_result(), 0..3);
    let nested = prop::option::of((any::<bool>(), results()));
    (arbitrary_number(), any::<bool>(), results(), nested).prop_map(
        |(revision, succeeded, mut results, nested)| {
            results.extend(
                nested.map(|(succeeded, results)| OperationResult::Transaction { succeeded, results }),
            );
            Outcome::Transaction { revision, succeeded, results }
        },
    )
}

/// Any outcome.
pub(crate) fn arbitrary_outcome() -> impl Strategy<Value = Outcome> {
    let number = arbitrary_number;
    let limit = prop::sample::select(&[Limit::KeyBytes, Limit::Quota, Limit::SessionOutcomes][..]);
    let setting = prop::sample::select(&Setting::ALL[..]);
    let invalid = prop_oneof![
        Just(InvalidTransaction::TooDeep),
        Just(InvalidTransaction::KeyBytes),
        arbitrary_bytes().prop_map(|key| InvalidTransaction::WrittenTwice { key }),
    ];
    let plain = prop_oneof![
        (number(), number(), number()).prop_map(|(revision, create_revision, version)| Outcome::Put {
            revision,
            create_revision,
            version
        }),
        number().prop_map(|revision| Outcome::Deleted { revision }),
        number().prop_map(|revision| Outcome::NotFound { revision }),
        prop::option::of(number()).prop_map(|current| Outcome::ConditionFailed { current }),
        (limit, number()).prop_map(|(limit, maximum)| Outcome::LimitExceeded { limit, maximum }),
        (number(), number(), prop::option::of(arbitrary_bytes()))
            .prop_map(|(revision, deleted, next)| Outcome::RangeDeleted { revision, deleted, next }),
        arbitrary_transaction_outcome(),
        invalid.prop_map(Outcome::TransactionRefused),
        (number(), any::<bool>()).prop_map(|(revision, remaining)| Outcome::Swept { revision, remaining }),
        (number(), number()).prop_map(|(session, ttl_ms)| Outcome::SessionOpened { session, ttl_ms }),
        (setting, number()).prop_map(|(setting, value)| Outcome::SettingOutOfBounds { setting, value }),
        (number(), any::<u128>()).prop_map(|(mark, digest)| Outcome::DigestMarked { mark, digest }),
    ];
    (plain, prop::bool::weighted(0.2)).prop_map(|(outcome, replayed)| match replayed {
        true => Outcome::Replayed(Box::new(outcome)),
        false => outcome,
    })
}
