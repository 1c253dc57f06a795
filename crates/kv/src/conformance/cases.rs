//! Cases that random commands seldom or never come to, each told by itself.

use super::*;
use crate::command::Command;
use crate::comparison::{Comparison, Predicate, Target};
use crate::condition::Condition;
use crate::machine::{Machine, MachineError};
use crate::outcome::{Limit, OperationResult, Outcome};
use crate::proposal::Proposal;
use crate::query::{Budget, RangeForm, RangeQuery};
use crate::range::KeyRange;
use crate::session::SessionRequest;
use crate::settings::{Setting, SettingChange};
use crate::transaction::{Operation, Transaction};

mod past;

pub(super) fn run_all<T: TablesMut>(make: &impl Fn() -> T) {
    a_replica_that_differs_stops_at_the_check(make);
    a_transaction_is_bounded_in_what_it_looks_at_and_reads(make);
    a_transaction_deletes_only_so_many_keys_by_ranges(make);
    what_the_quota_forbids_comes_back_with_space(make);
    a_refusal_in_a_session_stays(make);
    many_sessions_expire_piece_by_piece(make);
    a_large_sweep_comes_in_pieces(make);
    a_cursor_sees_its_revision_whatever_happens(make);
    past::run_all(make);
}

/// A store and its tables.
struct Store<T> {
    machine: Machine,
    tables: T,
    time_ms: u64,
}

impl<T: TablesMut> Store<T> {
    fn new(make: &impl Fn() -> T) -> Self {
        let tables = make();
        Self { machine: Machine::load(&tables).expect("load"), tables, time_ms: 0 }
    }

    fn try_apply(&mut self, command: Command) -> Result<Outcome, MachineError<T::Error>> {
        let proposal = Proposal { time_ms: self.time_ms, commands: vec![command] };
        Ok(self.machine.apply(&mut self.tables, &proposal)?.remove(0))
    }

    fn apply(&mut self, command: Command) -> Outcome {
        self.try_apply(command).expect("apply")
    }

    fn set(&mut self, setting: Setting, value: u64) {
        let changes = vec![SettingChange { setting, value }];
        assert_eq!(self.apply(Command::ChangeSettings { changes }), Outcome::SettingsChanged);
    }

    /// Puts as many keys, of eight bytes each, in few proposals.
    fn put_numbers(&mut self, count: u64, value: &Bytes) {
        let put = |number: u64| put(format!("{number:08}"), value.clone());
        let proposal = Proposal { time_ms: self.time_ms, commands: (0..count).map(put).collect() };
        self.machine.apply(&mut self.tables, &proposal).expect("apply");
    }

    fn verify(&self) {
        assert_eq!(Machine::verify(&self.tables).expect("verify"), self.machine);
    }
}

