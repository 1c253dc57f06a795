//! Certificates of registers: their words, and that they do not depend on who finds them.

use quorate_jepsen::generate::{Recipe, Values, generate};
use quorate_jepsen::register::{
    Ending, KeyId, RegisterHistory, RegisterVerdict, Request, Spending, ValueId, check,
};

fn on_threads(history: &RegisterHistory, threads: usize) -> RegisterVerdict {
    check(history, &Spending { threads, ..Spending::default() })
}

#[test]
fn the_verdict_and_its_proof_do_not_depend_on_the_number_of_threads() {
    let (mut right, mut wrong) = (0, 0);
    for seed in 0..8 {
        for (values, has_stale_read) in [
            (Values::Unique, false),
            (Values::Unique, true),
            (Values::Repeated(5), false),
            (Values::Repeated(5), true),
        ] {
            let history = generate(&Recipe {
                operations: 3_000,
                clients: 8,
                keys: 40,
                values,
                unknown_percent: 3.0,
                refused_percent: 3.0,
                has_stale_read,
                seed,
                ..Recipe::default()
            });
            let one = on_threads(&history, 1);
            assert_eq!(one, on_threads(&history, 2), "{values:?}, seed {seed}");
            assert_eq!(one, on_threads(&history, 3), "{values:?}, seed {seed}");
            *(if one.is_linearizable() { &mut right } else { &mut wrong }) += 1;
        }
    }
    assert!(right >= 16 && wrong >= 8, "{right} right and {wrong} wrong histories test little");
}

/// Values that repeat: a search must convict. What it names must be wrong by itself.
#[test]
fn a_stale_read_among_five_thousand_operations_on_few_values_is_convicted() {
    let mut convicted = 0;
    for seed in 0..12 {
        let history = generate(&Recipe {
            operations: 5_000,
            clients: 5,
            values: Values::Repeated(5),
            has_stale_read: true,
            seed,
            ..Recipe::default()
        });
        // Where an open write could explain the stale read as well, there is nothing to convict.
        let RegisterVerdict::NotLinearizable { certificate } = on_threads(&history, 1) else { continue };
        convicted += 1;
        let words = &certificate.explanation;
        assert!(words.starts_with("Key \"0\" is not linearizable.\nThe "), "{words}");
        assert!(words.contains("No order of the following operations explains it"), "{words}");
        assert!(words.contains("The operations that contradict each other:\n  The "), "{words}");
        let operations = &certificate.operations;
        assert!(!operations.is_empty() && operations.len() < 200, "{words}");
        assert!(operations.is_sorted_by_key(|id| history.operation(*id).invoked), "{words}");
    }
    assert!(convicted >= 2, "only {convicted} histories were wrong");
}

/// A history of key `k`: for each operation its client, request, ending and two lines, which are its times.
fn history(operations: &[(u64, Request, Ending, u32, u32)]) -> RegisterHistory {
    let mut history = RegisterHistory::new();
    let key = history.key(b"k");
    for value in 1..=9 {
        history.value(key, format!("v{value}").as_bytes());
    }
    for (client, request, ending, begin, end) in operations {
        let id = history.invoke(*client, key, *request, u64::from(*begin), *begin);
        history.complete(id, *ending, u64::from(*end), *end);
    }
    history
}

/// The value `v1`, `v2` and so on of the histories here.
fn v(history: &mut RegisterHistory, number: u32) -> ValueId {
    let key: KeyId = history.key(b"k");
    history.value(key, format!("v{number}").as_bytes())
}

#[track_caller]
fn check_words(operations: &[(u64, Request, Ending, u32, u32)], expected: &[&str]) {
    let history = history(operations);
    let verdict = on_threads(&history, 1);
    let certificate = verdict.certificate().expect("it is wrong");
    assert_eq!(certificate.explanation.lines().collect::<Vec<_>>(), expected);
    assert!(certificate.is_minimal);
}

#[test]
fn a_certificate_names_clients_values_and_lines() {
    let mut names = history(&[]);
    let [one, two] = [1, 2].map(|number| v(&mut names, number));
    check_words(
        &[
            (1, Request::Write(one), Ending::Done, 1, 2),
            (2, Request::Write(two), Ending::Done, 3, 4),
            (3, Request::Read, Ending::Value(one), 5, 6),
        ],
        &[
            "Key \"k\" is not linearizable.",
            "The write of v2 by client 2 (lines 3 to 4) was acknowledged; only then began the read by client 3 (lines 5 to 6).",
            "The write of v1 by client 1 (lines 1 to 2) was acknowledged; only then began the write of v2 by client 2 (lines 3 to 4).",
            "So v2 was there before v1 had gone, and v1 before v2 had gone; each was written only once.",
            "The operations that contradict each other:",
            "  The write of v1 by client 1 (lines 1 to 2) was acknowledged",
            "  The write of v2 by client 2 (lines 3 to 4) was acknowledged",
            "  The read by client 3 (lines 5 to 6) returned v1",
        ],
    );
    check_words(
        &[(3, Request::Read, Ending::Value(two), 5, 6)],
        &[
            "Key \"k\" is not linearizable.",
            "The read by client 3 (lines 5 to 6) returned v2, but nothing wrote what it saw.",
            "The operations that contradict each other:",
            "  The read by client 3 (lines 5 to 6) returned v2",
        ],
    );
    check_words(
        &[
            (1, Request::CompareAndSet { expected: ValueId::INITIAL, new: one }, Ending::Done, 1, 4),
            (2, Request::CompareAndSet { expected: ValueId::INITIAL, new: two }, Ending::Done, 2, 3),
        ],
        &[
            "Key \"k\" is not linearizable.",
            "The compare-and-set from unset to v1 by client 1 (lines 1 to 4) was acknowledged, and the compare-and-set from unset to v2 by client 2 (lines 2 to 3) was acknowledged.",
            "Both replaced the same value, but it was written only once.",
            "The operations that contradict each other:",
            "  The compare-and-set from unset to v1 by client 1 (lines 1 to 4) was acknowledged",
            "  The compare-and-set from unset to v2 by client 2 (lines 2 to 3) was acknowledged",
        ],
    );
    check_words(
        &[
            (1, Request::Write(one), Ending::Done, 1, 2),
            (2, Request::CompareAndSet { expected: one, new: two }, Ending::Refused, 3, 4),
            (3, Request::Read, Ending::Value(one), 5, 6),
        ],
        &[
            "Key \"k\" is not linearizable.",
            "The compare-and-set from v1 to v2 by client 2 (lines 3 to 4) was refused, but the value was there all the time.",
            "The write of v1 by client 1 (lines 1 to 2) was acknowledged; only then began the compare-and-set from v1 to v2 by client 2 (lines 3 to 4).",
            "The read by client 3 (lines 5 to 6) began only after it had ended.",
            "The operations that contradict each other:",
            "  The write of v1 by client 1 (lines 1 to 2) was acknowledged",
            "  The compare-and-set from v1 to v2 by client 2 (lines 3 to 4) was refused",
        ],
    );
}
