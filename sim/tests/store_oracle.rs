//! The oracle of the whole store convicts what is wrong: each test shows it a log, and answers that do not
//! follow from it.
#![cfg(madsim)]

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_api::{Consistency, ErrorCode, IdempotencyKey};
use quorate_kv::{
    Command, Condition, Direction, KeyEntry, KeyRange, KeyValue, Operation, Proposal, RangeForm, RangeQuery,
    SessionRequest, Transaction,
};
use quorate_sim::oracles::store::bank::{MONEY_IS_KEPT, account_value};
use quorate_sim::oracles::store::lists::LISTS_IN_ORDER;
use quorate_sim::oracles::store::{
    After, Asked, COMPACTED_IS_GIVEN_UP, CURRENT_READS, Coverage, EXACTLY_ONCE, Effect, LogEntry,
    NoReference, READS_SHOW_THEIR_REVISION, STATES_ARE_OF_THE_LOG, Seen, StoreOperation, Told,
    WRITES_ARE_AS_TOLD, check,
};

/// A run in the making: entry `n` of the log is applied at `10 * n`.
#[derive(Default)]
struct Run {
    seen: Seen,
}

fn put(key: &str, value: &str) -> Command {
    Command::Put { key: key.to_owned().into(), value: value.to_owned().into(), condition: Condition::Always }
}

fn in_session(sequence: u64, command: Command) -> Command {
    let request = SessionRequest { session: 1, sequence, acknowledged_below: 0, fingerprint: 7 };
    command.in_session(request).expect("is a write")
}

fn write(command: Command) -> Asked {
    Asked::Write { command, session: None }
}

fn wrote(effect: Effect) -> Told {
    Told::Wrote { effect, replayed: false }
}

fn put_effect(revision: u64, create_revision: u64, version: u64) -> Told {
    wrote(Effect::Put { revision, create_revision, version })
}

fn get(key: &str) -> Asked {
    Asked::Get { key: key.to_owned().into(), revision: None, consistency: Consistency::Linearizable }
}

fn found(revision: u64, value: &str, mod_revision: u64) -> Told {
    let value = value.to_owned().into();
    let found = KeyValue { value, create_revision: mod_revision, mod_revision, version: 1 };
    Told::Found { revision, found: Some(found) }
}

fn entry(key: &str, value: &str, revision: u64) -> KeyEntry {
    KeyEntry {
        key: key.to_owned().into(),
        value: Some(value.to_owned().into()),
        create_revision: revision,
        mod_revision: revision,
        version: 1,
    }
}

impl Run {
    fn log(mut self, commands: Vec<Command>) -> Self {
        let index = self.seen.log.len() as u64 + 1;
        let proposal = Proposal { time_ms: 1_000 * index, commands }.encode();
        self.seen.log.insert(index, LogEntry { applied_ns: 10 * index, proposal });
        self
    }

    /// A client asks, from one moment to another, and is told.
    fn told(mut self, (invoked_ns, completed_ns): (u64, u64), asked: Asked, told: Told) -> Self {
        let completed_ns = Some(completed_ns);
        self.seen.operations.push(StoreOperation {
            client: 1,
            member: 1,
            invoked_ns,
            completed_ns,
            asked,
            told,
        });
        self
    }

    /// One that put x to a and y to b, and knows it.
    fn of_two_puts() -> Self {
        Run::default()
            .log(vec![put("a", "x")])
            .log(vec![put("b", "y")])
            .told((5, 15), write(put("a", "x")), put_effect(1, 1, 1))
            .told((16, 25), write(put("b", "y")), put_effect(2, 2, 1))
    }

    #[track_caller]
    fn passes(self) -> Coverage {
        check(&self.seen).expect("the log is whole").unwrap_or_else(|violation| panic!("{violation}"))
    }

    #[track_caller]
    fn violates(self, property: &str) {
        let violation = check(&self.seen).expect("the log is whole").expect_err("something is wrong");
        assert_eq!(violation.property, property, "{violation}");
    }
}

#[test]
fn what_follows_from_the_log_passes() {
    Run::of_two_puts().told((30, 31), get("a"), found(2, "x", 1)).passes();
}

#[test]
fn a_write_that_is_told_otherwise_than_it_was_is_convicted() {
    let run = || Run::default().log(vec![put("a", "x")]);
    run().told((5, 15), write(put("a", "x")), put_effect(2, 1, 1)).violates(WRITES_ARE_AS_TOLD);
    run().told((5, 9), write(put("a", "x")), put_effect(1, 1, 1)).violates(WRITES_ARE_AS_TOLD);
    run().told((11, 15), write(put("a", "x")), put_effect(1, 1, 1)).violates(WRITES_ARE_AS_TOLD);
    run().told((5, 15), write(put("a", "z")), put_effect(1, 1, 1)).violates(WRITES_ARE_AS_TOLD);
    run().told((5, 15), write(put("a", "x")), Told::Unknown).passes();
}

