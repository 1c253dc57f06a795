//! The checks of the state machine.

use proptest::prelude::*;

use super::model::Model;
use super::steps::{Step, VALUE_BYTES_MAX, any_batches, any_step};
use super::*;
use crate::command::Command;
use crate::condition::Condition;
use crate::machine::{Machine, MachineError};
use crate::outcome::{Limit, Outcome};
use crate::proposal::Proposal;
use crate::query::KeyValue;

/// A machine, its tables, and the model that it is compared with.
struct Run<T> {
    machine: Machine,
    tables: T,
    model: Model,
}

impl<T: TablesMut> Run<T> {
    fn new(make: &impl Fn() -> T) -> Self {
        let tables = make();
        Self { machine: Machine::load(&tables).expect("load"), tables, model: Model::default() }
    }

    /// Applies a batch to machine and model, and compares the outcomes.
    fn apply(&mut self, time_ms: u64, steps: &[Step]) -> Proposal {
        self.model.time_ms = self.model.time_ms.max(time_ms);
        let (mut commands, mut expected) = (Vec::new(), Vec::new());
        for step in steps {
            let command = step.command(&self.model);
            expected.push(self.model.apply(&command));
            commands.push(command);
        }
        let proposal = Proposal { time_ms, commands };
        let mut outcomes = self.machine.apply(&mut self.tables, &proposal).expect("apply");
        for outcome in &mut outcomes {
            // The model has no digests.
            if let Outcome::DigestMarked { digest, .. } = outcome {
                *digest = 0;
            }
        }
        assert_eq!(outcomes, expected, "{proposal:?}");
        proposal
    }

    fn put(&mut self, key: Bytes, value: Bytes) -> Outcome {
        let command = Command::Put { key, value, condition: Condition::Always };
        let proposal = Proposal { time_ms: 0, commands: vec![command] };
        self.machine.apply(&mut self.tables, &proposal).expect("apply").remove(0)
    }

    fn get(&self, key: &[u8]) -> Result<Option<KeyValue>, MachineError<T::Error>> {
        Machine::get(&self.tables, key)
    }

    /// Compares everything that can be seen.
    fn compare(&self) {
        let summary = self.machine.summary();
        assert_eq!((summary.revision, summary.time_ms), (self.model.revision(), self.model.time_ms));
        assert_eq!((summary.key_count, summary.live_bytes), self.model.totals());
        assert_eq!(summary.compacted_revision, self.model.compacted);
        assert_eq!(summary.stored_bytes, self.model.stored_bytes());
        assert_eq!(summary.session_count, self.model.sessions.len() as u64);
        assert_eq!(summary.settings, self.model.settings);
        for key in self.model.keys() {
            assert_eq!(self.get(&key).expect("get"), self.model.get(&key), "{key:?}");
        }
        for key in [&b""[..], b"never", &[0; 1025]] {
            assert_eq!(self.get(key).expect("get"), None);
        }
        reads::compare(&self.tables, &self.model);
        assert_eq!(Machine::load(&self.tables).expect("load"), self.machine, "what a restart finds");
        assert_eq!(Machine::verify(&self.tables).expect("verify"), self.machine);
        let live = Machine::recompute_live_digest(&self.tables).expect("recompute");
        assert_eq!(live, self.machine.live_digest());
        let sessions = Machine::recompute_sessions_digest(&self.tables).expect("recompute");
        assert_eq!(sessions, self.machine.sessions_digest());
    }
}

pub(super) fn an_empty_store_is_sound<T: TablesMut>(make: &impl Fn() -> T) {
    let run = Run::new(make);
    run.compare();
    assert_eq!(dump(&run.tables), []);
}

pub(super) fn limits_hold_to_the_byte<T: TablesMut>(make: &impl Fn() -> T) {
    let mut run = Run::new(make);
    let bytes = |length| Bytes::from(vec![b'x'; length]);
    assert_eq!(run.machine.value_bytes_max(), VALUE_BYTES_MAX as u64);
    let first = Outcome::Put { revision: 1, create_revision: 1, version: 1 };
    assert_eq!(run.put(bytes(Command::KEY_BYTES_MAX), bytes(VALUE_BYTES_MAX)), first);
    let stored = run.get(&bytes(Command::KEY_BYTES_MAX)).expect("get").expect("it was put");
    assert_eq!(stored.value, bytes(VALUE_BYTES_MAX));
    let key_limit = Outcome::LimitExceeded { limit: Limit::KeyBytes, maximum: 1024 };
    assert_eq!(run.put(bytes(Command::KEY_BYTES_MAX + 1), bytes(1)), key_limit);
    assert_eq!(run.put(bytes(0), bytes(1)), key_limit);
    let value_limit = Outcome::LimitExceeded { limit: Limit::ValueBytes, maximum: VALUE_BYTES_MAX as u64 };
    assert_eq!(run.put(bytes(1), bytes(VALUE_BYTES_MAX + 1)), value_limit);
    assert_eq!(run.machine.summary().revision, 1, "a refused command takes no revision");
    Machine::verify(&run.tables).expect("verify");
}

pub(super) fn random_proposals_agree_with_the_model<T: TablesMut>(make: &impl Fn() -> T) {
    check(any_batches(), |batches| {
        let mut run = Run::new(make);
        let mut time_ms = 0;
        for (passed_ms, steps) in &batches {
            // Sometimes time stands still, or a leader's clock is behind.
            time_ms = (time_ms + passed_ms).saturating_sub(3);
            run.apply(time_ms, steps);
            Machine::verify(&run.tables).expect("every state on the way is sound");
        }
        run.compare();
    });
}

