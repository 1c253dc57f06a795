//! The check of all keys of a history.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::certificate;
use super::history::{OperationId, RegisterHistory};
use super::operation::KeyId;
use super::rows::{self, INITIAL, Row};
use super::search::{Budget, SearchOutcome, search};
use super::unique::{Decision, decide};
use super::verdict::{LimitReached, RegisterCertificate, RegisterVerdict, Spending};
use super::witness::assert_explains;
use crate::patience::Patience;

/// Keys that a thread takes at once, so that small keys cost no quarrel over the counter.
const KEYS_AT_ONCE: usize = 16;

/// Checks a history of registers.
///
/// With the same steps and memory, and a time that is never up, the verdict is the same on every machine
/// and for any number of threads.
pub fn check(history: &RegisterHistory, spending: &Spending<'_>) -> RegisterVerdict {
    let verdicts = if spending.threads <= 1 || history.key_count() < 2 {
        let budget = budget(spending, 1);
        check_in_turn(history, budget)
    } else {
        check_in_parallel(history, spending)
    };
    let mut witness = Vec::with_capacity(verdicts.len());
    let mut given_up = None;
    for (key, verdict) in verdicts {
        match verdict {
            KeyVerdict::Order(order) => witness.push(order),
            KeyVerdict::Wrong(decision) => {
                let certificate = convict(history, KeyId(key as u32), decision);
                return RegisterVerdict::NotLinearizable { certificate: Box::new(certificate) };
            }
            KeyVerdict::Limit(limit) => {
                given_up.get_or_insert((KeyId(key as u32), limit));
            }
        }
    }
    match given_up {
        None => RegisterVerdict::Linearizable { witness },
        Some((key, limit)) => RegisterVerdict::Unknown { key, limit },
    }
}

/// Why a key is wrong.
enum Wrong {
    Contradiction(super::clusters::Contradiction),
    Stuck(usize),
}

enum KeyVerdict {
    Order(Vec<OperationId>),
    Wrong(Wrong),
    Limit(LimitReached),
}

/// The verdict of a key, with the key's number.
type Numbered = (usize, KeyVerdict);

fn budget<'a>(spending: &Spending<'a>, threads: usize) -> Budget<'a> {
    Budget {
        steps_max: spending.steps_per_key_max,
        bytes_max: spending.search_bytes_max / threads,
        is_time_up: spending.is_time_up,
    }
}

/// Checks keys up to the first wrong one.
fn check_in_turn(history: &RegisterHistory, budget: Budget<'_>) -> Vec<Numbered> {
    let mut verdicts = Vec::with_capacity(history.key_count());
    let mut rows = Vec::new();
    let patience = Patience::new(budget.is_time_up);
    for key in 0..history.key_count() {
        let verdict = check_key(history, KeyId(key as u32), &mut rows, budget, &patience);
        let is_wrong = matches!(verdict, KeyVerdict::Wrong(_));
        verdicts.push((key, verdict));
        if is_wrong {
            break;
        }
    }
    verdicts
}

/// Checks keys on several threads. All keys before the first wrong one are checked, so that the verdict
/// does not depend on who is faster.
fn check_in_parallel(history: &RegisterHistory, spending: &Spending<'_>) -> Vec<Numbered> {
    let threads = spending.threads;
    let budget = budget(spending, threads);
    let next = AtomicUsize::new(0);
    let is_wrong = AtomicBool::new(false);
    let at_once = (history.key_count() / (threads * 4)).clamp(1, KEYS_AT_ONCE);
    let work = || {
        let mut verdicts = Vec::new();
        let mut rows = Vec::new();
        let patience = Patience::new(budget.is_time_up);
        while !is_wrong.load(Ordering::Relaxed) {
            let begin = next.fetch_add(at_once, Ordering::Relaxed);
            for key in begin..(begin + at_once).min(history.key_count()) {
                let verdict = check_key(history, KeyId(key as u32), &mut rows, budget, &patience);
                is_wrong.fetch_or(matches!(verdict, KeyVerdict::Wrong(_)), Ordering::Relaxed);
                verdicts.push((key, verdict));
            }
            if begin >= history.key_count() {
                break;
            }
        }
        verdicts
    };
    let mut verdicts: Vec<Numbered> = std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut verdicts = work();
        for helper in helpers {
            verdicts.extend(helper.join().expect("a check panics only if the checker is wrong"));
        }
        verdicts
    });
    verdicts.sort_unstable_by_key(|(key, _)| *key);
    verdicts
}

/// Checks one key. The rows are a buffer.
fn check_key(
    history: &RegisterHistory,
    key: KeyId,
    rows: &mut Vec<Row>,
    budget: Budget<'_>,
    patience: &Patience<'_>,
) -> KeyVerdict {
    if patience.is_over(history.of_key(key).all().len()) {
        return KeyVerdict::Limit(LimitReached::Time);
    }
    rows::fill(rows, history, key);
    let order = match decide(rows, history.of_key(key).value_count(), patience) {
        Decision::Order(order) => order,
        Decision::Contradiction(contradiction) => {
            return KeyVerdict::Wrong(Wrong::Contradiction(contradiction));
        }
        Decision::TimeUp => return KeyVerdict::Limit(LimitReached::Time),
        Decision::Undecided => match search(rows, &[INITIAL], budget).0 {
            SearchOutcome::Order(order) => order,
            SearchOutcome::Stuck(row) => return KeyVerdict::Wrong(Wrong::Stuck(row)),
            SearchOutcome::Limit(limit) => return KeyVerdict::Limit(limit),
        },
    };
    assert_explains(rows, &order);
    KeyVerdict::Order(order.into_iter().map(|row| rows[row as usize].operation).collect())
}

fn convict(history: &RegisterHistory, key: KeyId, wrong: Wrong) -> RegisterCertificate {
    let mut rows = Vec::new();
    rows::fill(&mut rows, history, key);
    let values = history.of_key(key).value_count();
    match wrong {
        Wrong::Contradiction(contradiction) => {
            certificate::of_contradiction(history, key, &rows, values, &contradiction)
        }
        Wrong::Stuck(stuck) => certificate::of_search(history, key, &rows, values, stuck),
    }
}