fn put(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Command {
    Command::Put { key: key.into(), value: value.into(), condition: Condition::Always }
}

fn transaction(operations: Vec<Operation>) -> Command {
    Command::Transaction(Transaction { success: operations, ..Transaction::default() })
}

fn in_session(session: u64, sequence: u64, acknowledged_below: u64, command: Command) -> Command {
    let request = SessionRequest { session, sequence, acknowledged_below, fingerprint: 7 };
    command.in_session(request).expect("it is a write")
}

fn limit(limit: Limit, maximum: u64) -> Outcome {
    Outcome::LimitExceeded { limit, maximum }
}

fn a_replica_that_differs_stops_at_the_check<T: TablesMut>(make: &impl Fn() -> T) {
    let (mut leader, mut follower, mut other) = (Store::new(make), Store::new(make), Store::new(make));
    for store in [&mut leader, &mut follower] {
        store.apply(put("a", "1"));
    }
    other.apply(put("a", "2"));
    let Outcome::DigestMarked { mark: 1, digest } = leader.apply(Command::MarkDigest) else {
        panic!("the first mark is number 1");
    };
    assert_eq!(digest, leader.machine.summary().digest, "the mark is not a part of the digest");
    follower.apply(Command::MarkDigest);
    other.apply(Command::MarkDigest);
    let check = Command::CheckDigest { mark: 1, digest };
    for store in [&mut leader, &mut follower] {
        // What was written since the mark does not matter.
        store.apply(put("b", "2"));
        assert_eq!(store.apply(check.clone()), Outcome::DigestChecked { known: true });
        let older = Command::CheckDigest { mark: 0, digest: 0 };
        assert_eq!(store.apply(older), Outcome::DigestChecked { known: false });
    }
    let error = other.try_apply(check).expect_err("it differs");
    let MachineError::Diverged { mark: 1, revision: 1, expected, found } = error else {
        panic!("another error: {error}");
    };
    assert_eq!(expected, digest);
    assert_ne!(found, digest);
}

fn a_transaction_is_bounded_in_what_it_looks_at_and_reads<T: TablesMut>(make: &impl Fn() -> T) {
    let mut store = Store::new(make);
    let scans_max = Transaction::SCANNED_KEYS_MAX;
    store.put_numbers(scans_max, &Bytes::new());
    let revision = store.machine.summary().revision;
    let count = |range| Operation::Range {
        range,
        direction: Direction::Ascending,
        limit: None,
        form: RangeForm::Count,
    };
    let outcome = store.apply(transaction(vec![count(KeyRange::all())]));
    let Outcome::Transaction { succeeded: true, results, .. } = outcome else { panic!("{outcome:?}") };
    let [OperationResult::Range(page)] = &results[..] else { panic!("{results:?}") };
    assert_eq!((page.count, &page.next), (scans_max, &None));
    let one = KeyRange::single(b"00000000");
    let exists = |range| Comparison { target: Target::Range(range), predicate: Predicate::Exists(true) };
    let comparing = |comparisons, success| {
        Command::Transaction(Transaction { comparisons, success, ..Transaction::default() })
    };
    let write = || Operation::Put { key: Bytes::from("z"), value: Bytes::new() };
    let too_many = [
        transaction(vec![write(), count(KeyRange::all()), count(one.clone())]),
        transaction(vec![write(), count(one.clone()), count(KeyRange::all())]),
        comparing(vec![exists(KeyRange::all()), exists(one.clone())], vec![write()]),
        comparing(vec![exists(KeyRange::all())], vec![write(), count(one)]),
    ];
    for command in too_many {
        assert_eq!(store.apply(command), limit(Limit::TransactionScannedKeys, scans_max));
    }
    // Values are read up to the limit and not beyond, whatever way.
    let value = Bytes::from(vec![b'v'; 1 << 20]);
    for key in ["w1", "w2", "w3", "w4"] {
        store.apply(put(key, value.clone()));
    }
    let get = |key: &'static str| Operation::Get { key: Bytes::from(key) };
    let within = store.apply(transaction(vec![write(), get("w1"), get("w2"), get("w3")]));
    assert!(matches!(within, Outcome::Transaction { revision: found, .. } if found == revision + 5));
    let range = |keys| Operation::Range {
        range: KeyRange::prefix(Bytes::from(keys)),
        direction: Direction::Ascending,
        limit: None,
        form: RangeForm::KeysAndValues,
    };
    let beyond =
        [vec![get("w1"), get("w2"), get("w3"), get("w4")], vec![range("w")], vec![range("w1"), range("w")]];
    for operations in beyond {
        let operations = [vec![Operation::Delete { key: Bytes::from("z") }], operations].concat();
        let expected = limit(Limit::TransactionResultBytes, Transaction::RESULT_BYTES_MAX);
        assert_eq!(store.apply(transaction(operations)), expected);
    }
    assert_eq!(store.machine.summary().revision, revision + 5, "what is refused changes nothing");
    store.verify();
}

fn a_transaction_deletes_only_so_many_keys_by_ranges<T: TablesMut>(make: &impl Fn() -> T) {
    let mut store = Store::new(make);
    store.put_numbers(6, &Bytes::new());
    store.set(Setting::DeleteRangeKeysMax, 4);
    let range = |start: &'static str, end: &'static str| Operation::DeleteRange {
        range: KeyRange::new(Bytes::from(start), Some(Bytes::from(end))),
    };
    let nested = Transaction { success: vec![range("00000003", "00000006")], ..Transaction::default() };
    let five = vec![range("00000000", "00000002"), Operation::Transaction(nested.clone())];
    assert_eq!(store.apply(transaction(five)), limit(Limit::TransactionDeletedKeys, 4));
    assert_eq!(store.machine.summary().key_count, 6, "none is deleted");
    let four = vec![range("00000000", "00000001"), Operation::Transaction(nested)];
    assert!(matches!(store.apply(transaction(four)), Outcome::Transaction { revision: 7, .. }));
    assert_eq!(store.machine.summary().key_count, 2);
    // A command of its own does as many as it may, and says where to go on.
    let rest = Command::DeleteRange { range: KeyRange::all(), keys_max: 1 };
    let next = Some(Bytes::from("00000002"));
    assert_eq!(store.apply(rest.clone()), Outcome::RangeDeleted { revision: 8, deleted: 1, next });
    store.verify();
}

fn what_the_quota_forbids_comes_back_with_space<T: TablesMut>(make: &impl Fn() -> T) {
    let mut store = Store::new(make);
    store.set(Setting::QuotaBytes, 400);
    let value = || Bytes::from(vec![b'v'; 100]);
    // A change costs its key, its value and 48 bytes; the index record of a key costs it and 48 bytes.
    assert!(matches!(store.apply(put("a", value())), Outcome::Put { .. }));
    assert_eq!(store.machine.summary().stored_bytes, 1 + 100 + 48 + 1 + 48);
    assert!(matches!(store.apply(put("a", value())), Outcome::Put { .. }));
    let quota = limit(Limit::Quota, 400);
    assert_eq!(store.apply(put("a", value())), quota);
    let operations = vec![
        Operation::Delete { key: Bytes::from("a") },
        Operation::Put { key: Bytes::from("b"), value: value() },
    ];
    assert_eq!(store.apply(transaction(operations)), quota, "a transaction is refused as a whole");
    let delete = Command::Delete { key: Bytes::from("a"), condition: Condition::Always };
    assert_eq!(store.apply(delete), Outcome::Deleted { revision: 3 });
    assert_eq!(store.apply(put("a", value())), quota, "deleting alone makes no room");
    store.apply(Command::Compact { revision: 3 });
    assert_eq!(store.apply(put("a", value())), quota, "nor does compaction, before the sweep");
    let swept = store.apply(Command::Sweep { records_max: 10 });
    assert_eq!(swept, Outcome::Swept { revision: 3, remaining: false });
    assert_eq!(store.machine.summary().stored_bytes, 0);
    assert!(matches!(store.apply(put("a", value())), Outcome::Put { revision: 4, create_revision: 4, .. }));
    store.verify();
}

fn a_refusal_in_a_session_stays<T: TablesMut>(make: &impl Fn() -> T) {
    let mut store = Store::new(make);
    store.set(Setting::QuotaBytes, 10);
    store.set(Setting::SessionOutcomesMax, 1);
    store.apply(Command::OpenSession { ttl_ms: 60_000 });
    let write = |sequence, acknowledged_below| in_session(1, sequence, acknowledged_below, put("a", "1"));
    let quota = limit(Limit::Quota, 10);
    assert_eq!(store.apply(write(1, 0)), quota);
    store.set(Setting::QuotaBytes, 0);
    assert_eq!(store.apply(write(1, 0)), Outcome::Replayed(Box::new(quota)), "it was refused for good");
    // A session that is full has not decided yet.
    assert_eq!(store.apply(write(2, 0)), limit(Limit::SessionOutcomes, 1));
    let applied = store.apply(write(2, 2));
    assert!(matches!(applied, Outcome::Put { revision: 1, .. }));
    assert_eq!(store.apply(write(2, 2)), Outcome::Replayed(Box::new(applied)));
    assert_eq!(store.apply(write(1, 0)), Outcome::SequenceFreed { acknowledged_below: 2 });
    store.verify();
}

fn many_sessions_expire_piece_by_piece<T: TablesMut>(make: &impl Fn() -> T) {
    let mut store = Store::new(make);
    let open = |store: &mut Store<T>, count: usize, ttl_ms| {
        let commands = vec![Command::OpenSession { ttl_ms }; count];
        store
            .machine
            .apply(&mut store.tables, &Proposal { time_ms: store.time_ms, commands })
            .expect("apply");
    };
    // More than one search looks at; the long-lived ones come first, the last has an outcome.
    open(&mut store, 1100, 100_000);
    open(&mut store, 300, 1_000);
    store.apply(in_session(1400, u64::MAX, 0, put("a", "1")));
    store.set(Setting::SessionsMax, 1400);
    store.time_ms = 1_001;
    let full = limit(Limit::Sessions, 1400);
    assert_eq!(store.apply(Command::OpenSession { ttl_ms: 1_000 }), full, "no expired one among the first");
    let opened = Outcome::SessionOpened { session: 1401, ttl_ms: 1_000 };
    assert_eq!(store.apply(Command::OpenSession { ttl_ms: 1_000 }), opened);
    assert_eq!(store.machine.summary().session_count, 1101);
    assert_eq!(store.apply(Command::KeepSession { session: 1400 }), Outcome::SessionUnknown);
    assert_eq!(store.apply(Command::KeepSession { session: 1401 }), Outcome::SessionKept { ttl_ms: 1_000 });
    store.verify();
    store.time_ms = 200_000;
    assert_eq!(store.apply(Command::KeepSession { session: 1 }), Outcome::SessionExpired);
    let mut sweeps = 0;
    while store.machine.summary().session_count > 0 {
        store.apply(Command::Sweep { records_max: 1 });
        sweeps += 1;
    }
    assert!(sweeps > 1, "one sweep does not remove any number of sessions");
    store.verify();
}

fn a_large_sweep_comes_in_pieces<T: TablesMut>(make: &impl Fn() -> T) {
    let mut store = Store::new(make);
    for _ in 0..3 {
        store.put_numbers(700, &Bytes::from("value"));
    }
    store.apply(Command::Compact { revision: 2100 });
    let first = store.apply(Command::Sweep { records_max: u64::MAX });
    assert_eq!(first, Outcome::Swept { revision: 1024, remaining: true });
    store.verify();
    store.apply(Command::Sweep { records_max: u64::MAX });
    assert_eq!(
        store.apply(Command::Sweep { records_max: u64::MAX }),
        Outcome::Swept { revision: 2100, remaining: false }
    );
    store.verify();
    assert_eq!(dump(&store.tables).len(), 1 + 700 + 700, "one change of each key is left");
    // Large values end a piece, too.
    for _ in 0..12 {
        store.apply(put("large", vec![b'v'; 1 << 20]));
    }
    store.apply(Command::Compact { revision: 2112 });
    let piece = store.apply(Command::Sweep { records_max: u64::MAX });
    assert!(matches!(piece, Outcome::Swept { remaining: true, .. }), "{piece:?}");
    store.verify();
}

fn a_cursor_sees_its_revision_whatever_happens<T: TablesMut>(make: &impl Fn() -> T) {
    let mut store = Store::new(make);
    store.put_numbers(300, &Bytes::from("old"));
    let query = RangeQuery::new(KeyRange::all());
    let budget = Budget { records: 100, bytes: u64::MAX };
    let read = |store: &Store<T>, query: &RangeQuery| {
        Machine::range(&store.tables, query, budget).expect("range").expect("available")
    };
    let whole = Budget { records: u64::MAX, bytes: u64::MAX };
    let expected = Machine::range(&store.tables, &query, whole).expect("range").expect("available").entries;
    let first = read(&store, &query);
    let (mut found, mut next) = (first.entries.clone(), query.rest(&first));
    while let Some(query) = next {
        store.put_numbers(300, &Bytes::from("new"));
        store.apply(put("00000150x", "between"));
        store.apply(Command::DeleteRange {
            range: KeyRange::new(Bytes::from("00000200"), None),
            keys_max: 50,
        });
        store.apply(Command::Compact { revision: first.revision });
        store.apply(Command::Sweep { records_max: u64::MAX });
        let page = read(&store, &query);
        assert_eq!(page.revision, first.revision);
        next = query.rest(&page);
        found.extend(page.entries);
    }
    assert_eq!(found, expected);
    store.verify();
}
