//! Reads of the past at a revision, while somebody compacts it.

use std::sync::atomic::Ordering;

use super::versioned::{self, Seen};
use crate::client::Client;
use crate::client::ask::{Ask, Consistency, Told, behind};
use crate::history::Snapshot;
use crate::property::Property;

const KEYS: u64 = 8;
/// Revisions that a client remembers.
const REMEMBERED_MAX: usize = 200;
/// How many revisions are left behind those that are compacted. All workloads together take some hundred a second.
const LEFT: u64 = 2_000;

/// Works until told to stop.
pub(super) async fn work(mut client: Client) {
    let mut seen = Seen::new();
    // Revisions that were there, and in which epoch.
    let mut revisions: Vec<(u64, u64)> = Vec::new();
    while client.goes_on().await {
        let epoch = super::epoch(&client);
        match (client.choices.weighted(&[45, 53, 2]), revisions.last().copied()) {
            (1, Some(_)) => read_past(&mut client, &revisions).await,
            (2, Some((newest, _))) => compact(&mut client, newest).await,
            _ => {
                let key = name(&prefix(epoch), client.choices.range(0..=KEYS - 1));
                let taken = versioned::write(&mut client, &key, [65, 10, 20, 5], &mut seen).await;
                revisions.extend(taken.map(|revision| (revision, epoch)));
                let too_many = revisions.len().saturating_sub(REMEMBERED_MAX);
                revisions.drain(..too_many);
            }
        }
    }
    let epochs = 0..=super::epoch(&client);
    let keys = epochs.flat_map(|epoch| (0..KEYS).map(move |key| name(&prefix(epoch), key)));
    versioned::read_all(&mut client, "past.", &keys.collect::<Vec<_>>()).await;
}

fn prefix(epoch: u64) -> String {
    format!("past.{epoch}/")
}

fn name(prefix: &str, key: u64) -> String {
    format!("{prefix}{key}")
}

/// Reads a key or all keys as they were at a revision that the client knows to have been there, or a few later.
async fn read_past(client: &mut Client, revisions: &[(u64, u64)]) {
    let (at, epoch) = revisions[client.choices.range(0..=revisions.len() as u64 - 1) as usize];
    let prefix = prefix(epoch);
    let is_listing = client.choices.chance(50);
    let consistency = Consistency::Linearizable;
    let (start, end) = if is_listing {
        (prefix.clone(), behind(&prefix))
    } else {
        let key = name(&prefix, client.choices.range(0..=KEYS - 1));
        (key.clone(), format!("{key}\0"))
    };
    let ask = if is_listing {
        let (start, end, revision) = (start.clone(), end.clone(), Some(at));
        Ask::Range { start, end, limit: None, is_descending: false, cursor: None, revision, consistency }
    } else {
        Ask::Get { key: start.clone(), revision: Some(at), consistency }
    };
    let node = client.node();
    let began = client.recorder().now();
    let entries = match client.ask(node, &ask).await {
        Told::Page { revision, entries, .. } => {
            if revision != at {
                let what = format!("node {node} listed revision {revision} although {at} was asked for");
                client.recorder().convict(Property::StatesOfARevision, what);
            }
            entries
        }
        Told::Item { item, .. } => item.into_iter().collect(),
        Told::Compacted { oldest } => {
            let asked = client.compacted().load(Ordering::Acquire);
            if at >= oldest || oldest > asked {
                client.recorder().convict(Property::StatesOfARevision, format!(
                    "node {node} says that revision {at} is compacted, and that {oldest} is the oldest left; \
                     nobody has compacted beyond {asked}"
                ));
            }
            return;
        }
        _ => return,
    };
    let ended = client.recorder().now();
    let snapshot = Snapshot { began, ended, node, revision: at, start, end, is_descending: false, entries };
    client.recorder().snapshot(client.plan().workload, snapshot);
}

async fn compact(client: &mut Client, newest: u64) {
    let revision = newest.saturating_sub(LEFT);
    if revision == 0 {
        return;
    }
    client.compacted().fetch_max(revision, Ordering::AcqRel);
    let node = client.node();
    // Another client may have compacted more.
    client.ask(node, &Ask::Compact { revision }).await;
}
