//! What a transaction did, in JSON.

use quorate_kv::{Operation, OperationResult, RangeForm, RangePage, Transaction};
use serde::{Deserialize, Serialize};

use crate::item::Item;

/// The answer to `POST /v1/txn`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TransactionAnswer {
    /// The revision of the changes, or the store's newest one if there were none.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub revision: u64,
    /// Whether all comparisons held: `success` was done, otherwise `failure`.
    pub succeeded: bool,
    /// What each operation of the chosen list did or found, in its order. Absent if the answer is a
    /// replayed one: a session keeps what was done, not what was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Vec<OperationAnswer>>,
    /// Whether this was done before, by the first request with the same `Idempotency-Key`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
}

/// What one operation did or found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum OperationAnswer {
    /// The key was put.
    Put {
        /// The revision at which the key was created.
        #[serde(with = "crate::decimal")]
        #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
        create_revision: u64,
        /// How often it was put since then.
        #[serde(with = "crate::decimal")]
        #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
        version: u64,
    },
    /// The key was read.
    Get {
        /// The key, or `None` (`null`) if it does not exist.
        item: Option<Item>,
    },
    /// The key was deleted, or was not there.
    Delete {
        /// Whether it was there.
        deleted: bool,
    },
    /// The range was read.
    Range(RangeResult),
    /// The keys of the range were deleted.
    DeleteRange {
        /// How many there were.
        #[serde(with = "crate::decimal")]
        #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
        deleted: u64,
    },
    /// The nested transaction was done.
    Txn {
        /// Whether all its comparisons held.
        succeeded: bool,
        /// What each operation of its chosen list did or found.
        #[cfg_attr(feature = "openapi", schema(no_recursion))]
        results: Vec<OperationAnswer>,
    },
}

/// What a range in a transaction found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RangeResult {
    /// The keys.
    Items {
        /// In the order that was asked for.
        items: Vec<Item>,
        /// Whether there may be more, which the limit left out.
        more: bool,
    },
    /// Only how many there are.
    Count {
        /// How many.
        #[serde(with = "crate::decimal")]
        #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
        count: u64,
    },
}

impl TransactionAnswer {
    /// The answer for `results` of `transaction`.
    pub fn new(
        transaction: &Transaction,
        revision: u64,
        succeeded: bool,
        results: Vec<OperationResult>,
    ) -> Self {
        let results = Some(answers(transaction, succeeded, results));
        Self { revision, succeeded, results, replayed: false }
    }

    /// The answer for a transaction that was done before.
    pub fn replayed(revision: u64, succeeded: bool) -> Self {
        Self { revision, succeeded, results: None, replayed: true }
    }
}

fn answers(
    transaction: &Transaction,
    succeeded: bool,
    results: Vec<OperationResult>,
) -> Vec<OperationAnswer> {
    let operations = if succeeded { &transaction.success } else { &transaction.failure };
    operations.iter().zip(results).map(|(operation, result)| answer(operation, result)).collect()
}

fn answer(operation: &Operation, result: OperationResult) -> OperationAnswer {
    match (operation, result) {
        (Operation::Get { key }, OperationResult::Get(found)) => {
            OperationAnswer::Get { item: found.map(|found| Item::new(key.clone(), found)) }
        }
        (Operation::Range { form, .. }, OperationResult::Range(page)) => {
            OperationAnswer::Range(range_result(*form, page))
        }
        (Operation::Transaction(nested), OperationResult::Transaction { succeeded, results }) => {
            OperationAnswer::Txn { succeeded, results: answers(nested, succeeded, results) }
        }
        (_, OperationResult::Put { create_revision, version }) => {
            OperationAnswer::Put { create_revision, version }
        }
        (_, OperationResult::Delete { deleted }) => OperationAnswer::Delete { deleted },
        (_, OperationResult::DeleteRange { deleted }) => OperationAnswer::DeleteRange { deleted },
        (
            operation,
            result @ (OperationResult::Get(_)
            | OperationResult::Range(_)
            | OperationResult::Transaction { .. }),
        ) => panic!("results have the kinds of their operations, but {operation:?} has {result:?}"),
    }
}

fn range_result(form: RangeForm, page: RangePage) -> RangeResult {
    match form {
        RangeForm::Count => RangeResult::Count { count: page.count },
        RangeForm::Keys | RangeForm::KeysAndValues => RangeResult::Items {
            items: page.entries.into_iter().map(Item::from).collect(),
            more: page.next.is_some(),
        },
    }
}
