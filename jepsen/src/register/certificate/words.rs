//! Contradictions in words that a person can check against the file.

use crate::history::quoted;
use crate::register::clusters::Contradiction;
use crate::register::history::{OperationId, RegisterHistory};
use crate::register::operation::{Ending, KeyId, RegisterOperation, Request};
use crate::register::rows::Row;

/// Operations that an explanation quotes.
const QUOTED_MAX: usize = 40;

/// The reason that sorting found.
pub(super) fn of_contradiction(
    history: &RegisterHistory,
    rows: &[Row],
    contradiction: &Contradiction,
) -> Vec<String> {
    let name = |row: usize| name(history, rows[row].operation);
    let sentence = |row: usize| sentence(history, rows[row].operation);
    let came_before =
        |one: usize, other: usize| format!("{}; only then began the {}.", sentence(one), name(other));
    match *contradiction {
        Contradiction::NeverWritten(row) => {
            vec![format!("{}, but nothing wrote what it saw.", sentence(row))]
        }
        Contradiction::TakenTwice(one, other) => vec![
            format!("{}, and {}.", sentence(one), lower(&sentence(other))),
            "Both replaced the same value, but it was written only once.".to_owned(),
        ],
        Contradiction::Circle(row) => {
            vec![format!(
                "{}, but the value that it expected goes back, by compare-and-sets, to the one that it set.",
                sentence(row)
            )]
        }
        Contradiction::TooEarly(one, other) => vec![
            format!("By the values that they saw, the {} comes before the {}.", name(one), name(other)),
            format!("But the {} had ended before the {} began.", name(other), name(one)),
        ],
        Contradiction::Crossed([low, high, other_low, other_high]) => {
            let values = |low: usize, high: usize| {
                let value = |row: usize| value_of(history, rows[row].operation);
                let (low, high) = (value(low), value(high));
                if low == high { low } else { format!("{low} to {high}") }
            };
            let (one, other) = (values(low, high), values(other_low, other_high));
            vec![
                came_before(other_low, high),
                came_before(low, other_high),
                format!(
                    "So {other} was there before {one} had gone, and {one} before {other} had gone; \
                     each was written only once."
                ),
            ]
        }
        Contradiction::Held { refused, before, after } => {
            let mut reason = vec![format!("{}, but the value was there all the time.", sentence(refused))];
            reason.extend(before.map(|before| came_before(before, refused)));
            reason.push(format!("The {} began only after it had ended.", name(after)));
            reason
        }
    }
}

/// The reason that a search found.
pub(super) fn of_search(history: &RegisterHistory, stuck: &Row, is_whole: bool) -> Vec<String> {
    let begin = if is_whole { "" } else { ", whatever the register held before" };
    vec![
        format!("{}.", sentence(history, stuck.operation)),
        format!("No order of the following operations explains it{begin}."),
    ]
}

/// The whole explanation.
pub(super) fn explain(
    history: &RegisterHistory,
    key: KeyId,
    operations: &[OperationId],
    reason: Vec<String>,
) -> String {
    let key = match history.key_name(key) {
        b"" => "The register".to_owned(),
        key => format!("Key {}", quoted(key)),
    };
    let mut lines = vec![format!("{key} is not linearizable.")];
    lines.extend(reason);
    lines.push("The operations that contradict each other:".to_owned());
    let quote = |id: &OperationId| format!("  {}", sentence(history, *id));
    lines.extend(operations.iter().take(QUOTED_MAX).map(quote));
    if operations.len() > QUOTED_MAX {
        lines.push(format!("  and {} more", operations.len() - QUOTED_MAX));
    }
    lines.join("\n")
}

fn lower(sentence: &str) -> String {
    sentence.strip_prefix("The ").map_or_else(|| sentence.to_owned(), |rest| format!("the {rest}"))
}

/// What the operation saw or left.
fn value_of(history: &RegisterHistory, id: OperationId) -> String {
    let operation = history.operation(id);
    history.describe_value(match (operation.request, operation.ending) {
        (_, Ending::Value(value)) => value,
        (Request::Write(value), _) => value,
        (Request::CompareAndSet { new, .. }, _) => new,
        (Request::Read, _) => unreachable!("a read without a value is in no contradiction"),
    })
}

/// An operation in a few words: "read by client 3 (lines 812 to 815)".
fn name(history: &RegisterHistory, id: OperationId) -> String {
    let operation = history.operation(id);
    let what = match operation.request {
        Request::Read => "read".to_owned(),
        Request::Write(value) => format!("write of {}", history.describe_value(value)),
        Request::CompareAndSet { expected, new } => format!(
            "compare-and-set from {} to {}",
            history.describe_value(expected),
            history.describe_value(new)
        ),
    };
    format!("{what} by client {} ({})", operation.process, place(id, &operation))
}

/// An operation and its answer, as a sentence without its full stop.
fn sentence(history: &RegisterHistory, id: OperationId) -> String {
    let ending = match history.operation(id).ending {
        Ending::Value(value) => format!("returned {}", history.describe_value(value)),
        Ending::Done => "was acknowledged".to_owned(),
        Ending::Refused => "was refused".to_owned(),
        Ending::Failed => "failed".to_owned(),
        Ending::Unknown => "has an unknown outcome".to_owned(),
    };
    format!("The {} {ending}", name(history, id))
}

/// Where an operation is found: by its lines, or by its number and times.
fn place(id: OperationId, operation: &RegisterOperation) -> String {
    match (operation.invoked_line, operation.completed_line) {
        (0, _) => match operation.deadline() {
            Some(completed) => format!("operation {id}, time {} to {completed}", operation.invoked),
            None => format!("operation {id}, from time {}", operation.invoked),
        },
        (line, 0) => format!("from line {line}"),
        (line, completed) => format!("lines {line} to {completed}"),
    }
}
