//! The proof of an order: every transaction is executed, one after the other.

use std::collections::BTreeMap;

use super::anomaly::Guarantee;
use super::history::{Ending, Seen, Step, TransactionHistory, TransactionIndex, Value};

/// Whether the order contains every committed transaction, keeps the promise, and explains what each one
/// read. It shares no code with the search for the order.
pub(super) fn explains(
    history: &TransactionHistory,
    guarantee: Guarantee,
    order: &[TransactionIndex],
) -> bool {
    is_complete(history, order) && keeps_order(history, guarantee, order) && explains_reads(history, order)
}

fn is_complete(history: &TransactionHistory, order: &[TransactionIndex]) -> bool {
    let mut taken = vec![false; history.transactions().len()];
    for transaction in order {
        if std::mem::replace(&mut taken[*transaction], true) {
            return false;
        }
    }
    history.transactions().iter().zip(taken).all(|(transaction, taken)| match transaction.ending {
        Ending::Ok => taken,
        Ending::Failed => !taken,
        Ending::Unknown => true,
    })
}

fn keeps_order(history: &TransactionHistory, guarantee: Guarantee, order: &[TransactionIndex]) -> bool {
    let mut latest_beginning = 0;
    let mut last: BTreeMap<u64, TransactionIndex> = BTreeMap::new();
    order.iter().all(|index| {
        let transaction = &history.transactions()[*index];
        latest_beginning = latest_beginning.max(transaction.invoked);
        let in_time = transaction.deadline().is_none_or(|deadline| deadline >= latest_beginning);
        // The transactions of one client are recorded in its order.
        let in_session = last.insert(transaction.process, *index).is_none_or(|previous| previous < *index);
        match guarantee {
            Guarantee::Serializable => true,
            Guarantee::SessionSerializable => in_session,
            Guarantee::StrictlySerializable => in_session && in_time,
        }
    })
}

fn explains_reads(history: &TransactionHistory, order: &[TransactionIndex]) -> bool {
    let mut registers: Vec<Option<Value>> = vec![None; history.keys_count()];
    let mut lists: Vec<Vec<Value>> = vec![Vec::new(); history.keys_count()];
    order.iter().all(|index| {
        history.steps(*index).iter().all(|step| {
            let key = step.key().0 as usize;
            match *step {
                Step::Append { value, .. } => lists[key].push(value),
                Step::Write { value, .. } => registers[key] = Some(value),
                Step::Read { seen, .. } if history.transactions()[*index].ending == Ending::Ok => {
                    return match seen {
                        Seen::Unknown => true,
                        Seen::Nothing => registers[key].is_none() && lists[key].is_empty(),
                        Seen::Value(value) => registers[key] == Some(value),
                        Seen::List(list) => lists[key] == history.elements(list),
                    };
                }
                Step::Read { .. } => {}
            }
            true
        })
    })
}
