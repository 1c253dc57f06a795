//! Reads: every one shows the state at the revision that it names, whole; none names a revision that was
//! yet to come, nor, if it is about the newest one, a revision that somebody had seen the end of before.

use quorate_api::{Change, ErrorCode};
use quorate_kv::{KeyEntry, RangeQuery};

use super::operation::{After, Asked, StoreOperation, Told};
use super::reference::Reference;
use super::{COMPACTED_IS_GIVEN_UP, CURRENT_READS, READS_SHOW_THEIR_REVISION};
use crate::oracles::timeline::Timeline;
use crate::oracles::{Judgement, Violation, seconds};

/// Judges all reads. `known` is the newest revision that a client had been told of at each moment.
pub(super) fn check(operations: &[StoreOperation], reference: &Reference, known: &Timeline) -> Judgement {
    for operation in operations {
        check_one(operation, reference, known).map_err(|(property, reason)| {
            let (asked, told) = (&operation.asked, &operation.told);
            let (invoked, ended) = (seconds(operation.invoked_ns), seconds(operation.ended_ns()));
            let evidence = format!(
                "c{} asked n{} from {invoked} to {ended}: {asked}; it was told {told}; {reason}",
                operation.client, operation.member
            );
            Violation::new(property, evidence)
        })?;
    }
    Ok(())
}

/// What is wrong: the property, and why.
type Wrong = (&'static str, String);

fn check_one(operation: &StoreOperation, reference: &Reference, known: &Timeline) -> Result<(), Wrong> {
    let (asked, told) = (&operation.asked, &operation.told);
    if matches!(asked, Asked::Write { .. }) {
        return Ok(());
    }
    match told {
        Told::Refused { code: ErrorCode::Compacted, oldest } => {
            return check_compacted(operation, *oldest, reference);
        }
        // No client asks for what it was not told of before; but a node that lags need not know of it.
        Told::Refused { code: ErrorCode::FutureRevision | ErrorCode::BadCursor, .. } if !asked.is_stale() => {
            let revision = asked.past_revision().unwrap_or(0);
            let reason = format!("revision {revision} had been shown before");
            return Err((READS_SHOW_THEIR_REVISION, reason));
        }
        _ => {}
    }
    let Some(revision) = told.revision() else { return Ok(()) };
    let newest = reference.newest_at(operation.ended_ns());
    if revision > newest {
        return Err((READS_SHOW_THEIR_REVISION, format!("revision {newest} was the newest")));
    }
    if let Some((since_ns, seen)) = known.before(operation.invoked_ns).filter(|(_, seen)| revision < *seen)
        && asked.is_current_read()
    {
        return Err((CURRENT_READS, format!("revision {seen} was known by {}", seconds(since_ns))));
    }
    match asked.past_revision() {
        Some(wanted) if wanted != revision => {
            Err((READS_SHOW_THEIR_REVISION, format!("revision {wanted} was asked for")))
        }
        _ => check_content(asked, told, reference),
    }
}

fn check_compacted(
    operation: &StoreOperation,
    oldest: Option<u64>,
    reference: &Reference,
) -> Result<(), Wrong> {
    let wrong = |reason| Err((COMPACTED_IS_GIVEN_UP, reason));
    let given_up = reference.compacted_at(operation.ended_ns());
    let (wanted, oldest_max) = match &operation.asked {
        // Of the oldest revision that can be read not all changes are there.
        Asked::Changes { from, .. } => ((*from).max(1), given_up + 1),
        asked => match asked.past_revision() {
            Some(revision) => (revision, given_up),
            None => return wrong("the newest revision was asked for".to_owned()),
        },
    };
    match oldest {
        Some(oldest) if wanted < oldest && oldest <= oldest_max => Ok(()),
        _ => wrong(format!("{wanted} was asked for, and revisions below {given_up} had been given up")),
    }
}

fn check_content(asked: &Asked, told: &Told, reference: &Reference) -> Result<(), Wrong> {
    let wrong = |reason| Err((READS_SHOW_THEIR_REVISION, reason));
    match (asked, told) {
        (Asked::Get { key, .. }, Told::Found { revision, found }) => {
            let expected = reference.get(key, *revision);
            match found.as_ref() == expected {
                true => Ok(()),
                false => wrong(format!("the key was {}", shown(expected))),
            }
        }
        (Asked::Range { query, after, .. }, Told::Page { revision, entries, next }) => {
            check_page(query, after.as_ref(), *revision, entries, next.is_some(), reference)
        }
        (Asked::Range { query, .. }, Told::Count { revision, count }) => {
            let all = reference.range(query, *revision).len() as u64;
            let expected = query.limit.map_or(all, |limit| all.min(limit));
            match *count == expected {
                true => Ok(()),
                false => wrong(format!("there were {expected} keys")),
            }
        }
        (Asked::Changes { from, limit }, Told::Changes { revision, changes, next_from }) => {
            check_changes((*from).max(1), *limit, *revision, changes, *next_from, reference)
        }
        (_, Told::NotSent | Told::Unknown | Told::Refused { .. }) => Ok(()),
        _ => wrong("that is no answer to this".to_owned()),
    }
}

fn check_page(
    query: &RangeQuery,
    after: Option<&After>,
    revision: u64,
    entries: &[KeyEntry],
    has_next: bool,
    reference: &Reference,
) -> Result<(), Wrong> {
    let wrong = |reason| Err((READS_SHOW_THEIR_REVISION, reason));
    let query = after.map_or(query.clone(), |after| query.after(after.revision, &after.last_key));
    let rest = reference.range(&query, revision);
    let length = query.limit.map_or(rest.len(), |limit| rest.len().min(limit as usize));
    if entries != &rest[..length] {
        let position = entries.iter().zip(&rest).take_while(|(found, expected)| found == expected).count();
        let expected = rest[..length].get(position);
        return wrong(format!("number {position} of {length} was {}", shown(expected)));
    }
    match (has_next, rest.len() > length) {
        (false, true) => wrong(format!("there were {} more keys", rest.len() - length)),
        (true, false) if query.limit != Some(length as u64) => {
            wrong("the limit left nothing out, but a cursor goes on".to_owned())
        }
        _ => Ok(()),
    }
}

fn check_changes(
    from: u64,
    limit: u64,
    newest: u64,
    changes: &[Change],
    next_from: u64,
    reference: &Reference,
) -> Result<(), Wrong> {
    let expected: Vec<Change> =
        reference.changes(from, next_from).iter().cloned().map(Change::from).collect();
    if changes != expected {
        return Err((READS_SHOW_THEIR_REVISION, format!("the changes were {expected:?}")));
    }
    let end = newest.saturating_add(1).max(from);
    if next_from > end || (next_from < end && next_from - from < limit.min(1)) {
        let reason = format!("it goes on at {next_from}, and the newest revision is {newest}");
        return Err((READS_SHOW_THEIR_REVISION, reason));
    }
    Ok(())
}

/// Something that was expected, not too long.
fn shown(expected: Option<&impl std::fmt::Debug>) -> String {
    let mut text = expected.map_or("not there".to_owned(), |expected| format!("{expected:?}"));
    if let Some((cut, _)) = text.char_indices().nth(300) {
        text.truncate(cut);
    }
    text
}