#[test]
fn a_write_that_was_refused_is_not_in_the_log() {
    let refused = Told::Refused { code: ErrorCode::Unavailable, oldest: None };
    let run = || Run::default().log(vec![put("a", "x")]);
    run().told((5, 15), write(put("a", "x")), refused).violates(EXACTLY_ONCE);
    run().told((5, 15), write(put("a", "x")), Told::NotSent).violates(EXACTLY_ONCE);
}

#[test]
fn a_write_that_was_sent_once_is_in_the_log_once() {
    Run::of_two_puts().log(vec![put("b", "y")]).violates(EXACTLY_ONCE);
}

/// Seed 268: a node refused a transaction that only reads, and within that time the log got the same one of
/// another client, which was taken for the refused one.
#[test]
fn a_write_that_a_node_refused_is_not_taken_for_the_same_of_another_client() {
    let read = || {
        let success = vec![Operation::Get { key: Bytes::from("list/1") }];
        Command::Transaction(Transaction { success, ..Transaction::default() })
    };
    let refused = || wrote(Effect::Refused(ErrorCode::TooManyOperations));
    let run = || Run::default().log(vec![read()]).told((5, 25), write(read()), refused());
    let done = answers(&run()).remove(0);
    run().told((6, 15), write(read()), wrote(done)).passes();
    run().told((6, 15), write(read()), Told::Unknown).passes();
    run().violates(EXACTLY_ONCE);
    run().told((6, 15), write(read()), refused()).violates(EXACTLY_ONCE);
    // Nor does it come to the log later.
    Run::default().log(vec![read()]).told((5, 9), write(read()), refused()).violates(EXACTLY_ONCE);
}

#[test]
fn a_write_of_a_session_is_told_the_same_each_time() {
    let key = IdempotencyKey { session: 1, sequence: 1 };
    let asked = || Asked::Write { command: put("a", "x"), session: Some((key, 0)) };
    let effect = Effect::Put { revision: 1, create_revision: 1, version: 1 };
    let open = Command::OpenSession { ttl_ms: 60_000 };
    let opened = wrote(Effect::SessionOpened { session: 1, ttl_ms: 60_000 });
    let run = || {
        Run::default()
            .log(vec![open.clone()])
            .log(vec![in_session(1, put("a", "x"))])
            .log(vec![in_session(1, put("a", "x"))])
            .told((5, 15), write(open.clone()), opened.clone())
            .told((16, 25), asked(), Told::Unknown)
    };
    let coverage =
        run().told((26, 35), asked(), Told::Wrote { effect: effect.clone(), replayed: true }).passes();
    assert_eq!(coverage["replayed answers"], 1);
    assert_eq!(coverage["session writes twice in the log"], 1);
    let again = Effect::Put { revision: 2, create_revision: 1, version: 2 };
    run().told((26, 35), asked(), wrote(again)).violates(WRITES_ARE_AS_TOLD);
    run().told((26, 35), asked(), wrote(effect)).violates(WRITES_ARE_AS_TOLD);
}

#[test]
fn a_read_shows_the_state_at_its_revision() {
    Run::of_two_puts().told((30, 31), get("a"), found(2, "z", 1)).violates(READS_SHOW_THEIR_REVISION);
    let absent = Told::Found { revision: 2, found: None };
    Run::of_two_puts().told((30, 31), get("b"), absent.clone()).violates(READS_SHOW_THEIR_REVISION);
    Run::of_two_puts().told((30, 31), get("c"), absent).passes();
    Run::of_two_puts().told((30, 31), get("c"), found(3, "z", 3)).violates(READS_SHOW_THEIR_REVISION);
    let nothing_yet = Told::Found { revision: 1, found: None };
    Run::of_two_puts().told((30, 31), get("b"), nothing_yet.clone()).violates(CURRENT_READS);
    Run::of_two_puts().told((15, 31), get("b"), nothing_yet).passes();
}

#[test]
fn pages_show_one_revision_without_holes() {
    let range = |limit| RangeQuery { limit, ..RangeQuery::new(KeyRange::all()) };
    let first = |entries| Told::Page { revision: 2, entries, next: Some("cursor".to_owned()) };
    let asked =
        |limit, after| Asked::Range { query: range(limit), after, consistency: Consistency::Linearizable };
    let run = || Run::of_two_puts().log(vec![put("b", "z"), put("c", "w")]);
    let run = || {
        run().told((26, 35), write(put("b", "z")), put_effect(3, 2, 2)).told(
            (26, 35),
            write(put("c", "w")),
            put_effect(4, 4, 1),
        )
    };
    let behind_a = || After { revision: 2, last_key: Bytes::from("a"), cursor: "cursor".to_owned() };
    let page = |entries| Told::Page { revision: 2, entries, next: None };
    let shown = || Run::told(run(), (22, 36), asked(Some(1), None), first(vec![entry("a", "x", 1)]));
    shown().told((40, 41), asked(Some(1), Some(behind_a())), page(vec![entry("b", "y", 2)])).passes();
    let newer = KeyEntry { version: 2, create_revision: 2, ..entry("b", "z", 3) };
    for wrong in [vec![newer], vec![], vec![entry("a", "x", 1)]] {
        let asked = asked(Some(1), Some(behind_a()));
        shown().told((40, 41), asked, page(wrong)).violates(READS_SHOW_THEIR_REVISION);
    }
    let cut_short = page(vec![entry("a", "x", 1)]);
    run().told((22, 36), asked(Some(1), None), cut_short).violates(READS_SHOW_THEIR_REVISION);
    let mixed_up = page(vec![entry("b", "y", 2), entry("a", "x", 1)]);
    run().told((22, 36), asked(None, None), mixed_up).violates(READS_SHOW_THEIR_REVISION);
}

