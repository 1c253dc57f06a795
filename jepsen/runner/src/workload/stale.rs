//! Reads of whatever a node has, within a bound of its age or without. What is older than the bound is not answered.

use std::time::Duration;

use super::versioned::{self, Seen};
use crate::client::Client;
use crate::client::ask::{Ask, Consistency, Told, behind};
use crate::history::Snapshot;
use crate::property::Property;

const KEYS: u64 = 6;
/// Bounds that clients ask for.
const AGES_MAX_MS: [u64; 4] = [1, 50, 500, 3_000];

/// Works until told to stop.
pub(super) async fn work(mut client: Client) {
    let mut seen = Seen::new();
    while client.goes_on().await {
        let prefix = prefix(super::epoch(&client));
        match client.choices.weighted(&[40, 10, 50]) {
            0 => {
                let key = name(&prefix, client.choices.range(0..=KEYS - 1));
                versioned::write(&mut client, &key, [70, 10, 20, 0], &mut seen).await;
            }
            1 => {
                let key = name(&prefix, client.choices.range(0..=KEYS - 1));
                versioned::read(&mut client, &key, &mut seen).await;
            }
            _ => read_stale(&mut client, &prefix).await,
        }
    }
    let epochs = 0..=super::epoch(&client);
    let keys = epochs.flat_map(|epoch| (0..KEYS).map(move |key| name(&prefix(epoch), key)));
    versioned::read_all(&mut client, "stale.", &keys.collect::<Vec<_>>()).await;
}

fn prefix(epoch: u64) -> String {
    format!("stale.{epoch}/")
}

fn name(prefix: &str, key: u64) -> String {
    format!("{prefix}{key}")
}

async fn read_stale(client: &mut Client, prefix: &str) {
    let bound = client.choices.range(0..=AGES_MAX_MS.len() as u64) as usize;
    let age_max = AGES_MAX_MS.get(bound).copied().map(Duration::from_millis);
    let consistency = Consistency::Stale { age_max };
    let is_listing = client.choices.chance(50);
    let (start, end) = if is_listing {
        (prefix.to_owned(), behind(prefix))
    } else {
        let key = name(prefix, client.choices.range(0..=KEYS - 1));
        // Nothing lies between a key and the same with a zero behind it.
        (key.clone(), format!("{key}\0"))
    };
    let ask = if is_listing {
        let (start, end) = (start.clone(), end.clone());
        Ask::Range {
            start,
            end,
            limit: None,
            is_descending: false,
            cursor: None,
            revision: None,
            consistency,
        }
    } else {
        Ask::Get { key: start.clone(), revision: None, consistency }
    };
    let node = client.node();
    let began = client.recorder().now();
    let told = client.ask(node, &ask).await;
    let ended = client.recorder().now();
    let (revision, entries, age_ms) = match told {
        Told::Page { revision, entries, age_ms, .. } => (revision, entries, age_ms),
        Told::Item { item, store_revision: Some(revision), age_ms, .. } => {
            (revision, item.into_iter().collect(), age_ms)
        }
        _ => return,
    };
    if let Some(age_max) = age_max {
        let took = Duration::from_nanos(ended - began);
        if !is_within(age_max, age_ms, took) {
            client.recorder().convict(Property::AgesAsTold, format!(
                "node {node} answered a read that was to be no older than {age_max:?} within {took:?} with an age of \
                 {age_ms:?} ms"
            ));
        }
    }
    let snapshot = Snapshot { began, ended, node, revision, start, end, is_descending: false, entries };
    client.recorder().snapshot(client.plan().workload, snapshot);
}

/// Whether an answer that came after `took` is no older than it was to be. The bound holds as of when the request
/// arrived. So the answer may say that much more as it took, by a clock that may run at twice the speed of time, and in
/// milliseconds that are rounded up.
fn is_within(age_max: Duration, age_ms: Option<u64>, took: Duration) -> bool {
    let largest = age_max + 2 * took + Duration::from_millis(1);
    age_ms.is_some_and(|age_ms| Duration::from_millis(age_ms) <= largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_exceeded_by_no_more_than_the_answer_took() {
        let is_within =
            |age, took| is_within(Duration::from_millis(50), Some(age), Duration::from_millis(took));
        assert!(is_within(50, 0) && is_within(51, 0), "it is rounded up");
        assert!(!is_within(52, 0));
        assert!(is_within(71, 10) && !is_within(72, 10));
    }

    #[test]
    fn who_does_not_know_the_age_cannot_keep_a_bound() {
        assert!(!super::is_within(Duration::from_secs(3), None, Duration::from_secs(3)));
    }
}
