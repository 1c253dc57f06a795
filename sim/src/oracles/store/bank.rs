//! Money moves between accounts and is neither made nor lost: whoever sees all accounts at one moment sees
//! the same sum. Says nothing of revisions or of the log, and so does not rest on either.

use bytes::Bytes;
use quorate_api::{OperationAnswer, RangeResult};
use quorate_kv::KeyRange;

use super::effect::Effect;
use super::operation::{Asked, StoreOperation, Told};
use crate::oracles::{Judgement, Violation};

/// The property's name.
pub const MONEY_IS_KEPT: &str = "transfers keep the sum of all accounts";

/// What the keys of accounts begin with.
pub const ACCOUNTS: &str = "bank/";
/// What each account has in the beginning.
pub const OPENING_BALANCE: u64 = 100;

/// The value of an account: its balance, and who wrote it.
pub fn account_value(balance: u64, writer: &str) -> Bytes {
    Bytes::from(format!("{balance};{writer}"))
}

/// The balance in the value of an account.
pub fn balance(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.split_once(';')?.0.parse().ok()
}

/// The range of all accounts.
pub fn accounts() -> KeyRange {
    KeyRange::prefix(Bytes::from_static(ACCOUNTS.as_bytes()))
}

/// Judges everyone who saw all accounts, or none.
pub(super) fn check(operations: &[StoreOperation]) -> Judgement {
    for operation in operations {
        let Some(values) = all_accounts(operation) else { continue };
        let balances: Option<Vec<u64>> = values.iter().map(|value| balance(value)).collect();
        let sum = balances.as_ref().map(|balances| balances.iter().sum::<u64>());
        if !values.is_empty() && sum != Some(values.len() as u64 * OPENING_BALANCE) {
            let (asked, told) = (&operation.asked, &operation.told);
            let evidence = format!(
                "c{} asked n{}: {asked}; it was told {told}: the sum is {sum:?}",
                operation.client, operation.member
            );
            return Err(Violation::new(MONEY_IS_KEPT, evidence));
        }
    }
    Ok(())
}

/// The values of all accounts, if the operation shows them.
fn all_accounts(operation: &StoreOperation) -> Option<Vec<&[u8]>> {
    match (&operation.asked, &operation.told) {
        (Asked::Range { query, after: None, .. }, Told::Page { entries, .. })
            if query.range == accounts() && query.limit.is_none() =>
        {
            entries.iter().map(|entry| entry.value.as_deref()).collect()
        }
        (Asked::Write { .. }, Told::Wrote { effect: Effect::Transaction(answer), .. }) => {
            let ranges = answer.results.iter().flatten().filter_map(|result| match result {
                OperationAnswer::Range(RangeResult::Items { items, .. }) => Some(items),
                _ => None,
            });
            let of_accounts = |items: &&Vec<quorate_api::Item>| {
                !items.is_empty() && items.iter().all(|item| item.key.starts_with(ACCOUNTS.as_bytes()))
            };
            let items = ranges.into_iter().find(of_accounts)?;
            items.iter().map(|item| item.value.as_deref()).collect()
        }
        _ => None,
    }
}
