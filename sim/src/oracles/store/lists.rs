//! Transactions that read lists and append to them are strictly serializable: the check is
//! `quorate-jepsen`'s, which knows nothing of revisions, of the log or of the state machine.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_api::OperationAnswer;
use quorate_jepsen::transactions::{
    Guarantee, Key, Seen, Step, TransactionHistory, TransactionVerdict, check_transactions,
};
use quorate_kv::{Command, Operation, Transaction};

use super::effect::Effect;
use super::operation::{Asked, StoreOperation, Told};
use crate::oracles::{Judgement, Violation};

/// The property's name.
pub const LISTS_IN_ORDER: &str = "transactions on lists are strictly serializable";

/// What the keys of lists begin with.
pub const LISTS: &str = "list/";
const SEPARATOR: char = ',';
/// More than a client ever gives up on.
const PROCESSES_PER_CLIENT: u64 = 100_000;

/// A list with one more element.
pub fn appended(list: Option<&[u8]>, element: &str) -> Bytes {
    match list.map(String::from_utf8_lossy) {
        Some(list) => Bytes::from(format!("{list}{SEPARATOR}{element}")),
        None => Bytes::copy_from_slice(element.as_bytes()),
    }
}

/// Judges the history of all transactions on lists.
pub(super) fn check(operations: &[StoreOperation]) -> Judgement {
    let mut history = TransactionHistory::new();
    // A client that has given up on a transaction goes on as another process, since that may still be done.
    let mut given_up: BTreeMap<u64, u64> = BTreeMap::new();
    for operation in operations {
        if let Some(transaction) = on_lists(&operation.asked) {
            let given_up = given_up.entry(operation.client).or_default();
            let process = operation.client * PROCESSES_PER_CLIENT + *given_up;
            record(&mut history, process, operation, transaction);
            *given_up += u64::from(operation.told == Told::Unknown);
        }
    }
    let broken = |evidence| Err(Violation::new(LISTS_IN_ORDER, evidence));
    match check_transactions(&history, Guarantee::StrictlySerializable) {
        // Nobody appends an element twice: a second writer of one is the store's doing.
        Err(error) => broken(error.to_string()),
        Ok(report) => match report.verdict {
            TransactionVerdict::Kept { .. } => Ok(()),
            // Of lists the reads tell everything, so that this does not happen without a reason to look.
            TransactionVerdict::Broken { .. } | TransactionVerdict::Unknown { .. } => {
                broken(report.to_string())
            }
        },
    }
}

/// The transaction, if it is one on lists.
fn on_lists(asked: &Asked) -> Option<&Transaction> {
    let Asked::Write { command: Command::Transaction(transaction), .. } = asked else { return None };
    let is_list = |operation: &Operation| match operation {
        Operation::Get { key } | Operation::Put { key, .. } => key.starts_with(LISTS.as_bytes()),
        _ => false,
    };
    let mut operations = transaction.success.iter().chain(&transaction.failure);
    (!transaction.success.is_empty() && operations.all(is_list)).then_some(transaction)
}

/// Records what the transaction did. If its comparisons failed, nothing was appended, and something else
/// was read.
fn record(
    history: &mut TransactionHistory,
    process: u64,
    operation: &StoreOperation,
    transaction: &Transaction,
) {
    let begin = |history: &mut TransactionHistory, operations: &[Operation]| {
        let steps: Vec<Step> = operations.iter().map(|operation| step(history, operation, None)).collect();
        history.invoke(process, &steps, operation.invoked_ns, 0)
    };
    let ended_ns = operation.completed_ns.unwrap_or(operation.invoked_ns);
    match &operation.told {
        Told::Wrote { effect: Effect::Transaction(answer), .. } => {
            if !answer.succeeded {
                let index = begin(history, &transaction.success);
                history.failed(index, ended_ns, 0);
            }
            let operations = if answer.succeeded { &transaction.success } else { &transaction.failure };
            let index = begin(history, operations);
            match &answer.results {
                Some(results) => {
                    let results = operations.iter().zip(results);
                    let steps: Vec<Step> =
                        results.map(|(operation, result)| step(history, operation, Some(result))).collect();
                    history.ok(index, &steps, ended_ns, 0).expect("the steps are those that were sent");
                }
                None => history.unknown(index, ended_ns, 0),
            }
        }
        Told::Wrote { .. } | Told::Refused { .. } | Told::NotSent => {
            let index = begin(history, &transaction.success);
            history.failed(index, ended_ns, 0);
        }
        _ => {
            let index = begin(history, &transaction.success);
            history.unknown(index, ended_ns, 0);
        }
    }
}

/// An operation as a step, with what it found.
fn step(history: &mut TransactionHistory, operation: &Operation, result: Option<&OperationAnswer>) -> Step {
    match operation {
        Operation::Put { key, value } => {
            let key = list_key(history, key);
            let text = String::from_utf8_lossy(value);
            let value = history.value(text.rsplit(SEPARATOR).next().unwrap_or_default());
            Step::Append { key, value }
        }
        Operation::Get { key } => {
            let key = list_key(history, key);
            Step::Read { key, seen: seen(history, result) }
        }
        other => unreachable!("{other:?} is no operation on a list"),
    }
}

fn list_key(history: &mut TransactionHistory, key: &[u8]) -> Key {
    history.key(&String::from_utf8_lossy(key))
}

fn seen(history: &mut TransactionHistory, result: Option<&OperationAnswer>) -> Seen {
    match result {
        Some(OperationAnswer::Get { item: Some(item) }) => {
            let text = String::from_utf8_lossy(item.value.as_deref().unwrap_or_default()).into_owned();
            let elements: Vec<_> = text.split(SEPARATOR).map(|element| history.value(element)).collect();
            Seen::List(history.list(&elements))
        }
        Some(OperationAnswer::Get { item: None }) => Seen::Nothing,
        _ => Seen::Unknown,
    }
}
