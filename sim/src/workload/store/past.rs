//! Reads of the past: keys and ranges as they were at revisions that the client has seen, and the history
//! of what changed. Compaction takes some of that away.

use bytes::Bytes;
use quorate_api::Consistency;
use quorate_kv::{KeyRange, RangeQuery};

use super::StoreClient;
use crate::oracles::store::{Asked, Told};

/// How far back the newest revisions go.
const NEWEST: u64 = 12;
const CHANGES_MAX: u64 = 30;

impl StoreClient {
    pub(super) async fn work_in_past(&mut self, old_percent: u64) {
        // The newest keys that it saw in a listing, and all revisions.
        let mut keys: Vec<Bytes> = Vec::new();
        let mut revisions: Vec<u64> = vec![0];
        while self.goes_on().await {
            let revision = self.any_revision(&revisions, old_percent);
            let is_stale = self.dice.chance(25);
            let consistency = if is_stale { Consistency::Stale } else { Consistency::Linearizable };
            let asked = match self.dice.weighted(&[2, 3, 3, 2]) {
                0 => {
                    let query = RangeQuery::new(KeyRange::all());
                    Asked::Range { query, after: None, consistency: Consistency::Linearizable }
                }
                1 if !keys.is_empty() => {
                    let key = keys[self.dice.range(0..=keys.len() as u64 - 1) as usize].clone();
                    Asked::Get { key, revision: Some(revision), consistency }
                }
                2 => {
                    let limit = self.dice.chance(50).then(|| self.dice.range(1..=9));
                    let query =
                        RangeQuery { revision: Some(revision), limit, ..RangeQuery::new(KeyRange::all()) };
                    Asked::Range { query, after: None, consistency }
                }
                _ => Asked::Changes { from: revision, limit: self.dice.range(1..=CHANGES_MAX) },
            };
            let is_newest = asked.past_revision().is_none();
            let told = self.ask(asked).await;
            if let Some(revision) = told.revision().filter(|_| is_newest) {
                revisions.push(revision);
            }
            if let (Told::Page { entries, .. }, true) = (told, is_newest) {
                keys.extend(entries.into_iter().map(|entry| entry.key));
                keys.sort_unstable();
                keys.dedup();
            }
        }
    }

    /// A revision that was there when the client saw one that was at least as new.
    fn any_revision(&mut self, revisions: &[u64], old_percent: u64) -> u64 {
        let newest = revisions.last().copied().unwrap_or(0);
        if self.dice.chance(old_percent) {
            return self.dice.range(0..=newest);
        }
        newest.saturating_sub(self.dice.range(0..=NEWEST))
    }
}
