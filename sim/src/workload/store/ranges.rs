//! Keys that come and go, and listings of them, page by page, while they do.

use bytes::Bytes;
use quorate_api::Consistency;
use quorate_kv::{Command, Condition, Direction, KeyRange, RangeForm, RangeQuery};

use super::StoreClient;
use crate::oracles::store::{After, Asked, Told};

const PREFIX: &str = "range/";
/// Pages after which a listing is left alone.
const PAGES_MAX: u64 = 12;

impl StoreClient {
    pub(super) async fn work_on_ranges(&mut self, keys: u64, page_keys_max: u64) {
        let mut revisions = Vec::new();
        while self.goes_on().await {
            match self.dice.weighted(&[8, 2, 1, 1, 5]) {
                0 => drop(self.put_some(keys).await),
                1 => {
                    let key = self.range_key(keys);
                    self.write(Command::Delete { key, condition: Condition::Always }).await;
                }
                2 => drop(self.delete_range(keys).await),
                3 => self.count(keys).await,
                _ => self.list(keys, page_keys_max, &mut revisions).await,
            }
        }
    }

    fn range_key(&mut self, keys: u64) -> Bytes {
        let number = self.dice.range(0..=keys - 1);
        Bytes::from(format!("{PREFIX}{number:03}"))
    }

    async fn put_some(&mut self, keys: u64) -> Told {
        let (key, value) = (self.range_key(keys), self.unique_value());
        self.write(Command::Put { key, value, condition: Condition::Always }).await
    }

    /// Deletes a range whose end no other delete has, so that it is known in the log.
    async fn delete_range(&mut self, keys: u64) -> Told {
        let start = self.range_key(keys);
        let end = [&self.range_key(keys)[..], b"\0", self.unique().as_bytes()].concat();
        let range = KeyRange::new(start, Some(Bytes::from(end)));
        self.write(Command::DeleteRange { range, keys_max: u64::MAX }).await
    }

    /// Some keys of the range, or all, or all keys of the store.
    fn any_range(&mut self, keys: u64) -> KeyRange {
        match self.dice.range(0..=3) {
            0 => KeyRange::all(),
            1 => KeyRange::new(self.range_key(keys), Some(self.range_key(keys))),
            _ => KeyRange::prefix(Bytes::from_static(PREFIX.as_bytes())),
        }
    }

    fn any_consistency(&mut self) -> Consistency {
        if self.dice.chance(25) { Consistency::Stale } else { Consistency::Linearizable }
    }

    async fn count(&mut self, keys: u64) {
        let query = RangeQuery { form: RangeForm::Count, ..RangeQuery::new(self.any_range(keys)) };
        let consistency = self.any_consistency();
        self.ask(Asked::Range { query, after: None, consistency }).await;
    }

    /// Lists a range to its end, asking another member for each page, while it and others write.
    async fn list(&mut self, keys: u64, page_keys_max: u64, revisions: &mut Vec<u64>) {
        let query = RangeQuery {
            range: self.any_range(keys),
            direction: self.dice.pick(&[Direction::Ascending, Direction::Ascending, Direction::Descending]),
            limit: Some(self.dice.range(1..=page_keys_max)),
            form: self.dice.pick(&[RangeForm::KeysAndValues, RangeForm::KeysAndValues, RangeForm::Keys]),
            revision: if self.dice.chance(20) { revisions.last().copied() } else { None },
        };
        let consistency = self.any_consistency();
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let member = self.any_member();
            let asked = Asked::Range { query: query.clone(), after: after.take(), consistency };
            let Told::Page { revision, entries, next } = self.ask_member(member, asked).await else { return };
            revisions.push(revision);
            let (Some(cursor), Some(last)) = (next, entries.last()) else { return };
            after = Some(After { revision, last_key: last.key.clone(), cursor });
            if self.dice.chance(50) {
                self.put_some(keys).await;
            }
            if self.is_stopped() {
                return;
            }
        }
    }
}
