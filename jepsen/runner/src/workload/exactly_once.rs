//! Writes in sessions: each is sent until its outcome is known, to whichever node answers, and some are sent to two
//! nodes at once. However often one arrives, it is done once.
//!
//! That is seen by the version of a key, which counts how often it was written: each key has one client that writes it.
//! The history has it as a counter.

use std::time::Duration;

use quorate_jepsen::event::Value;

use crate::client::Client;
use crate::client::ask::{Ask, Token, Told};
use crate::history::{Call, Completion, Outcome};
use crate::property::Property;

/// How long a session lives without a sign of life: longer than any fault lasts.
const SESSION_TTL: Duration = Duration::from_secs(120);
/// Repetitions after which a write is left alone.
const REPETITIONS_MAX: u32 = 40;
/// Writes that are sent to two nodes at once, in a hundred.
const TWICE_PERCENT: u64 = 20;

struct Session {
    number: u64,
    sequence: u64,
}

/// What is known of the key that the client writes.
#[derive(Default)]
struct Own {
    epoch: u64,
    /// Writes that are known to have been done.
    done: u64,
    /// Writes of which nobody knows.
    unknown: u64,
}

/// Works until told to stop.
pub(super) async fn work(mut client: Client) {
    let mut session = None;
    let mut own = Own::default();
    let number = client.plan().number;
    while client.goes_on().await {
        let epoch = super::epoch(&client);
        if own.epoch != epoch {
            own = Own { epoch, ..Own::default() };
        }
        if client.choices.chance(30) {
            let clients = u64::from(client.nodes()) + super::ROAMING_CLIENTS;
            // Clients of a workload have consecutive numbers.
            let first = number - (number - 1) % clients;
            let other = first + client.choices.range(0..=clients - 1);
            let node = client.node();
            read(&mut client, node, &name(epoch, other)).await;
            continue;
        }
        let Some(open) = &mut session else {
            let node = client.node();
            if let Told::SessionOpened { session: number } =
                client.ask(node, &Ask::OpenSession { ttl: SESSION_TTL }).await
            {
                session = Some(Session { number, sequence: 0 });
            }
            continue;
        };
        if !write(&mut client, open, &name(epoch, number), &mut own).await {
            session = None;
        }
    }
    let Some(home) = client.plan().home else { return };
    for epoch in 0..=super::epoch(&client) {
        read(&mut client, home, &name(epoch, number)).await;
    }
}

fn name(epoch: u64, client: u64) -> String {
    format!("once.{epoch}.{client}")
}

fn call(function: &'static str, key: &str, value: Value<'static>) -> Call {
    Call { function, key: Some(key.to_owned()), value, expected: None }
}

async fn read(client: &mut Client, node: u8, key: &str) {
    let operation = client.begin(call("read", key, Value::Nil));
    match client.ask_patiently(node, &Ask::get(key)).await {
        Told::Item { version, .. } => {
            let value = Some(Value::Word(version.to_string().into_bytes().into()));
            client.end(operation, Outcome::Ok, Completion { value, ..Completion::default() });
        }
        told => client.end_unanswered(operation, &told, true),
    }
}

/// Writes until it is known what became of it; whether the session goes on.
async fn write(client: &mut Client, session: &mut Session, key: &str, own: &mut Own) -> bool {
    session.sequence += 1;
    let token =
        Token { session: session.number, sequence: session.sequence, acknowledged_below: session.sequence };
    let ask = Ask::put(key, &client.unique());
    let operation = client.begin(call("add", key, Value::integer(1)));
    let began = operation.began;
    let mut may_have_happened = false;
    let mut told = Told::Refused { why: "never sent".to_owned() };
    for _ in 0..REPETITIONS_MAX {
        let node = if may_have_happened { client.any_node() } else { client.node() };
        told = if client.choices.chance(TWICE_PERCENT) {
            let other = client.any_node();
            client.ask_two((node, other), &ask, token, began).await
        } else {
            client.ask_in_session(node, &ask, Some(token), Some(began)).await
        };
        match &told {
            Told::Written { version, .. } => {
                own.done += 1;
                check_version(client, key, version.unwrap_or(0), own);
                let value = Some(Value::integer(1));
                client.end(operation, Outcome::Ok, Completion { value, ..Completion::default() });
                return true;
            }
            Told::Unknown { .. } => may_have_happened = true,
            Told::SessionExpired => break,
            _ => {}
        }
        if client.is_stopped() {
            break;
        }
    }
    // An earlier attempt may have been done, or be done yet, whatever the last one was told.
    let why = told.to_string();
    if may_have_happened {
        own.unknown += 1;
        client.end_unanswered(operation, &Told::Unknown { why }, false);
    } else {
        client.end_unanswered(operation, &Told::Refused { why }, false);
    }
    told != Told::SessionExpired
}

/// A write counts once, and so does each before it whose outcome is known.
fn check_version(client: &Client, key: &str, version: u64, own: &Own) {
    if version < own.done || version > own.done + own.unknown {
        let (done, unknown) = (own.done, own.unknown);
        client.recorder().convict(Property::ExactlyOnce, format!(
            "key {key} has version {version} although it was written {done} times, and perhaps {unknown} times more"
        ));
    }
}
