//! The whole store: every answer to every client is the one that the committed log leads to.
//!
//! The revisions that answers name put them into an order, so that no search is needed: the log is applied
//! once more ([`reference`]), and each answer is compared with the state at its revision. What is left
//! is whether the order of revisions is that of time.
//!
//! That rests on our own state machine. Two checks beside it do not: the strict serializability of
//! transactions on lists ([`lists`]) is `quorate-jepsen`'s, and money is kept or not ([`bank`]) whatever
//! a revision is.
//!
//! | Property | Where it is from |
//! |---|---|
//! | what a client is told of a write is what the log has | linearizability, with the log as the witness |
//! | each write is done once | rqlite #1628, etcd #14890, jetcd 0.8.2 |
//! | a read shows the state at its revision | snapshot reads; pages pinned to one revision |
//! | a read of the newest revision is current | across keys, where a search key by key sees nothing |
//! | only what was compacted is given up | etcd #16779 and others |
//! | states are those of the log | replicas that are equally wrong are wrong |

pub mod bank;
mod coverage;
mod effect;
pub mod lists;
mod operation;
mod reads;
mod reference;
mod words;
mod writes;

use std::collections::BTreeMap;

pub use self::coverage::Coverage;
pub use self::effect::Effect;
pub use self::operation::{After, Asked, StoreOperation, Told};
pub use self::reference::{LogEntry, NoReference, Reference};
use super::timeline::Timeline;
use super::{Judgement, Violation};

/// The property of answers to writes.
pub const WRITES_ARE_AS_TOLD: &str = "what a client is told of a write is what the log has";
/// The property of requests that come more than once.
pub const EXACTLY_ONCE: &str = "each write is done once";
/// The property of what reads show.
pub const READS_SHOW_THEIR_REVISION: &str = "a read shows the state at its revision";
/// The property of which revision reads show.
pub const CURRENT_READS: &str = "a read of the newest revision is current";
/// The property of refusals to read the past.
pub const COMPACTED_IS_GIVEN_UP: &str = "only what was compacted is given up";
/// The property of the states of nodes.
pub const STATES_ARE_OF_THE_LOG: &str = "states are those that the log leads to";

/// What was seen of a run.
#[derive(Debug, Default)]
pub struct Seen {
    /// The requests of all clients, in the order in which they were sent.
    pub operations: Vec<StoreOperation>,
    /// The entries that nodes applied.
    pub log: BTreeMap<u64, LogEntry>,
    /// Revision and digest of the state at indexes at which some node has stood.
    pub states: BTreeMap<u64, (u64, u128)>,
}

/// Judges a run. What it has come to, if nothing is wrong; an error of the outer kind if it cannot be judged.
pub fn check(seen: &Seen) -> Result<Result<Coverage, Violation>, NoReference> {
    let reference = match Reference::of(&seen.log) {
        Ok(reference) => reference,
        // Of an entry that cannot be applied every node is convicted that applied it.
        Err(NoReference::Stopped(reason)) => return Ok(Err(Violation::new(STATES_ARE_OF_THE_LOG, reason))),
        Err(missing) => return Err(missing),
    };
    let judgement = writes::check(&seen.operations, &reference)
        .and_then(|()| reads::check(&seen.operations, &reference, &known(&seen.operations)))
        .and_then(|()| lists::check(&seen.operations))
        .and_then(|()| bank::check(&seen.operations))
        .and_then(|()| check_states(seen, &reference));
    Ok(judgement.map(|()| coverage::count(&seen.operations, &reference)))
}

/// The newest revision that any client had been told of at each moment.
fn known(operations: &[StoreOperation]) -> Timeline {
    let told = |operation: &StoreOperation| Some((operation.completed_ns?, operation.told.revision()?));
    let mut told: Vec<(u64, u64)> = operations.iter().filter_map(told).collect();
    told.sort_unstable();
    let mut known = Timeline::default();
    for (time_ns, revision) in told {
        known.reach(time_ns, revision);
    }
    known
}

fn check_states(seen: &Seen, reference: &Reference) -> Judgement {
    for (index, found) in &seen.states {
        match reference.state(*index) {
            Some(expected) if expected != *found => {
                let evidence = format!(
                    "at index {index} a node has revision {} and digest {:032x}, but the log leads to revision {} \
                     and digest {:032x}",
                    found.0, found.1, expected.0, expected.1
                );
                return Err(Violation::new(STATES_ARE_OF_THE_LOG, evidence));
            }
            _ => {}
        }
    }
    Ok(())
}