pub(super) fn batches_do_not_matter<T: TablesMut>(make: &impl Fn() -> T) {
    check(prop::collection::vec(any_step(), 1..30), |steps| {
        let (mut whole, mut single) = (Run::new(make), Run::new(make));
        let proposal = whole.apply(5, &steps);
        for step in &steps {
            single.apply(5, std::slice::from_ref(step));
        }
        assert_eq!(whole.machine, single.machine);
        assert_eq!(dump(&whole.tables), dump(&single.tables));
        // And what went through the log does the same as what did not.
        let mut decoded = Run::new(make);
        let proposal = Proposal::decode(&proposal.encode()).expect("it was just encoded");
        decoded.machine.apply(&mut decoded.tables, &proposal).expect("apply");
        assert_eq!(decoded.machine, whole.machine);
        assert_eq!(dump(&decoded.tables), dump(&whole.tables));
    });
}

pub(super) fn summaries_are_equal_where_states_are<T: TablesMut>(make: &impl Fn() -> T) {
    // Short, and with a common start, so that both cases occur.
    let steps = || prop::collection::vec(any_step(), 0..3);
    check((steps(), steps(), steps(), 5..7u64), |(common, left, right, time_ms)| {
        let run = |time_ms, own: &[Step]| {
            let mut run = Run::new(make);
            run.apply(5, &common);
            run.apply(time_ms, own);
            run
        };
        let (left, right) = (run(5, &left), run(time_ms, &right));
        let same = left.model == right.model;
        assert_eq!(left.machine.summary() == right.machine.summary(), same);
        assert_eq!(left.machine.summary().digest == right.machine.summary().digest, same);
        assert_eq!(dump(&left.tables) == dump(&right.tables), same);
    });
}

/// A store with a bit of everything: keys that were created, changed, deleted and created again.
fn varied<T: TablesMut>(make: &impl Fn() -> T) -> (Run<T>, Vec<(Bytes, Option<KeyValue>)>) {
    let mut run = Run::new(make);
    let mut commands = Vec::new();
    for (key, value) in
        [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4"), ("b", ""), ("c", ""), ("b", "7"), ("d", "1")]
    {
        let (key, condition) = (Bytes::from(key), Condition::Always);
        commands.push(match value {
            "" => Command::Delete { key, condition },
            value => Command::Put { key, value: Bytes::from(value), condition },
        });
    }
    run.machine.apply(&mut run.tables, &Proposal { time_ms: 1, commands }).expect("apply");
    Machine::verify(&run.tables).expect("sound before the damage");
    let keys = ["a", "b", "c", "d"].map(|key| (Bytes::from(key), run.get(key.as_bytes()).expect("get")));
    (run, keys.into())
}

pub(super) fn every_damaged_record_is_found<T: TablesMut>(make: &impl Fn() -> T) {
    let (mut run, keys) = varied(make);
    for (table, (key, record)) in dump(&run.tables) {
        for position in 0..record.len() {
            let mut flipped = record.to_vec();
            flipped[position] ^= 1 << (position % 8);
            run.tables.put(table, key.clone(), Bytes::from(flipped)).expect("put");
            let verdict = Machine::verify(&run.tables);
            assert!(matches!(verdict, Err(MachineError::Damaged(_))), "{table:?} {key:?} {position}");
            for (key, value) in &keys {
                match run.get(key) {
                    Ok(found) => assert_eq!(&found, value, "damage was served"),
                    Err(error) => assert!(matches!(error, MachineError::Damaged(_)), "{error}"),
                }
            }
        }
        run.tables.put(table, key, record).expect("put");
    }
    Machine::verify(&run.tables).expect("sound again");
}

pub(super) fn every_missing_record_is_found<T: TablesMut>(make: &impl Fn() -> T) {
    let (mut run, _) = varied(make);
    for (table, (key, record)) in dump(&run.tables) {
        run.tables.delete(table, &key).expect("delete");
        let verdict = Machine::verify(&run.tables);
        assert!(matches!(verdict, Err(MachineError::Damaged(_))), "{table:?} {key:?}");
        run.tables.put(table, key, record).expect("put");
    }
    Machine::verify(&run.tables).expect("sound again");
}

pub(super) fn records_without_a_head_are_no_new_store<T: TablesMut>(make: &impl Fn() -> T) {
    let (mut run, _) = varied(make);
    for (table, (key, _)) in dump(&run.tables) {
        if table == Table::Meta {
            run.tables.delete(table, &key).expect("delete");
        }
    }
    let error = Machine::load(&run.tables).expect_err("the head is gone");
    assert!(matches!(error, MachineError::Damaged(_)), "{error}");
}

/// What random commands come to, by the names of the outcomes.
#[cfg(test)]
pub(super) fn random_outcomes<T: TablesMut>(
    make: &impl Fn() -> T,
) -> std::collections::BTreeMap<String, usize> {
    use proptest::strategy::ValueTree;

    let mut names = std::collections::BTreeMap::new();
    let mut runner = TestRunner::deterministic();
    for _ in 0..1000 {
        let batches = any_batches().new_tree(&mut runner).expect("a value").current();
        let mut run = Run::new(make);
        for (time_ms, steps) in &batches {
            run.model.time_ms += time_ms;
            for step in steps {
                let command = step.command(&run.model);
                let name = match run.model.apply(&command) {
                    Outcome::LimitExceeded { limit, .. } => format!("{limit:?}"),
                    Outcome::TransactionRefused(invalid) => format!("{invalid:?}"),
                    outcome => format!("{outcome:?}"),
                };
                let name = name.split([' ', '(']).next().unwrap_or_default().to_owned();
                *names.entry(name).or_default() += 1;
            }
        }
    }
    names
}
