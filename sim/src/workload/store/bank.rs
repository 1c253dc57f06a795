//! Money that moves from one account to another if both are as they were seen.

use bytes::Bytes;
use quorate_api::Consistency;
use quorate_kv::{
    Comparison, Direction, KeyEntry, Operation, Predicate, RangeForm, RangeQuery, Relation, Target,
    Transaction,
};

use super::StoreClient;
use crate::oracles::store::bank::{ACCOUNTS, OPENING_BALANCE, account_value, accounts, balance};
use crate::oracles::store::{Asked, Told};

impl StoreClient {
    pub(super) async fn work_in_bank(&mut self, accounts_count: u64, step_ms: u64) {
        while self.goes_on().await {
            let is_stale = self.dice.chance(15);
            let consistency = if is_stale { Consistency::Stale } else { Consistency::Linearizable };
            let query = RangeQuery::new(accounts());
            let Told::Page { entries, .. } = self.ask(Asked::Range { query, after: None, consistency }).await
            else {
                continue;
            };
            let transaction = match &entries[..] {
                [] if is_stale => continue,
                [] => self.open_accounts(accounts_count),
                [_] => continue,
                several => self.transfer(several),
            };
            self.keep_step(step_ms).await;
            self.transact(transaction).await;
        }
    }

    /// Opens all accounts if there is none.
    fn open_accounts(&mut self, count: u64) -> Transaction {
        let writer = self.unique();
        let put = |number| Operation::Put {
            key: Bytes::from(format!("{ACCOUNTS}{number}")),
            value: account_value(OPENING_BALANCE, &writer),
        };
        let none = Comparison { target: Target::Range(accounts()), predicate: Predicate::Exists(false) };
        Transaction { comparisons: vec![none], success: (0..count).map(put).collect(), failure: vec![look()] }
    }

    /// Moves some money between two accounts, if they are as they were seen. Half of the transfers make the
    /// second comparison in a transaction of its own, nested in the first.
    fn transfer(&mut self, seen: &[KeyEntry]) -> Transaction {
        let mut order: Vec<&KeyEntry> = seen.iter().collect();
        self.dice.shuffle(&mut order);
        let (from, to) = (order[0], order[1]);
        let has = balance(from.value.as_deref().unwrap_or_default()).unwrap_or(0);
        let gets = balance(to.value.as_deref().unwrap_or_default()).unwrap_or(0);
        let amount = self.dice.range(0..=has);
        let writer = self.unique();
        let put = |key: &Bytes, balance| Operation::Put {
            key: key.clone(),
            value: account_value(balance, &writer),
        };
        let puts = vec![put(&from.key, has - amount), put(&to.key, gets + amount)];
        if self.dice.chance(50) {
            let nested = Transaction { comparisons: vec![unchanged(to)], success: puts, failure: Vec::new() };
            let success = vec![Operation::Transaction(nested), look()];
            return Transaction { comparisons: vec![unchanged(from)], success, failure: vec![look()] };
        }
        let mut success = puts;
        success.push(look());
        let comparisons = vec![unchanged(from), unchanged(to)];
        Transaction { comparisons, success, failure: vec![look()] }
    }
}

/// The account has the value that was seen.
fn unchanged(seen: &KeyEntry) -> Comparison {
    let value = seen.value.clone().unwrap_or_default();
    Comparison { target: Target::Key(seen.key.clone()), predicate: Predicate::Value(Relation::Equal, value) }
}

/// Reads all accounts.
fn look() -> Operation {
    Operation::Range {
        range: accounts(),
        direction: Direction::Ascending,
        limit: None,
        form: RangeForm::KeysAndValues,
    }
}
