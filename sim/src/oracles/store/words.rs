//! Requests and answers in words, for traces and evidence: short, because every request of a run is written
//! down in words once.

use std::fmt;

use quorate_api::{OperationAnswer, TransactionAnswer};
use quorate_kv::{Command, Comparison, KeyRange, Operation, Target, Transaction};

use super::effect::Effect;
use super::operation::{Asked, Told};

/// How much of a value is shown: of lists the end is of interest.
const VALUE_BYTES_SHOWN: usize = 24;
/// How many things of many are shown.
const SHOWN_MAX: usize = 24;

impl fmt::Display for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Asked::Get { key, revision, consistency } => {
                write!(formatter, "get {}", key.escape_ascii())?;
                at(formatter, *revision)?;
                write!(formatter, ", {}", consistency.name())
            }
            Asked::Range { query, after, consistency } => {
                write!(formatter, "{:?} of {}", query.form, Range(&query.range))?;
                if let Some(limit) = query.limit {
                    write!(formatter, ", at most {limit}")?;
                }
                write!(formatter, ", {:?}", query.direction)?;
                at(formatter, query.revision)?;
                if let Some(after) = after {
                    write!(formatter, " behind {} at {}", after.last_key.escape_ascii(), after.revision)?;
                }
                write!(formatter, ", {}", consistency.name())
            }
            Asked::Changes { from, limit } => write!(formatter, "changes from {from}, at most {limit}"),
            Asked::Write { command, session } => {
                if let Some((key, below)) = session {
                    write!(formatter, "{}:{} (below {below}) ", key.session, key.sequence)?;
                }
                write_command(formatter, command)
            }
        }
    }
}

fn at(formatter: &mut fmt::Formatter<'_>, revision: Option<u64>) -> fmt::Result {
    revision.map_or(Ok(()), |revision| write!(formatter, " at {revision}"))
}

impl fmt::Display for Told {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Found { revision, found: None } => write!(formatter, "revision {revision}: no such key"),
            Told::Found { revision, found: Some(found) } => {
                let (value, changed, version) = (Value(&found.value), found.mod_revision, found.version);
                write!(formatter, "revision {revision}: {value} of {changed}, version {version}")
            }
            Told::Page { revision, entries, next } => {
                write!(formatter, "revision {revision}: {} keys", entries.len())?;
                for entry in entries.iter().take(SHOWN_MAX) {
                    write!(formatter, " {}@{}", entry.key.escape_ascii(), entry.mod_revision)?;
                }
                if next.is_some() { write!(formatter, ", and more") } else { Ok(()) }
            }
            Told::Count { revision, count } => write!(formatter, "revision {revision}: {count} keys"),
            Told::Changes { revision, changes, next_from } => {
                write!(formatter, "revision {revision}: {} changes", changes.len())?;
                for change in changes.iter().take(SHOWN_MAX) {
                    write!(formatter, " {}@{}", change.key.escape_ascii(), change.revision)?;
                }
                write!(formatter, ", and on from {next_from}")
            }
            Told::Wrote { effect, replayed } => {
                write!(formatter, "{}{effect}", if *replayed { "before: " } else { "" })
            }
            Told::Refused { code, oldest } => {
                write!(formatter, "refused: {code}")?;
                oldest.map_or(Ok(()), |oldest| write!(formatter, ", the oldest is {oldest}"))
            }
            Told::NotSent => formatter.write_str("nothing, for it did not arrive"),
            Told::Unknown => formatter.write_str("nothing"),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Transaction(answer) => write_answer(formatter, answer),
            effect => write!(formatter, "{effect:?}"),
        }
    }
}

fn write_answer(formatter: &mut fmt::Formatter<'_>, answer: &TransactionAnswer) -> fmt::Result {
    let done = if answer.succeeded { "success" } else { "failure" };
    write!(formatter, "revision {}: {done}", answer.revision)?;
    for result in answer.results.iter().flatten() {
        match result {
            OperationAnswer::Get { item: None } => write!(formatter, ", none")?,
            OperationAnswer::Get { item: Some(item) } => {
                let value = Value(item.value.as_deref().unwrap_or_default());
                write!(formatter, ", {value}@{}", item.mod_revision)?;
            }
            OperationAnswer::Put { version, .. } => write!(formatter, ", put {version}")?,
            OperationAnswer::Txn { succeeded, .. } => write!(formatter, ", nested {succeeded}")?,
            OperationAnswer::Range(quorate_api::RangeResult::Items { items, .. }) => {
                write!(formatter, ", range")?;
                for item in items.iter().take(SHOWN_MAX) {
                    let value = Value(item.value.as_deref().unwrap_or_default());
                    write!(formatter, " {}={value}", item.key.escape_ascii())?;
                }
            }
            other => write!(formatter, ", {other:?}")?,
        }
    }
    Ok(())
}

fn write_command(formatter: &mut fmt::Formatter<'_>, command: &Command) -> fmt::Result {
    match command {
        Command::Put { key, value, condition } => {
            write!(formatter, "put {}={}, {condition:?}", key.escape_ascii(), Value(value))
        }
        Command::Delete { key, condition } => {
            write!(formatter, "delete {}, {condition:?}", key.escape_ascii())
        }
        Command::DeleteRange { range, .. } => write!(formatter, "delete {}", Range(range)),
        Command::Transaction(transaction) => write_transaction(formatter, transaction),
        command => write!(formatter, "{command:?}"),
    }
}

fn write_transaction(formatter: &mut fmt::Formatter<'_>, transaction: &Transaction) -> fmt::Result {
    for Comparison { target, predicate } in &transaction.comparisons {
        match target {
            Target::Key(key) => write!(formatter, "if {} {predicate:?} ", key.escape_ascii())?,
            Target::Range(range) => write!(formatter, "if {} {predicate:?} ", Range(range))?,
        }
    }
    for (word, operations) in [("then", &transaction.success), ("else", &transaction.failure)] {
        write!(formatter, "{word}")?;
        for operation in operations {
            match operation {
                Operation::Put { key, value } => {
                    write!(formatter, " put {}={}", key.escape_ascii(), Value(value))?;
                }
                Operation::Get { key } => write!(formatter, " get {}", key.escape_ascii())?,
                Operation::Delete { key } => write!(formatter, " delete {}", key.escape_ascii())?,
                Operation::Range { range, .. } => write!(formatter, " range {}", Range(range))?,
                Operation::DeleteRange { range } => write!(formatter, " delete {}", Range(range))?,
                Operation::Transaction(nested) => {
                    formatter.write_str(" (")?;
                    write_transaction(formatter, nested)?;
                    formatter.write_str(")")?;
                }
            }
        }
        formatter.write_str(" ")?;
    }
    Ok(())
}

/// A range by its bounds.
struct Range<'range>(&'range KeyRange);

impl fmt::Display for Range<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}, ", self.0.start().escape_ascii())?;
        match self.0.end() {
            Some(end) => write!(formatter, "{})", end.escape_ascii()),
            None => formatter.write_str("the end)"),
        }
    }
}

/// A value without its padding, or the end of it.
struct Value<'value>(&'value [u8]);

impl fmt::Display for Value<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.iter().position(|byte| *byte == b'.').unwrap_or(self.0.len());
        let begin = end.saturating_sub(VALUE_BYTES_SHOWN);
        write!(formatter, "{}", self.0[begin..end].escape_ascii())
    }
}
