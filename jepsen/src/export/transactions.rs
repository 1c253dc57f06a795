//! Histories of transactions as events.

use std::io;

use super::{EventSink, Place, nemesis_event, ordered, value_of};
use crate::event::{Event, EventKind, Process, Value};
use crate::transactions::{Ending, Seen, Step, TransactionHistory, TransactionIndex};

/// Gives the events of a history to `sink`, in Elle's form.
///
/// # Errors
/// What `sink` says.
pub fn transaction_events(history: &TransactionHistory, sink: &mut EventSink<'_>) -> io::Result<()> {
    let transactions = history.transactions();
    let times = transactions.iter().map(|transaction| (transaction.invoked, transaction.completed));
    for place in ordered(times, history.nemesis()) {
        let (index, is_end) = match place {
            Place::Invocation(index) => (index, false),
            Place::Completion(index) => (index, true),
            Place::Nemesis(index) => {
                sink(&nemesis_event(&history.nemesis()[index]))?;
                continue;
            }
        };
        let transaction = &transactions[index];
        let kind = match transaction.ending {
            _ if !is_end => EventKind::Invoke,
            Ending::Ok => EventKind::Ok,
            Ending::Failed => EventKind::Fail,
            Ending::Unknown => EventKind::Info,
        };
        let mut event = Event::new(kind, Process::Client(transaction.process), "txn");
        event.value = steps(history, index, kind == EventKind::Ok);
        event.time = if is_end { transaction.completed } else { Some(transaction.invoked) };
        sink(&event)?;
    }
    Ok(())
}

fn steps(history: &TransactionHistory, index: TransactionIndex, shows_reads: bool) -> Value<'_> {
    let word = |text: &'static str| Value::Word(text.as_bytes().into());
    let value = |id| value_of(history.value_text(id).as_bytes());
    let step = |step: &Step| {
        let (function, value) = match *step {
            Step::Append { value: id, .. } => (":append", value(id)),
            Step::Write { value: id, .. } => (":w", value(id)),
            Step::Read { seen, .. } if shows_reads => (
                ":r",
                match seen {
                    Seen::Unknown | Seen::Nothing => Value::Nil,
                    Seen::Value(id) => value(id),
                    Seen::List(list) => {
                        Value::List(history.elements(list).iter().map(|id| value(*id)).collect())
                    }
                },
            ),
            Step::Read { .. } => (":r", Value::Nil),
        };
        Value::List(vec![word(function), value_of(history.key_name(step.key()).as_bytes()), value])
    };
    Value::List(history.steps(index).iter().map(step).collect())
}
