//! Lists that grow. A client reads lists, and then appends to some of them if none has changed since: to the checker
//! both together are one transaction, for what it read still held at the moment at which it wrote.

use std::collections::BTreeMap;

use quorate_jepsen::event::Value;

use crate::client::Client;
use crate::client::ask::{Ask, Comparison, Step, StepTold, Told};
use crate::history::{Call, Completion, Operation, Outcome, SnapshotEntry};

const KEYS: u64 = 5;
/// Lists that one transaction reads when everything is read at the end.
const LISTS_AT_ONCE: usize = 25;

/// Lists as a client saw them: elements with commas between them, or that they do not exist.
type Lists = BTreeMap<String, Option<SnapshotEntry>>;

/// Works until told to stop.
pub(super) async fn work(mut client: Client) {
    while client.goes_on().await {
        let keys = choose(&mut client);
        if client.choices.chance(35) {
            let node = client.node();
            read(&mut client, node, &keys).await;
        } else {
            append(&mut client, &keys).await;
        }
    }
    let Some(home) = client.plan().home else { return };
    let epochs = 0..=super::epoch(&client);
    let keys: Vec<String> = epochs.flat_map(|epoch| (0..KEYS).map(move |key| name(epoch, key))).collect();
    for keys in keys.chunks(LISTS_AT_ONCE) {
        read(&mut client, home, keys).await;
    }
}

fn name(epoch: u64, key: u64) -> String {
    format!("append.{epoch}.{key}")
}

/// One to three lists.
fn choose(client: &mut Client) -> Vec<String> {
    let epoch = super::epoch(client);
    let mut keys: Vec<String> = (0..KEYS).map(|key| name(epoch, key)).collect();
    client.choices.shuffle(&mut keys);
    keys.truncate(client.choices.range(1..=3) as usize);
    keys
}

/// Reads lists at one moment, as a transaction of its own.
async fn read(client: &mut Client, node: u8, keys: &[String]) {
    let operation = begin(client, keys, &[]);
    match look(client, node, keys).await {
        Ok(lists) => commit(client, operation, keys, &lists, &[]),
        Err(told) => client.end_unanswered(operation, &told, true),
    }
}

/// Appends a value to at least the first of the lists, if all of them are as they were seen.
async fn append(client: &mut Client, keys: &[String]) {
    let appended_count = client.choices.range(1..=keys.len() as u64) as usize;
    let values: Vec<u64> = (0..appended_count).map(|_| client.unique_number()).collect();
    let operation = begin(client, keys, &values);
    let node = client.node();
    let lists = match look(client, node, keys).await {
        Ok(lists) => lists,
        // Nothing was written yet.
        Err(told) => return client.end_unanswered(operation, &told, true),
    };
    let unchanged = |key: &String| match &lists[key] {
        Some(entry) => Comparison::RevisionIs(key.clone(), entry.revision),
        None => Comparison::Absent(key.clone()),
    };
    let longer = |(key, value): (&String, &u64)| {
        let list = match &lists[key] {
            Some(entry) => format!("{},{value}", entry.value),
            None => value.to_string(),
        };
        Step::Put(key.clone(), list)
    };
    let ask = Ask::Transaction {
        compare: keys.iter().map(unchanged).collect(),
        success: keys.iter().zip(&values).map(longer).collect(),
        failure: vec![],
    };
    let node = client.node();
    match client.ask(node, &ask).await {
        Told::Decided { succeeded: true, .. } => commit(client, operation, keys, &lists, &values),
        Told::Decided { succeeded: false, .. } => client.end_unanswered(operation, &Told::Mismatch, false),
        told => client.end_unanswered(operation, &told, false),
    }
}

/// What the lists hold, all at one moment; or what the client was told instead.
async fn look(client: &mut Client, node: u8, keys: &[String]) -> Result<Lists, Told> {
    let success = keys.iter().cloned().map(Step::Get).collect();
    let ask = Ask::Transaction { compare: vec![], success, failure: vec![] };
    let results = match client.ask_patiently(node, &ask).await {
        Told::Decided { results: Some(results), .. } => results,
        told => return Err(told),
    };
    let item = |(key, result): (&String, StepTold)| match result {
        StepTold::Item(item) => (key.clone(), item),
        other => unreachable!("a get was answered with {other:?}, which was checked"),
    };
    Ok(keys.iter().zip(results).map(item).collect())
}

fn begin(client: &Client, keys: &[String], values: &[u64]) -> Operation {
    let reads = keys.iter().map(|key| step("r", key, Value::Nil));
    let value = Value::List(reads.chain(appends(keys, values)).collect());
    client.begin(Call { function: "txn", key: None, value, expected: None })
}

fn commit(client: &mut Client, operation: Operation, keys: &[String], lists: &Lists, values: &[u64]) {
    let read = |key: &String| {
        let elements = lists[key].as_ref().map(|entry| entry.value.split(',').map(word).collect());
        step("r", key, Value::List(elements.unwrap_or_default()))
    };
    let value = Value::List(keys.iter().map(read).chain(appends(keys, values)).collect());
    client.end(operation, Outcome::Ok, Completion { value: Some(value), ..Completion::default() });
}

fn appends<'v>(keys: &'v [String], values: &'v [u64]) -> impl Iterator<Item = Value<'static>> + 'v {
    keys.iter().zip(values).map(|(key, value)| step("append", key, word(&value.to_string())))
}

fn step(function: &'static str, key: &str, value: Value<'static>) -> Value<'static> {
    Value::List(vec![Value::text(function), Value::Text(key.as_bytes().to_vec().into()), value])
}

fn word(word: &str) -> Value<'static> {
    Value::Text(word.as_bytes().to_vec().into())
}
