//! Random commands, said before it is known which revisions and sessions there are.

use bytes::Bytes;
use proptest::prelude::*;

use super::model::Model;
use crate::command::Command;
use crate::comparison::{Comparison, Predicate, Relation, Target};
use crate::condition::Condition;
use crate::query::RangeForm;
use crate::range::KeyRange;
use crate::session::SessionRequest;
use crate::settings::{Setting, SettingChange};
use crate::tables::Direction;
use crate::transaction::{Operation, Transaction};

/// The longest value of a new store.
pub(super) const VALUE_BYTES_MAX: usize = 1 << 20;

/// Something to do.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// As it is.
    Plain(Command),
    /// A put or a delete if the key's newest revision, or else the newest of all, is that less this.
    IfRevisionMinus(Command, u64),
    /// Compact up to the newest revision less this.
    CompactMinus(u64),
    /// Keep (or else close) the session that was opened so many before the newest.
    Keep(u64),
    Close(u64),
    /// A write in the session that was opened so many before the newest: sequence, watermark, fingerprint.
    InSession(u64, (u64, u64, u128), Box<Step>),
}

impl Step {
    /// The command, in this state.
    pub(super) fn command(&self, model: &Model) -> Command {
        let session = |less: u64| model.last_session.saturating_sub(less);
        match self {
            Step::Plain(command) => command.clone(),
            Step::IfRevisionMinus(command, less) => {
                let condition = |key: &Bytes| {
                    let newest = model.get(key).map_or(model.revision(), |found| found.mod_revision);
                    Condition::RevisionIs(newest.saturating_sub(*less))
                };
                match command.clone() {
                    Command::Put { key, value, .. } => {
                        Command::Put { condition: condition(&key), key, value }
                    }
                    Command::Delete { key, .. } => Command::Delete { condition: condition(&key), key },
                    other => other,
                }
            }
            Step::CompactMinus(less) => Command::Compact { revision: model.revision().saturating_sub(*less) },
            Step::Keep(less) => Command::KeepSession { session: session(*less) },
            Step::Close(less) => Command::CloseSession { session: session(*less) },
            Step::InSession(less, (sequence, acknowledged_below, fingerprint), step) => {
                let (sequence, acknowledged_below, fingerprint) =
                    (*sequence, *acknowledged_below, *fingerprint);
                let request =
                    SessionRequest { session: session(*less), sequence, acknowledged_below, fingerprint };
                step.command(model).in_session(request).expect("the step is a write")
            }
        }
    }
}

/// Proposals: how much time has passed before each, and steps. Most begin with a session, which the others
/// can use.
pub(super) fn any_batches() -> impl Strategy<Value = Vec<(u64, Vec<Step>)>> {
    let passed_ms = prop_oneof![15 => 0..20u64, 1 => 900..1100u64, 1 => 1900..2500u64];
    let step = prop_oneof![15 => any_step(), 1 => any_mark()];
    let batches = prop::collection::vec((passed_ms, prop::collection::vec(step, 0..6)), 0..14);
    (prop::bool::weighted(0.7), batches).prop_map(|(has_session, mut batches)| {
        if has_session {
            batches.insert(0, (0, vec![Step::Plain(Command::OpenSession { ttl_ms: 2000 })]));
        }
        batches
    })
}

/// Any step that makes a difference to the state, or could.
pub(super) fn any_step() -> impl Strategy<Value = Step> {
    let session = prop_oneof![4 => Just(0u64), 1 => 1..3u64];
    let fingerprint = prop_oneof![5 => Just(0u128), 1 => Just(1)];
    let in_session = (session, (0..5u64, 0..3u64, fingerprint), any_write())
        .prop_map(|(session, request, step)| Step::InSession(session, request, Box::new(step)));
    // Those that random commands feel come first and more often.
    let setting = prop_oneof![3 => 0..9usize, 1 => 0..Setting::ALL.len()];
    let change = (setting.prop_map(|place| Setting::ALL[place]), 0..6usize)
        .prop_map(|(setting, choice)| SettingChange { setting, value: setting_value(setting, choice) });
    prop_oneof![
        18 => any_write(),
        12 => in_session,
        2 => (0..4u64).prop_map(Step::CompactMinus),
        1 => (0..30u64).prop_map(|revision| Step::Plain(Command::Compact { revision })),
        4 => prop_oneof![0..4u64, Just(u64::MAX)]
            .prop_map(|records_max| Step::Plain(Command::Sweep { records_max })),
        2 => prop_oneof![Just(0u64), Just(1000), Just(2000), Just(1 << 40)]
            .prop_map(|ttl_ms| Step::Plain(Command::OpenSession { ttl_ms })),
        1 => (0..3u64).prop_map(Step::Keep),
        1 => (0..3u64).prop_map(Step::Close),
        2 => prop::collection::vec(change, 0..3)
            .prop_map(|changes| Step::Plain(Command::ChangeSettings { changes })),
    ]
}

/// Marks of digests, which are not a part of the digest.
fn any_mark() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Plain(Command::MarkDigest)),
        Just(Step::Plain(Command::CheckDigest { mark: 0, digest: 1 })),
        Just(Step::Plain(Command::CheckDigest { mark: u64::MAX, digest: 1 })),
    ]
}

