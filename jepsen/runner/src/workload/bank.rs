//! Money that moves between accounts. Whoever looks sees the same sum; and because every balance is written with the
//! name of its writer, the checker sees the transfers as transactions over registers.

use quorate_jepsen::event::Value;

use crate::client::Client;
use crate::client::ask::{Ask, Comparison, Step, Told};
use crate::history::{Call, Completion, Operation, Outcome, Snapshot, SnapshotEntry};

/// How the names of accounts begin.
const PREFIX: &str = "bank/";
const ACCOUNTS: u64 = 8;
const OPENING_BALANCE: u64 = 100;

/// Works until told to stop.
pub(super) async fn work(mut client: Client) {
    while client.goes_on().await {
        let node = client.node();
        match client.choices.chance(40) {
            true => drop(look(&mut client, node).await),
            false => transfer(&mut client, node).await,
        }
    }
    let Some(home) = client.plan().home else { return };
    look(&mut client, home).await;
}

/// What is wrong with what somebody saw of the accounts, if something is.
pub(crate) fn wrong_sum(snapshot: &Snapshot) -> Option<String> {
    if snapshot.entries.is_empty() {
        return None;
    }
    let balances: Option<Vec<u64>> = snapshot.entries.iter().map(|entry| balance(&entry.value)).collect();
    let sum: Option<u64> = balances.map(|balances| balances.iter().sum());
    let wanted = ACCOUNTS * OPENING_BALANCE;
    if snapshot.entries.len() as u64 == ACCOUNTS && sum == Some(wanted) {
        return None;
    }
    let seen: Vec<String> =
        snapshot.entries.iter().map(|entry| format!("{} {}", entry.key, entry.value)).collect();
    let (accounts, seen) = (snapshot.entries.len(), seen.join(", "));
    Some(format!(
        "at revision {} node {} showed {accounts} accounts that do not add up to {wanted}: {seen}",
        snapshot.revision, snapshot.node
    ))
}

/// The balance in a value, behind which stands who wrote it.
fn balance(value: &str) -> Option<u64> {
    value.split(' ').next()?.parse().ok()
}

/// Looks at all accounts, as a transaction of its own.
async fn look(client: &mut Client, node: u8) -> Option<Vec<SnapshotEntry>> {
    let names: Vec<String> = (0..ACCOUNTS).map(name).collect();
    let operation = begin(client, &names, &[]);
    match accounts(client, node).await {
        Ok(entries) => {
            commit(client, operation, &names, &entries, &[]);
            Some(entries)
        }
        Err(told) => {
            client.end_unanswered(operation, &told, true);
            None
        }
    }
}

/// Moves some money between two accounts, if they are as they were seen; or opens the accounts, if there are none.
async fn transfer(client: &mut Client, node: u8) {
    let mut order: Vec<String> = (0..ACCOUNTS).map(name).collect();
    client.choices.shuffle(&mut order);
    let writer = client.unique();
    let share = client.choices.range(0..=100);
    let entries = match accounts(client, node).await {
        Ok(entries) => entries,
        Err(_) => return,
    };
    let touched = if entries.is_empty() { &order[..] } else { &order[..2] };
    let holds = |name: &String| entries.iter().find(|entry| entry.key == *name);
    let held = |name: &String| holds(name).and_then(|entry| balance(&entry.value)).unwrap_or(0);
    let balances: Vec<u64> = if entries.is_empty() {
        touched.iter().map(|_| OPENING_BALANCE).collect()
    } else {
        let amount = held(&touched[0]) * share / 100;
        vec![held(&touched[0]) - amount, held(&touched[1]) + amount]
    };
    let values: Vec<String> = balances.iter().map(|balance| format!("{balance} by {writer}")).collect();
    let unchanged = |name: &String| match holds(name) {
        Some(entry) => Comparison::ValueIs(name.clone(), entry.value.clone()),
        None => Comparison::Absent(name.clone()),
    };
    let put = |(name, value): (&String, &String)| Step::Put(name.clone(), value.clone());
    let ask = Ask::Transaction {
        compare: touched.iter().map(unchanged).collect(),
        success: touched.iter().zip(&values).map(put).collect(),
        failure: vec![],
    };
    // What it compares is what it reads: so the transaction begins here.
    let operation = begin(client, touched, &values);
    match client.ask(node, &ask).await {
        Told::Decided { succeeded: true, .. } => commit(client, operation, touched, &entries, &values),
        Told::Decided { succeeded: false, .. } => client.end_unanswered(operation, &Told::Mismatch, false),
        told => client.end_unanswered(operation, &told, false),
    }
}

fn name(account: u64) -> String {
    format!("{PREFIX}{account}")
}

/// All accounts at one moment, or what the client was told instead.
async fn accounts(client: &mut Client, node: u8) -> Result<Vec<SnapshotEntry>, Told> {
    let began = client.recorder().now();
    match client.ask_patiently(node, &Ask::list(PREFIX)).await {
        Told::Page { revision, entries, .. } => {
            let snapshot = Snapshot {
                began,
                ended: client.recorder().now(),
                node,
                revision,
                start: PREFIX.to_owned(),
                end: crate::client::ask::behind(PREFIX),
                is_descending: false,
                entries: entries.clone(),
            };
            client.recorder().snapshot(client.plan().workload, snapshot);
            Ok(entries)
        }
        told => Err(told),
    }
}

fn begin(client: &Client, names: &[String], values: &[String]) -> Operation {
    let reads = names.iter().map(|name| step("r", name, Value::Nil));
    let value = Value::List(reads.chain(writes(names, values)).collect());
    client.begin(Call { function: "txn", key: None, value, expected: None })
}

fn commit(
    client: &mut Client,
    operation: Operation,
    names: &[String],
    entries: &[SnapshotEntry],
    values: &[String],
) {
    let read = |name: &String| {
        let found = entries.iter().find(|entry| entry.key == *name);
        step("r", name, found.map_or(Value::Nil, |entry| text(&entry.value)))
    };
    let value = Value::List(names.iter().map(read).chain(writes(names, values)).collect());
    client.end(operation, Outcome::Ok, Completion { value: Some(value), ..Completion::default() });
}

fn writes<'v>(names: &'v [String], values: &'v [String]) -> impl Iterator<Item = Value<'static>> + 'v {
    names.iter().zip(values).map(|(name, value)| step("w", name, text(value)))
}

fn step(function: &'static str, name: &str, value: Value<'static>) -> Value<'static> {
    Value::List(vec![Value::text(function), text(name), value])
}

fn text(text: &str) -> Value<'static> {
    Value::Text(text.as_bytes().to_vec().into())
}
