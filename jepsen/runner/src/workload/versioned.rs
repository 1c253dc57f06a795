//! Keys with revisions: single writes and reads of them, as the histories of several workloads record them.

use std::collections::BTreeMap;

use quorate_jepsen::event::Value;

use crate::client::Client;
use crate::client::ask::{Ask, Condition, Told};
use crate::history::{Call, Completion, Operation, Outcome, SnapshotEntry};

/// What a client last saw of keys: the revision of the newest change, or that a key does not exist.
pub(super) type Seen = BTreeMap<String, Option<u64>>;

/// How often which write is chosen: put, put on a condition, delete, delete on a condition.
pub(super) type WriteMix = [u64; 4];

/// Writes or deletes a key; the revision that that took, if it is known that it took one.
pub(super) async fn write(client: &mut Client, key: &str, mix: WriteMix, seen: &mut Seen) -> Option<u64> {
    let known = seen.remove(key);
    let ask = match (client.choices.weighted(&mix), known) {
        (1, Some(Some(revision))) => put(client, key, Condition::RevisionIs(revision)),
        (1, _) => put(client, key, Condition::Absent),
        (2, _) => Ask::Delete { key: key.to_owned(), condition: Condition::Always },
        (3, Some(Some(revision))) => {
            Ask::Delete { key: key.to_owned(), condition: Condition::RevisionIs(revision) }
        }
        _ => put(client, key, Condition::Always),
    };
    let operation = client.begin(call_of(&ask));
    let node = client.node();
    let told = client.ask(node, &ask).await;
    let (completion, revision) = match told {
        Told::Written { revision, .. } => {
            seen.insert(key.to_owned(), Some(revision));
            (Completion { revision: Some(revision), ..Completion::default() }, Some(revision))
        }
        Told::Deleted { revision } => {
            seen.insert(key.to_owned(), None);
            (Completion { revision, existed: Some(revision.is_some()), ..Completion::default() }, revision)
        }
        told => {
            client.end_unanswered(operation, &told, false);
            return None;
        }
    };
    client.end(operation, Outcome::Ok, completion);
    revision
}

fn put(client: &mut Client, key: &str, condition: Condition) -> Ask {
    Ask::Put { key: key.to_owned(), value: client.unique(), condition }
}

/// How the history calls a write.
fn call_of(ask: &Ask) -> Call {
    let expected = |condition: &Condition| match condition {
        Condition::Always => None,
        Condition::Absent => Some(Value::text("absent")),
        Condition::RevisionIs(revision) => Some(Value::Word(revision.to_string().into_bytes().into())),
    };
    match ask {
        Ask::Put { key, value, condition } => Call {
            function: if *condition == Condition::Always { "put" } else { "put-if" },
            key: Some(key.clone()),
            value: Value::Text(value.clone().into_bytes().into()),
            expected: expected(condition),
        },
        Ask::Delete { key, condition } => Call {
            function: if *condition == Condition::Always { "delete" } else { "delete-if" },
            key: Some(key.clone()),
            value: Value::Nil,
            expected: expected(condition),
        },
        other => unreachable!("{other:?} is no write of a single key"),
    }
}

/// Reads a key linearizably.
pub(super) async fn read(client: &mut Client, key: &str, seen: &mut Seen) {
    let operation = client.begin(get(key));
    let node = client.node();
    let told = client.ask(node, &Ask::get(key)).await;
    let Told::Item { item, .. } = told else {
        seen.remove(key);
        client.end_unanswered(operation, &told, true);
        return;
    };
    seen.insert(key.to_owned(), item.as_ref().map(|item| item.revision));
    client.end(operation, Outcome::Ok, found(item.as_ref()));
}

fn get(key: &str) -> Call {
    Call { function: "get", key: Some(key.to_owned()), value: Value::Nil, expected: None }
}

fn found(item: Option<&SnapshotEntry>) -> Completion {
    Completion {
        value: item.map(|item| Value::Text(item.value.clone().into_bytes().into())),
        revision: item.map(|item| item.revision),
        ..Completion::default()
    }
}

/// Reads all keys that begin with `prefix` in one listing, at the client's own node if it has one, and records that as
/// a read of each of `keys`.
pub(super) async fn read_all(client: &mut Client, prefix: &str, keys: &[String]) {
    let Some(home) = client.plan().home else { return };
    let operations: Vec<Operation> =
        keys.iter().enumerate().map(|(place, key)| client.begin_aside(place as u64, get(key))).collect();
    let told = client.ask_patiently(home, &Ask::list(prefix)).await;
    let Told::Page { entries, .. } = &told else {
        operations.into_iter().for_each(|operation| client.end_unanswered(operation, &told, true));
        return;
    };
    let entries: BTreeMap<&str, &SnapshotEntry> =
        entries.iter().map(|entry| (entry.key.as_str(), entry)).collect();
    for (operation, key) in operations.into_iter().zip(keys) {
        client.end(operation, Outcome::Ok, found(entries.get(key.as_str()).copied()));
    }
}