/// A value that makes the setting felt, its default, or one out of bounds.
fn setting_value(setting: Setting, choice: usize) -> u64 {
    let description = setting.description();
    let (minimum, default, maximum) = (description.minimum, description.default, description.maximum);
    match (setting, choice) {
        (_, 0) => default,
        (_, 1) => maximum.saturating_add(1),
        (Setting::QuotaBytes, _) => 500,
        (Setting::TransactionOperationsMax | Setting::ValueBytesMax, _) => 2,
        _ => minimum,
    }
}

fn any_write() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => any_single(),
        2 => (any_range(), 0..3u64)
            .prop_map(|(range, keys_max)| Step::Plain(Command::DeleteRange { range, keys_max })),
        5 => any_transaction().prop_map(|transaction| Step::Plain(Command::Transaction(transaction))),
    ]
}

/// The first of them are keys, the last two are not.
fn key(number: usize) -> Bytes {
    let keys: [&[u8]; 7] = [b"a", b"a\0", b"ab", b"\xff", &LONG[..1024], b"", &LONG[..1025]];
    Bytes::from_static(keys[number])
}

static LONG: [u8; VALUE_BYTES_MAX + 1] = [b'v'; VALUE_BYTES_MAX + 1];

fn any_key() -> impl Strategy<Value = Bytes> {
    prop_oneof![30 => 0..5usize, 1 => 5..7usize].prop_map(key)
}

/// The last one is too long.
fn any_value() -> impl Strategy<Value = Bytes> {
    let values: [&'static [u8]; 5] = [b"", b"1", b"two", &LONG[..300], &LONG];
    prop_oneof![20 => 0..4usize, 1 => Just(4)].prop_map(move |number| Bytes::from_static(values[number]))
}

fn any_range() -> impl Strategy<Value = KeyRange> {
    prop_oneof![
        Just(KeyRange::all()),
        any_key().prop_map(KeyRange::prefix),
        (any_key(), any_key()).prop_map(|(start, end)| KeyRange::new(start, Some(end))),
    ]
}

fn any_single() -> impl Strategy<Value = Step> {
    let condition = prop_oneof![
        6 => Just(Condition::Always),
        2 => Just(Condition::Absent),
        2 => Just(Condition::Exists),
        1 => (0..30u64).prop_map(Condition::RevisionIs),
    ];
    let value = prop_oneof![3 => Just(None), 10 => any_value().prop_map(Some)];
    let single = (any_key(), value, condition).prop_map(|(key, value, condition)| match value {
        Some(value) => Command::Put { key, value, condition },
        None => Command::Delete { key, condition },
    });
    (single, prop::option::weighted(0.2, 0..2u64)).prop_map(|(command, less)| match less {
        Some(less) => Step::IfRevisionMinus(command, less),
        None => Step::Plain(command),
    })
}

fn any_transaction() -> impl Strategy<Value = Transaction> {
    let operation = || {
        prop_oneof![
            8 => any_operation(),
            1 => transaction_of(any_operation().boxed()).prop_map(Operation::Transaction),
        ]
    };
    transaction_of(operation().boxed())
}

fn transaction_of(operation: BoxedStrategy<Operation>) -> impl Strategy<Value = Transaction> {
    let operations = prop::collection::vec(operation, 0..4);
    (prop::collection::vec(any_comparison(), 0..4), operations.clone(), operations)
        .prop_map(|(comparisons, success, failure)| Transaction { comparisons, success, failure })
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let direction = prop::sample::select(&[Direction::Ascending, Direction::Descending][..]);
    let form = prop::sample::select(&[RangeForm::KeysAndValues, RangeForm::Keys, RangeForm::Count][..]);
    // Keys are many enough that most transactions write none of them twice.
    prop_oneof![
        4 => (any_key(), any_value()).prop_map(|(key, value)| Operation::Put { key, value }),
        2 => any_key().prop_map(|key| Operation::Delete { key }),
        1 => any_range().prop_map(|range| Operation::DeleteRange { range }),
        2 => any_key().prop_map(|key| Operation::Get { key }),
        2 => (any_range(), direction, prop::option::of(0..4u64), form).prop_map(
            |(range, direction, limit, form)| Operation::Range { range, direction, limit, form }
        ),
    ]
}

fn any_comparison() -> impl Strategy<Value = Comparison> {
    let target = prop_oneof![3 => any_key().prop_map(Target::Key), 1 => any_range().prop_map(Target::Range)];
    let relations = [Relation::Equal, Relation::NotEqual, Relation::Less, Relation::Greater];
    let related = move || (prop::sample::select(relations.to_vec()), 0..6u64);
    let value = (prop::sample::select(relations.to_vec()), any_value());
    let predicate = prop_oneof![
        any::<bool>().prop_map(Predicate::Exists),
        value.prop_map(|(relation, value)| Predicate::Value(relation, value)),
        related().prop_map(|(relation, number)| Predicate::Version(relation, number)),
        related().prop_map(|(relation, number)| Predicate::CreateRevision(relation, number)),
        related().prop_map(|(relation, number)| Predicate::ModRevision(relation, number)),
    ];
    (target, predicate).prop_map(|(target, predicate)| Comparison { target, predicate })
}
