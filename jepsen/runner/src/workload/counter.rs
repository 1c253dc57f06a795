//! Numbers that are counted up: a client reads one, and replaces it by the next if nobody was faster.

use quorate_jepsen::event::Value;

use crate::client::Client;
use crate::client::ask::{Ask, Comparison, Step, Told};
use crate::history::{Call, Completion, Outcome};
use crate::property::Property;

const KEYS: u64 = 3;
/// How often a client tries again when others are faster.
const ATTEMPTS_MAX: u32 = 5;

/// Works until told to stop.
pub(super) async fn work(mut client: Client) {
    while client.goes_on().await {
        let key = name(super::epoch(&client), client.choices.range(0..=KEYS - 1));
        if client.choices.chance(60) {
            add(&mut client, &key).await;
        } else {
            let node = client.node();
            read(&mut client, node, &key).await;
        }
    }
    let Some(home) = client.plan().home else { return };
    for epoch in 0..=super::epoch(&client) {
        for key in 0..KEYS {
            read(&mut client, home, &name(epoch, key)).await;
        }
    }
}

fn name(epoch: u64, key: u64) -> String {
    format!("counter.{epoch}.{key}")
}

fn call(function: &'static str, key: &str, value: Value<'static>) -> Call {
    Call { function, key: Some(key.to_owned()), value, expected: None }
}

/// What a key holds, or what the client was told instead.
async fn value(client: &mut Client, node: u8, key: &str) -> Result<Option<i64>, Told> {
    match client.ask_patiently(node, &Ask::get(key)).await {
        Told::Item { item: None, .. } => Ok(None),
        Told::Item { item: Some(item), .. } => match item.value.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => {
                let what = format!("key {key} holds {:?}, which nobody wrote", item.value);
                client.recorder().convict(Property::NothingFromNowhere, what.clone());
                Err(Told::Unknown { why: what })
            }
        },
        told => Err(told),
    }
}

async fn read(client: &mut Client, node: u8, key: &str) {
    let operation = client.begin(call("read", key, Value::Nil));
    match value(client, node, key).await {
        Ok(number) => {
            let value = Some(Value::integer(number.unwrap_or(0)));
            client.end(operation, Outcome::Ok, Completion { value, ..Completion::default() });
        }
        Err(told) => client.end_unanswered(operation, &told, true),
    }
}

async fn add(client: &mut Client, key: &str) {
    let operation = client.begin(call("add", key, Value::integer(1)));
    for _ in 0..ATTEMPTS_MAX {
        let node = client.node();
        let found = match value(client, node, key).await {
            Ok(found) => found,
            // Nothing was written yet.
            Err(told) => return client.end_unanswered(operation, &told, true),
        };
        let comparison = match found {
            None => Comparison::Absent(key.to_owned()),
            Some(number) => Comparison::ValueIs(key.to_owned(), number.to_string()),
        };
        let next = (found.unwrap_or(0) + 1).to_string();
        let success = vec![Step::Put(key.to_owned(), next)];
        let ask = Ask::Transaction { compare: vec![comparison], success, failure: vec![] };
        match client.ask(node, &ask).await {
            Told::Decided { succeeded: true, .. } => {
                let value = Some(Value::integer(1));
                return client.end(operation, Outcome::Ok, Completion { value, ..Completion::default() });
            }
            Told::Decided { succeeded: false, .. } => {}
            told => return client.end_unanswered(operation, &told, false),
        }
    }
    let told = Told::Refused { why: "others were faster".to_owned() };
    client.end_unanswered(operation, &told, false);
}
