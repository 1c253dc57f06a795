//! Sets that grow: an element is a key below the set's name, and a read lists them.

use std::collections::BTreeMap;

use quorate_jepsen::event::Value;

use crate::client::Client;
use crate::client::ask::{Ask, Told};
use crate::history::{Call, Completion, Operation, Outcome, SnapshotEntry};

const PREFIX: &str = "set.";

/// Works until told to stop.
pub(super) async fn work(mut client: Client) {
    while client.goes_on().await {
        let set = format!("{PREFIX}{}", super::epoch(&client));
        if client.choices.chance(60) {
            add(&mut client, &set).await;
        } else {
            read(&mut client, &set).await;
        }
    }
    read_all(&mut client).await;
}

async fn add(client: &mut Client, set: &str) {
    let element = client.unique();
    let value = text(element.clone());
    let operation = client.begin(call("add", set, value.clone()));
    let node = client.node();
    match client.ask(node, &Ask::put(&format!("{set}/{element}"), &element)).await {
        Told::Written { .. } => {
            client.end(operation, Outcome::Ok, Completion { value: Some(value), ..Completion::default() });
        }
        told => client.end_unanswered(operation, &told, false),
    }
}

async fn read(client: &mut Client, set: &str) {
    let operation = client.begin(call("read", set, Value::Nil));
    let node = client.node();
    match client.ask(node, &Ask::list(&format!("{set}/"))).await {
        Told::Page { entries, .. } => client.end(operation, Outcome::Ok, elements(&entries)),
        told => client.end_unanswered(operation, &told, true),
    }
}

/// Reads the sets of all epochs in one listing, at the client's own node.
async fn read_all(client: &mut Client) {
    let Some(home) = client.plan().home else { return };
    let sets: Vec<String> = (0..=super::epoch(client)).map(|epoch| format!("{PREFIX}{epoch}")).collect();
    let begin =
        |(place, set): (usize, &String)| client.begin_aside(place as u64, call("read", set, Value::Nil));
    let operations: Vec<Operation> = sets.iter().enumerate().map(begin).collect();
    let told = client.ask_patiently(home, &Ask::list(PREFIX)).await;
    let Told::Page { entries, .. } = told else {
        operations.into_iter().for_each(|operation| client.end_unanswered(operation, &told, true));
        return;
    };
    let mut by_set: BTreeMap<String, Vec<SnapshotEntry>> = BTreeMap::new();
    for entry in entries {
        let set = entry.key.split('/').next().unwrap_or_default().to_owned();
        by_set.entry(set).or_default().push(entry);
    }
    for (operation, set) in operations.into_iter().zip(&sets) {
        let found = by_set.get(set).map_or(&[][..], Vec::as_slice);
        client.end(operation, Outcome::Ok, elements(found));
    }
}

fn call(function: &'static str, set: &str, value: Value<'static>) -> Call {
    Call { function, key: Some(set.to_owned()), value, expected: None }
}

fn elements(entries: &[SnapshotEntry]) -> Completion {
    let elements = entries.iter().map(|entry| text(entry.value.clone())).collect();
    Completion { value: Some(Value::List(elements)), ..Completion::default() }
}

fn text(text: String) -> Value<'static> {
    Value::Text(text.into_bytes().into())
}