#[test]
fn only_what_was_compacted_is_given_up() {
    let compact = Command::Compact { revision: 2 };
    let run = || {
        Run::of_two_puts().log(vec![compact.clone()]).told(
            (26, 35),
            write(compact.clone()),
            wrote(Effect::Compacted { oldest: 2 }),
        )
    };
    let past = |revision| Asked::Get {
        key: Bytes::from("a"),
        revision: Some(revision),
        consistency: Consistency::Linearizable,
    };
    let given_up = |oldest| Told::Refused { code: ErrorCode::Compacted, oldest: Some(oldest) };
    assert_eq!(run().told((40, 41), past(1), given_up(2)).passes()["compacted answers"], 1);
    run().told((40, 41), past(1), found(1, "x", 1)).passes();
    run()
        .told((40, 41), past(1), Told::Found { revision: 1, found: None })
        .violates(READS_SHOW_THEIR_REVISION);
    run().told((40, 41), past(2), given_up(3)).violates(COMPACTED_IS_GIVEN_UP);
    run().told((40, 41), get("a"), given_up(2)).violates(COMPACTED_IS_GIVEN_UP);
    run().told((26, 27), past(1), given_up(2)).violates(COMPACTED_IS_GIVEN_UP);
}

#[test]
fn money_that_is_made_is_convicted() {
    let accounts = |second: u64| {
        let account = |number: u64, balance| Operation::Put {
            key: Bytes::from(format!("bank/{number}")),
            value: account_value(balance, "1-1"),
        };
        let success = vec![account(0, 90), account(1, second)];
        Command::Transaction(Transaction { success, ..Transaction::default() })
    };
    let run = |second| {
        let query = RangeQuery {
            range: KeyRange::prefix(Bytes::from("bank/")),
            direction: Direction::Ascending,
            limit: None,
            form: RangeForm::KeysAndValues,
            revision: None,
        };
        let asked = Asked::Range { query, after: None, consistency: Consistency::Linearizable };
        let entries = vec![entry("bank/0", "90;1-1", 1), entry("bank/1", &format!("{second};1-1"), 1)];
        Run::default().log(vec![accounts(second)]).told((5, 15), write(accounts(second)), Told::Unknown).told(
            (20, 21),
            asked,
            Told::Page { revision: 1, entries, next: None },
        )
    };
    assert_eq!(run(110).passes()["accounts summed up"], 1);
    run(111).violates(MONEY_IS_KEPT);
}

#[test]
fn lists_are_judged_without_the_log() {
    // Two appends that both think that the list was empty. The log is as wrong as the answers.
    let append = |element: &str| {
        let key = Bytes::from("list/1");
        let put = Operation::Put { key: key.clone(), value: Bytes::from(element.to_owned()) };
        let success = vec![Operation::Get { key }, put];
        Command::Transaction(Transaction { success, ..Transaction::default() })
    };
    let read = Command::Transaction(Transaction {
        success: vec![Operation::Get { key: Bytes::from("list/1") }],
        ..Transaction::default()
    });
    let log = Run::default().log(vec![append("a")]).log(vec![append("b")]).log(vec![read.clone()]);
    let effects: Vec<Effect> = answers(&log);
    log.told((5, 15), write(append("a")), wrote(effects[0].clone()))
        .told((16, 25), write(append("b")), wrote(effects[1].clone()))
        .told((26, 35), write(read), wrote(effects[2].clone()))
        .violates(LISTS_IN_ORDER);
}

/// What each command of a log does.
fn answers(run: &Run) -> Vec<Effect> {
    let mut tables = quorate_kv::MemoryTables::default();
    let mut machine = quorate_kv::Machine::load(&tables).expect("is empty");
    let mut effects = Vec::new();
    for entry in run.seen.log.values() {
        let proposal = Proposal::decode(&entry.proposal).expect("was encoded");
        let outcomes = machine.apply(&mut tables, &proposal).expect("applies");
        for (command, outcome) in proposal.commands.iter().zip(&outcomes) {
            effects.push(Effect::of(command, outcome).expect("clients ask for it").0);
        }
    }
    effects
}

#[test]
fn a_state_that_the_log_does_not_lead_to_is_convicted() {
    let mut run = Run::of_two_puts();
    run.seen.states.insert(2, (2, 77));
    run.violates(STATES_ARE_OF_THE_LOG);
}

#[test]
fn a_log_with_a_hole_proves_nothing() {
    let mut run = Run::of_two_puts().log(vec![put("c", "z")]);
    run.seen.log.remove(&2);
    assert_eq!(check(&run.seen).err(), Some(NoReference::Missing(2)));
    assert!(check(&Seen { log: BTreeMap::new(), ..Seen::default() }).is_ok(), "nothing was done");
}
