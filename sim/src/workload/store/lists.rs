//! Lists that grow. A client reads lists, and then appends to some of them if none has changed since: all
//! of that is one transaction, whose comparisons say that what was read still holds.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_api::OperationAnswer;
use quorate_kv::{Comparison, Operation, Predicate, Relation, Target, Transaction};

use super::StoreClient;
use crate::oracles::store::lists::{LISTS, appended};
use crate::oracles::store::{Effect, Told};

/// Lists as a client last saw them: value and revision, or that they do not exist.
type Lists = BTreeMap<Bytes, Option<(Bytes, u64)>>;

impl StoreClient {
    pub(super) async fn work_on_lists(&mut self, keys: u64, step_ms: u64) {
        let mut seen = Lists::new();
        while self.goes_on().await {
            let chosen = self.choose_lists(keys);
            // Now and then it trusts what it saw before, which others may have changed meanwhile.
            let knows_all = chosen.iter().all(|key| seen.contains_key(key));
            if !(knows_all && self.dice.chance(40)) {
                let read = Transaction { success: gets(&chosen), ..Transaction::default() };
                let told = self.transact(read).await;
                if !remember(&mut seen, &chosen, &told) {
                    continue;
                }
            }
            let transaction = self.append(&chosen, &seen);
            self.keep_step(step_ms).await;
            let told = self.transact(transaction).await;
            chosen.iter().for_each(|key| drop(seen.remove(key)));
            remember(&mut seen, &chosen, &told);
        }
    }

    /// Some lists, in a random order.
    fn choose_lists(&mut self, keys: u64) -> Vec<Bytes> {
        let mut all: Vec<Bytes> = (0..keys).map(|key| Bytes::from(format!("{LISTS}{key}"))).collect();
        self.dice.shuffle(&mut all);
        all.truncate(self.dice.range(1..=keys) as usize);
        all
    }

    /// Appends to some of the lists, at least the first one, if all of them are as they were seen.
    fn append(&mut self, chosen: &[Bytes], seen: &Lists) -> Transaction {
        let comparisons = chosen.iter().map(|key| {
            let predicate = match &seen[key] {
                Some((_, revision)) => Predicate::ModRevision(Relation::Equal, *revision),
                None => Predicate::Exists(false),
            };
            Comparison { target: Target::Key(key.clone()), predicate }
        });
        let comparisons = comparisons.collect();
        let appended_count = self.dice.range(1..=chosen.len() as u64) as usize;
        let mut success = gets(chosen);
        for key in &chosen[..appended_count] {
            let value = appended(seen[key].as_ref().map(|(value, _)| &value[..]), &self.unique());
            success.push(Operation::Put { key: key.clone(), value });
        }
        Transaction { comparisons, success, failure: gets(chosen) }
    }
}

fn gets(keys: &[Bytes]) -> Vec<Operation> {
    keys.iter().map(|key| Operation::Get { key: key.clone() }).collect()
}

/// Keeps what a transaction that changed nothing saw of the lists; whether it saw them.
fn remember(seen: &mut Lists, chosen: &[Bytes], told: &Told) -> bool {
    let Told::Wrote { effect: Effect::Transaction(answer), .. } = told else { return false };
    let results = answer.results.as_deref().unwrap_or_default();
    if results.len() != chosen.len() {
        return false;
    }
    for (key, result) in chosen.iter().zip(results) {
        let OperationAnswer::Get { item } = result else { return false };
        let found = item.as_ref().map(|item| (item.value.clone().unwrap_or_default(), item.mod_revision));
        seen.insert(key.clone(), found);
    }
    true
}
