//! Histories that are checked while they are recorded: the verdict is that of the whole, in little memory.

#[path = "support/registers.rs"]
mod registers;

use std::collections::BTreeMap;

use quorate_jepsen::generate::{Recipe, generate};
use quorate_jepsen::register::{
    Ended, Ending, OperationId, RegisterHistory, RegisterStream, Request, Spending, StreamViolation, ValueId,
    check,
};
use registers::{Numbers, Shape, describe, random_history};

/// Plays a history of one key into a stream, and checks after every `every` events. Returns the most
/// operations that the stream held after a check.
fn play(history: &RegisterHistory, every: usize) -> Result<usize, StreamViolation> {
    let name = |value: ValueId| {
        let text = history.value_text(value)?;
        Some(std::str::from_utf8(text).expect("digits").parse().expect("a number"))
    };
    let mut events: Vec<(u64, bool, OperationId)> = Vec::new();
    for (id, operation) in (0..).zip(history.operations()) {
        events.push((operation.invoked, false, id));
        events.extend(operation.completed.map(|completed| (completed, true, id)));
    }
    events.sort_unstable();
    let mut stream = RegisterStream::new();
    let mut open = BTreeMap::new();
    let mut most_held = 0;
    for (count, (time, is_end, id)) in (1..).zip(events) {
        let operation = history.operation(id);
        if is_end {
            let ending = match operation.ending {
                Ending::Value(value) => Ended::Value(name(value)),
                Ending::Done => Ended::Done,
                Ending::Refused => Ended::Refused,
                Ending::Failed => Ended::Failed,
                Ending::Unknown => Ended::Unknown,
            };
            stream.complete(open.remove(&id).expect("it is open"), ending, time)?;
        } else {
            let begun = match operation.request {
                Request::Read => stream.read(operation.process, time),
                Request::Write(value) => stream.write(operation.process, name(value).expect("a value"), time),
                Request::CompareAndSet { expected, new } => {
                    let new = name(new).expect("a value");
                    stream.compare_and_set(operation.process, name(expected), new, time)
                }
            };
            open.insert(id, begun);
        }
        if count % every == 0 {
            stream.check_now()?;
            most_held = most_held.max(stream.held_count());
        }
    }
    stream.check_now()?;
    Ok(most_held)
}

#[test]
fn a_stream_finds_what_the_check_of_the_whole_finds() {
    let mut wrong = 0;
    for seed in 0..8_000 {
        let mut numbers = Numbers(seed);
        let shape = Shape {
            operations_max: 30,
            values: 0,
            unknown_percent: (seed % 3) * 15,
            cas_percent: (seed % 4) * 20,
            refused_percent: 0,
            wrong_percent: 5,
        };
        let history = random_history(&mut numbers, shape);
        let writes_initial = history.operations().any(|operation| {
            matches!(operation.request, Request::CompareAndSet { new: ValueId::INITIAL, .. })
        });
        if writes_initial {
            continue;
        }
        let expected = check(&history, &Spending::default()).is_linearizable();
        wrong += usize::from(!expected);
        let found = play(&history, 1 + (seed % 5) as usize);
        assert_eq!(found.is_ok(), expected, "seed {seed}\n{}{found:?}", describe(&history));
    }
    assert!(wrong > 500, "{wrong} wrong histories test little");
}

#[test]
fn a_long_stream_holds_little() {
    for (cas_percent, seed) in [(0.0, 1), (5.0, 2), (60.0, 3)] {
        let recipe = Recipe { operations: 30_000, clients: 10, cas_percent, seed, ..Recipe::default() };
        let most_held = play(&generate(&recipe), 100).expect("the history is right");
        assert!(most_held < 200, "{most_held} operations held");
    }
}

#[test]
fn a_stale_read_is_found_in_a_long_stream() {
    for seed in 0..5 {
        let recipe = Recipe { operations: 3_000, has_stale_read: true, seed, ..Recipe::default() };
        let violation = play(&generate(&recipe), 50).expect_err("one read was stale");
        assert!(violation.explanation.contains("The read by client"), "{}", violation.explanation);
    }
}
