//! Histories of the size that the simulator checks on every seed.
//!
//! The tests bound steps and not time, so that they say the same on every machine.

mod support;

use quorate_jepsen::checker::{Limits, check};
use quorate_jepsen::history::{History, Operation, Outcome};
use quorate_jepsen::model::RevisionedKey;
use quorate_jepsen::report::check_store;
use quorate_jepsen::store::{StoreAnswer, StoreCall, StoreHistory};
use support::{Workload, run};

/// A copy of a history in which `change` may alter each operation's outcome.
fn altered(
    history: &StoreHistory,
    mut change: impl FnMut(usize, &Operation<StoreCall>) -> Outcome<StoreAnswer>,
) -> StoreHistory {
    let mut copy = History::new();
    for (index, operation) in history.operations().iter().enumerate() {
        let id = copy.invoke(operation.process, &operation.key, operation.call.clone(), operation.invoked);
        match (change(index, operation), operation.completed) {
            (Outcome::Ok(answer), Some(time)) => copy.ok(id, answer, time),
            (Outcome::Failed, Some(time)) => copy.failed(id, time),
            (_, Some(time)) => copy.unknown(id, time),
            (_, None) => {}
        }
    }
    copy
}

#[test]
fn a_seed_of_the_simulator_takes_a_few_steps_an_operation() {
    for seed in 0..20 {
        let history = run(Workload { operations: 2_000, clients: 10, keys: 20, unknown_percent: 5, seed });
        let report = check_store(&history, &Limits { steps_per_key_max: 5_000 });
        assert!(report.is_pass(), "seed {seed}: {report}");
    }
}

#[test]
fn five_thousand_operations_on_one_key_with_unknown_outcomes_pass() {
    for seed in 0..3 {
        let history = run(Workload { operations: 5_000, clients: 8, keys: 1, unknown_percent: 5, seed });
        let report = check_store(&history, &Limits::default());
        assert!(report.is_pass(), "seed {seed}: {report}");
    }
}

#[test]
fn many_unknown_outcomes_do_not_defeat_the_search() {
    for seed in 0..3 {
        let history = run(Workload { operations: 1_000, clients: 8, keys: 4, unknown_percent: 30, seed });
        let report = check_store(&history, &Limits::default());
        assert!(report.is_pass(), "seed {seed}: {report}");
    }
}

#[test]
fn one_get_of_an_older_value_is_found_among_thousands_of_operations() {
    let history = run(Workload { operations: 5_000, clients: 8, keys: 5, unknown_percent: 5, seed: 7 });
    let key = b"key-0".to_vec();
    let gets = history.operations().iter().enumerate().filter(|(_, operation)| {
        operation.key == key && matches!(operation.answer(), Some(StoreAnswer::Found { .. }))
    });
    let gets: Vec<_> = gets.collect();
    let (_, early) = gets[gets.len() / 4];
    let (stale, _) = gets[gets.len() / 2];
    let wrong = altered(&history, |index, operation| match index == stale {
        true => early.outcome.clone(),
        false => operation.outcome.clone(),
    });
    let report = check_store(&wrong, &Limits::default());
    assert!(report.revision_violations.iter().any(|violation| violation.broken_by == stale), "{report}");
    let certificate = report.verdict.certificate().expect("a stale get is convicted");
    assert_eq!(certificate.operation, stale, "{certificate}");
}

#[test]
fn a_limit_that_is_too_low_gives_no_verdict() {
    let history = run(Workload { operations: 500, clients: 8, keys: 1, unknown_percent: 5, seed: 1 });
    let report = check_store(&history, &Limits { steps_per_key_max: 100 });
    assert!(!report.is_pass() && !report.is_violation(), "{report}");
}

#[test]
fn the_same_history_gives_the_same_report_to_the_byte() {
    let history = run(Workload { operations: 600, clients: 8, keys: 3, unknown_percent: 10, seed: 3 });
    let last_get = history
        .operations()
        .iter()
        .rposition(|operation| matches!(operation.answer(), Some(StoreAnswer::Found { .. })));
    let wrong = altered(&history, |index, operation| match Some(index) == last_get {
        true => Outcome::Ok(StoreAnswer::Found { value: b"no one's".to_vec(), revision: 1 }),
        false => operation.outcome.clone(),
    });
    let (first, second) = (check_store(&wrong, &Limits::default()), check_store(&wrong, &Limits::default()));
    assert_eq!(format!("{first:?}\n{first}"), format!("{second:?}\n{second}"));
    assert!(check::<RevisionedKey>(&wrong, &Limits::default()).certificate().is_some());
}
