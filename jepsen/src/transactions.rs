//! Histories of transactions over many keys, and a checker of their strict serializability.
//!
//! The workloads are those of Elle (Kingsbury and Alvaro, *Elle: Inferring Isolation Anomalies from
//! Experimental Observations*, VLDB 2020): transactions read keys and append to lists, or read and write
//! registers, and no value is written to a key twice. So a read names the write that it saw, and the
//! order of transactions can be inferred from what they saw:
//!
//! 1. The writes are collected ([`WorkloadError`] if a value is written twice), and the reads of each
//!    transaction are compared with its own steps.
//! 2. For each key the versions are put into order as far as the reads tell it, and every two
//!    transactions that must come one before the other are linked.
//! 3. The order of each client and the order of time are added.
//! 4. A cycle is a contradiction. The shortest of each kind is told in words.
//! 5. If there is no anomaly, an order is taken from the graph and *replayed*. A history is only said to
//!    be in order if the replay explains all that was read.
//!
//! For lists the answer is exact. For registers the reads do not tell everything, and where no anomaly
//! and no order is found the answer is [`TransactionVerdict::Unknown`]. The work is nearly linear in the
//! size of the history.
//!
//! ```
//! use quorate_jepsen::transactions::{Guarantee, Seen, Step, TransactionHistory, check_transactions};
//!
//! let mut history = TransactionHistory::new();
//! let (x, one) = (history.key("x"), history.value("1"));
//! let append = history.invoke(0, &[Step::Append { key: x, value: one }], 10, 1);
//! history.ok(append, &[Step::Append { key: x, value: one }], 20, 2)?;
//! let read = history.invoke(1, &[Step::Read { key: x, seen: Seen::Unknown }], 30, 3);
//! history.ok(read, &[Step::Read { key: x, seen: Seen::Nothing }], 40, 4)?;
//!
//! let report = check_transactions(&history, Guarantee::StrictlySerializable)?;
//! let names: Vec<String> = report.anomalies().iter().map(|anomaly| anomaly.name()).collect();
//! assert_eq!(names, ["lost-append", "G-single-realtime"]);
//! println!("{report}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod analysis;
mod anomaly;
mod components;
mod cycles;
mod description;
mod explanation;
mod graph;
mod history;
mod lists;
mod names;
mod observations;
mod registers;
mod replay;
mod saturation;
mod scheduler;
mod sessions;
mod verdict;
mod windows;
mod witness;
mod writes;

pub use anomaly::{Anomaly, AnomalyKind, Guarantee, Order};
pub use history::{
    Ending, Key, List, Seen, Step, StepMismatch, Transaction, TransactionHistory, TransactionIndex, Value,
};
pub use verdict::{TransactionReport, TransactionVerdict, WorkloadError};

use crate::patience::Patience;
use analysis::Analysis;
use observations::Observations;
use witness::Search;
use writes::{KeyKind, Writes};

/// Checks that a history keeps what is promised.
///
/// # Errors
/// If one value is written twice to a key, or a key is used as two kinds.
pub fn check_transactions(
    history: &TransactionHistory,
    guarantee: Guarantee,
) -> Result<TransactionReport, WorkloadError> {
    check_transactions_while(history, guarantee, &|| true)
}

/// Checks that a history keeps what is promised, for as long as the caller lets it go on, who is asked
/// between the stages and every few thousand steps of each. When it does not, the verdict is
/// [`TransactionVerdict::Unknown`], whatever was found until then.
///
/// # Errors
/// If one value is written twice to a key, or a key is used as two kinds.
pub fn check_transactions_while(
    history: &TransactionHistory,
    guarantee: Guarantee,
    may_go_on: &dyn Fn() -> bool,
) -> Result<TransactionReport, WorkloadError> {
    let is_over = || !may_go_on();
    let patience = Patience::new(&is_over);
    let verdict = find_verdict(history, guarantee, &patience)?.filter(|_| !patience.has_ended());
    let verdict = verdict.unwrap_or(TransactionVerdict::Unknown { ordered: 0, is_time_up: true });
    Ok(TransactionReport { guarantee, transactions: history.transactions().len(), verdict })
}

/// The verdict; none if the caller's limits were reached before.
fn find_verdict(
    history: &TransactionHistory,
    guarantee: Guarantee,
    patience: &Patience<'_>,
) -> Result<Option<TransactionVerdict>, WorkloadError> {
    let size = history.transactions().len();
    let writes = Writes::collect(history)?;
    if patience.is_over(size) {
        return Ok(None);
    }
    let observations = Observations::collect(history, &writes);
    let mut analysis = Analysis::new(history, guarantee, &writes, &observations);
    report_internal(&mut analysis);
    for key in (0..history.keys_count() as u32).map(Key) {
        if patience.is_over(writes.of_key(key).len()) {
            return Ok(None);
        }
        match writes.kind(key) {
            Some(KeyKind::List) => lists::order_list(&mut analysis, key),
            Some(KeyKind::Register) => registers::order_register(&mut analysis, key),
            None => {}
        }
    }
    if Order::Process.is_promised_by(guarantee) {
        sessions::link_sessions(&mut analysis);
    }
    if Order::RealTime.is_promised_by(guarantee) {
        sessions::link_time(&mut analysis);
    }
    let Analysis { graph, mut anomalies, committed, .. } = analysis;
    if patience.is_over(size) {
        return Ok(None);
    }
    let graph = graph.build();
    let mut cycles = cycles::find_cycles(&graph, history, guarantee, patience);
    if patience.is_over(size) {
        return Ok(None);
    }
    if anomalies.is_empty() && cycles.is_empty() {
        match witness::find_order(history, guarantee, &writes, &observations, &committed, graph, patience) {
            Search::Order(witness) => {
                assert!(replay::explains(history, guarantee, &witness), "a witness explains nothing");
                return Ok(Some(TransactionVerdict::Kept { witness }));
            }
            Search::Stuck(ordered) => {
                return Ok(Some(TransactionVerdict::Unknown { ordered, is_time_up: false }));
            }
            Search::Cycles(found) => cycles = found,
        }
    }
    anomalies.extend(cycles.iter().map(|cycle| explanation::explain(history, cycle)));
    anomalies.sort_by_key(|anomaly| (anomaly.kind, anomaly.order, anomaly.transactions.len()));
    Ok(Some(TransactionVerdict::Broken { anomalies }))
}

fn report_internal(analysis: &mut Analysis<'_>) {
    let observations = analysis.observations;
    for anomaly in &observations.internal {
        let transaction = anomaly.transaction;
        analysis.report(AnomalyKind::Internal, Order::Data, &[transaction], |history| {
            let key = history.key_name(history.steps(transaction)[anomaly.step].key());
            let (step, expected) = (anomaly.step + 1, &anomaly.expected);
            format!(
                "Step {step} of T{transaction} should have read {expected} in {key}, by the steps before it."
            )
        });
    }
}
