//! A limit of the caller never becomes a verdict, wherever the check is when it is reached.

use std::sync::atomic::{AtomicUsize, Ordering};

use quorate_jepsen::generate::{Recipe, Values, generate};
use quorate_jepsen::register::{LimitReached, RegisterVerdict, Spending, check};
use quorate_jepsen::transactions::{
    Guarantee, Seen, Step, TransactionHistory, TransactionVerdict, check_transactions,
    check_transactions_while,
};

/// Calls `check` with callers that lose patience at the first question, at the second and so on, up to the
/// one that never does; `is_unlimited` tells whether the outcome is the one of an unlimited check. Returns
/// how many lost patience.
fn at_every_question<V>(check: impl Fn(&(dyn Fn() -> bool + Sync)) -> V, examine: impl Fn(V, bool)) -> usize {
    for patience in 0.. {
        let questions = AtomicUsize::new(0);
        let verdict = check(&|| questions.fetch_add(1, Ordering::Relaxed) >= patience);
        let is_reached = questions.load(Ordering::Relaxed) > patience;
        examine(verdict, is_reached);
        if !is_reached {
            return patience;
        }
    }
    unreachable!("a check ends")
}

#[track_caller]
fn check_registers(recipe: &Recipe, questions_min: usize) {
    let history = generate(recipe);
    let unlimited = check(&history, &Spending::default());
    let limited = |is_time_up: &(dyn Fn() -> bool + Sync)| {
        check(&history, &Spending { is_time_up, ..Spending::default() })
    };
    let questions = at_every_question(limited, |verdict, is_reached| match verdict {
        RegisterVerdict::Unknown { limit, .. } if is_reached => assert_eq!(limit, LimitReached::Time),
        verdict => assert!(!is_reached && verdict == unlimited, "{is_reached}: {verdict:?}"),
    });
    assert!(questions >= questions_min, "asked only {questions} times");
}

#[test]
fn registers_of_unique_values_ask_between_the_stages() {
    check_registers(&Recipe { operations: 20_000, unknown_percent: 5.0, ..Recipe::default() }, 3);
}

#[test]
fn registers_with_refused_compare_and_sets_ask_between_the_attempts() {
    check_registers(
        &Recipe { operations: 20_000, clients: 20, refused_percent: 10.0, ..Recipe::default() },
        4,
    );
}

#[test]
fn many_small_registers_ask_every_few_thousand_operations() {
    check_registers(&Recipe { operations: 20_000, keys: 2_000, ..Recipe::default() }, 4);
}

#[test]
fn the_search_asks() {
    check_registers(
        &Recipe { operations: 1_000, clients: 20, values: Values::Repeated(5), ..Recipe::default() },
        1,
    );
}

/// Clients that append to and read one list, one after the other; the last read may miss an append.
fn lists(is_stale: bool) -> TransactionHistory {
    let mut history = TransactionHistory::new();
    let key = history.key("x");
    let mut list = Vec::new();
    for number in 0..5_000_u64 {
        let value = history.value(&number.to_string());
        list.push(value);
        let append = [Step::Append { key, value }];
        let id = history.invoke(number % 5, &append, number * 10, 0);
        history.ok(id, &append, number * 10 + 5, 0).expect("it was asked so");
    }
    list.truncate(list.len() - usize::from(is_stale));
    let seen = Seen::List(history.list(&list));
    let read = history.invoke(9, &[Step::Read { key, seen: Seen::Unknown }], 60_000, 0);
    history.ok(read, &[Step::Read { key, seen }], 60_001, 0).expect("it was asked so");
    history
}

#[test]
fn transactions_ask_between_the_stages() {
    for is_stale in [false, true] {
        let history = lists(is_stale);
        let guarantee = Guarantee::StrictlySerializable;
        let unlimited = check_transactions(&history, guarantee).expect("a workload");
        assert_eq!(unlimited.is_kept(), !is_stale);
        let limited = |is_time_up: &(dyn Fn() -> bool + Sync)| {
            check_transactions_while(&history, guarantee, &|| !is_time_up()).expect("a workload")
        };
        let questions = at_every_question(limited, |report, is_reached| match report.verdict {
            TransactionVerdict::Unknown { is_time_up, .. } => assert!(is_time_up && is_reached),
            _ => assert!(!is_reached && report == unlimited, "{report}"),
        });
        assert!(questions >= 4, "asked only {questions} times");
    }
}
