//! What of the store a run has come to. A workload that never meets what it is there for proves nothing;
//! many seeds together have to meet all of it.

use std::collections::BTreeMap;

use quorate_api::{Consistency, ErrorCode, OperationAnswer};
use quorate_kv::{Command, Operation};

use super::effect::Effect;
use super::operation::{Asked, StoreOperation, Told};
use super::reference::{Identity, Reference};

/// Everything that is counted.
const EVENTS: [&str; 30] = [
    "accounts summed up",
    "chunks of a delete behind the first",
    "commits of list transactions",
    "compacted answers",
    "compactions by hand",
    "compactions by settings",
    "counted ranges",
    "descending pages",
    "expired sessions",
    "freed sequences",
    "histories listed",
    "kept sessions",
    "lease reads",
    "nested transactions",
    "oversized transactions refused",
    "pages",
    "pages behind a cursor",
    "past pages",
    "past reads",
    "puts in sessions",
    "quota lifted by itself",
    "quota refusals",
    "range deletes",
    "replayed answers",
    "reused sequences refused",
    "session writes twice in the log",
    "settings changes",
    "too many sessions",
    "transactions that failed",
    "transactions that succeeded",
];

/// How often each event was seen.
pub type Coverage = BTreeMap<&'static str, u64>;

/// Counts.
pub(super) fn count(operations: &[StoreOperation], reference: &Reference) -> Coverage {
    let mut coverage: Coverage = EVENTS.into_iter().map(|event| (event, 0)).collect();
    let mut see = |event: &'static str, times: u64| {
        *coverage.get_mut(event).expect("every event is listed") += times;
    };
    for operation in operations {
        of_operation(operation, &mut |event| see(event, 1));
    }
    see("quota lifted by itself", reference.quota_lifted());
    for (identity, found) in reference.all_occurrences() {
        let again = found.len() as u64 - 1;
        match identity {
            Identity::InSession { .. } => see("session writes twice in the log", again),
            Identity::RangeDelete { .. } => see("chunks of a delete behind the first", again),
            Identity::Command(_) => {}
        }
    }
    let asked = operations.iter().filter(|it| matches!(compacts(&it.asked), Some(true))).count() as u64;
    let compactions = reference.all_occurrences().map(|(_, found)| {
        found.iter().filter(|found| matches!(found.effect, Effect::Compacted { .. })).count() as u64
    });
    see("compactions by settings", compactions.sum::<u64>().saturating_sub(asked));
    coverage
}

fn compacts(asked: &Asked) -> Option<bool> {
    let Asked::Write { command, .. } = asked else { return None };
    Some(matches!(command, Command::Compact { .. }))
}

fn of_operation(operation: &StoreOperation, see: &mut impl FnMut(&'static str)) {
    let is_past = operation.asked.past_revision().is_some();
    match (&operation.asked, &operation.told) {
        (_, Told::Refused { code: ErrorCode::Compacted, .. }) => see("compacted answers"),
        (Asked::Get { revision: Some(_), .. }, Told::Found { .. }) => see("past reads"),
        (Asked::Get { consistency: Consistency::Lease, .. }, Told::Found { .. }) => see("lease reads"),
        (Asked::Range { query, after, .. }, Told::Page { entries, .. }) => {
            see("pages");
            if after.is_some() {
                see("pages behind a cursor");
            } else if is_past {
                see("past pages");
            }
            if query.direction == quorate_kv::Direction::Descending {
                see("descending pages");
            }
            if query.range == super::bank::accounts() && !entries.is_empty() {
                see("accounts summed up");
            }
        }
        (Asked::Range { .. }, Told::Count { .. }) => see("counted ranges"),
        (Asked::Changes { .. }, Told::Changes { .. }) => see("histories listed"),
        (Asked::Write { command, session }, Told::Wrote { effect, replayed }) => {
            if *replayed {
                see("replayed answers");
            }
            if session.is_some() && matches!(effect, Effect::Put { .. }) {
                see("puts in sessions");
            }
            of_write(command, effect, see);
        }
        _ => {}
    }
}

fn of_write(command: &Command, effect: &Effect, see: &mut impl FnMut(&'static str)) {
    match effect {
        Effect::Transaction(answer) => {
            see(if answer.succeeded { "transactions that succeeded" } else { "transactions that failed" });
            if answer.results.iter().flatten().any(|result| matches!(result, OperationAnswer::Txn { .. })) {
                see("nested transactions");
            }
            if answer.succeeded && puts_list(command) {
                see("commits of list transactions");
            }
        }
        Effect::RangeDeleted { .. } => see("range deletes"),
        Effect::SettingsChanged => see("settings changes"),
        Effect::Compacted { .. } => see("compactions by hand"),
        Effect::SessionKept { .. } => see("kept sessions"),
        Effect::Refused(ErrorCode::SessionExpired) => see("expired sessions"),
        Effect::Refused(ErrorCode::SequenceFreed) => see("freed sequences"),
        Effect::Refused(ErrorCode::SequenceReused) => see("reused sequences refused"),
        Effect::Refused(ErrorCode::QuotaExceeded) => see("quota refusals"),
        Effect::Refused(ErrorCode::TooManySessions) => see("too many sessions"),
        Effect::Refused(ErrorCode::TooManyOperations) => see("oversized transactions refused"),
        _ => {}
    }
}

fn puts_list(command: &Command) -> bool {
    let Command::Transaction(transaction) = command else { return false };
    let prefix = super::lists::LISTS.as_bytes();
    let puts =
        |operation: &Operation| matches!(operation, Operation::Put { key, .. } if key.starts_with(prefix));
    transaction.success.iter().any(puts)
}
