//! Registers: single keys that are written, read, and replaced if they hold a given value.

use std::collections::BTreeMap;

use quorate_jepsen::event::Value;

use crate::arguments::Target;
use crate::client::Client;
use crate::client::ask::{Ask, Comparison, Condition, Consistency, Step, Told};
use crate::history::{Call, Completion, Outcome};
use crate::property::Property;

const KEYS: u64 = 10;

/// Works until told to stop.
pub(super) async fn work(mut client: Client) {
    // The value of each key, as the client last saw it.
    let mut seen = BTreeMap::new();
    while client.goes_on().await {
        let key = format!("register.{}", client.choices.range(0..=KEYS - 1));
        match (client.choices.weighted(&[45, 30, 25]), seen.remove(&key)) {
            (0, _) => {
                let consistency = match client.target() {
                    Target::Quorate if client.choices.chance(15) => Consistency::Lease,
                    _ => Consistency::Linearizable,
                };
                let node = client.node();
                seen.extend(read(&mut client, node, &key, consistency).await.map(|value| (key, value)));
            }
            (2, Some(old)) => {
                let new = client.unique_number();
                if replace(&mut client, &key, old, new).await {
                    seen.insert(key, new);
                }
            }
            _ => {
                let new = client.unique_number();
                if write(&mut client, &key, new).await {
                    seen.insert(key, new);
                }
            }
        }
    }
    let Some(home) = client.plan().home else { return };
    for key in 0..KEYS {
        read(&mut client, home, &format!("register.{key}"), Consistency::Linearizable).await;
    }
}

fn call(function: &'static str, key: &str, value: Value<'static>) -> Call {
    Call { function, key: Some(key.to_owned()), value, expected: None }
}

fn integer(number: u64) -> Value<'static> {
    Value::Word(number.to_string().into_bytes().into())
}

/// Reads a key; what it holds.
async fn read(client: &mut Client, node: u8, key: &str, consistency: Consistency) -> Option<u64> {
    let operation = client.begin(call("read", key, Value::Nil));
    let told =
        client.ask_patiently(node, &Ask::Get { key: key.to_owned(), revision: None, consistency }).await;
    let Told::Item { item, .. } = &told else {
        client.end_unanswered(operation, &told, true);
        return None;
    };
    let value = item.as_ref().and_then(|item| item.value.parse().ok());
    if let (Some(item), None) = (item, value) {
        client.recorder().convict(
            Property::NothingFromNowhere,
            format!("key {key} holds {:?}, which nobody wrote", item.value),
        );
    }
    let completion = Completion { value: value.map(integer), ..Completion::default() };
    client.end(operation, Outcome::Ok, completion);
    value
}

/// Writes a value; whether that is known to have happened.
async fn write(client: &mut Client, key: &str, new: u64) -> bool {
    let operation = client.begin(call("write", key, integer(new)));
    let ask = Ask::Put { key: key.to_owned(), value: new.to_string(), condition: Condition::Always };
    let node = client.node();
    let told = client.ask(node, &ask).await;
    let Told::Written { .. } = told else {
        client.end_unanswered(operation, &told, false);
        return false;
    };
    client.end(operation, Outcome::Ok, Completion { value: Some(integer(new)), ..Completion::default() });
    true
}

/// Replaces a value by another; whether that is known to have happened.
async fn replace(client: &mut Client, key: &str, old: u64, new: u64) -> bool {
    let value = Value::List(vec![integer(old), integer(new)]);
    let operation = client.begin(call("cas", key, value.clone()));
    let ask = Ask::Transaction {
        compare: vec![Comparison::ValueIs(key.to_owned(), old.to_string())],
        success: vec![Step::Put(key.to_owned(), new.to_string())],
        failure: vec![],
    };
    let node = client.node();
    match client.ask(node, &ask).await {
        Told::Decided { succeeded: true, .. } => {
            client.end(operation, Outcome::Ok, Completion { value: Some(value), ..Completion::default() });
            true
        }
        Told::Decided { succeeded: false, .. } => {
            client.end_unanswered(operation, &Told::Mismatch, false);
            false
        }
        told => {
            client.end_unanswered(operation, &told, false);
            false
        }
    }
}
