//! Keys that come and go, and listings of them, page by page, while they do. All pages of a listing show one moment.

use super::versioned::{self, Seen};
use crate::client::Client;
use crate::client::ask::{Ask, Consistency, Told, behind};
use crate::history::Snapshot;
use crate::property::Property;

const KEYS: u64 = 24;
const PAGE_KEYS_MAX: u64 = 10;

/// Works until told to stop.
pub(super) async fn work(mut client: Client) {
    let mut seen = Seen::new();
    while client.goes_on().await {
        let prefix = prefix(super::epoch(&client));
        if client.choices.chance(25) {
            list(&mut client, &prefix).await;
        } else {
            let key = name(&prefix, client.choices.range(0..=KEYS - 1));
            versioned::write(&mut client, &key, [60, 10, 20, 10], &mut seen).await;
        }
    }
    let epochs = 0..=super::epoch(&client);
    let keys = epochs.flat_map(|epoch| (0..KEYS).map(move |key| name(&prefix(epoch), key)));
    versioned::read_all(&mut client, "ranges.", &keys.collect::<Vec<_>>()).await;
}

fn prefix(epoch: u64) -> String {
    format!("ranges.{epoch}/")
}

fn name(prefix: &str, key: u64) -> String {
    format!("{prefix}{key:03}")
}

/// Lists all keys or some of them, asking another node for each page if the client asks any.
async fn list(client: &mut Client, prefix: &str) {
    let (start, end) = if client.choices.chance(50) {
        (prefix.to_owned(), behind(prefix))
    } else {
        let (one, other) = (client.choices.range(0..=KEYS - 1), client.choices.range(0..=KEYS));
        (name(prefix, one.min(other)), name(prefix, one.max(other)))
    };
    let limit = Some(client.choices.range(1..=PAGE_KEYS_MAX));
    let is_descending = client.choices.chance(30);
    let began = client.recorder().now();
    let first_node = client.node();
    let mut node = first_node;
    let (mut cursor, mut at, mut found) = (None, None, Vec::new());
    loop {
        let ask = Ask::Range {
            start: start.clone(),
            end: end.clone(),
            limit,
            is_descending,
            cursor: cursor.take(),
            revision: None,
            consistency: Consistency::Linearizable,
        };
        let Told::Page { revision, entries, next, .. } = client.ask(node, &ask).await else { return };
        let first = *at.get_or_insert(revision);
        if revision != first {
            client.recorder().convict(Property::StatesOfARevision, format!(
                "a listing of {start} to {end} that began at revision {first} went on at revision {revision}"
            ));
            return;
        }
        found.extend(entries);
        match next {
            Some(next) => cursor = Some(next),
            None => break,
        }
        node = client.node();
    }
    let snapshot = Snapshot {
        began,
        ended: client.recorder().now(),
        node: first_node,
        revision: at.unwrap_or(0),
        start,
        end,
        is_descending,
        entries: found,
    };
    client.recorder().snapshot(client.plan().workload, snapshot);
}
