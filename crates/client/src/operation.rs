//! Operations of a transaction.

use bytes::Bytes;
use quorate_api::transaction::{Operation, Transaction};

use crate::keys::Keys;

/// Sets a key's value.
pub fn put(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Operation {
    Operation::Put { key: key.into(), value: value.into() }
}

/// Reads a key.
pub fn get(key: impl Into<Bytes>) -> Operation {
    Operation::Get { key: key.into() }
}

/// Deletes a key.
pub fn delete(key: impl Into<Bytes>) -> Operation {
    Operation::Delete { key: key.into() }
}

/// Reads a range, the first `limit` keys of it at most.
pub fn range(keys: Keys, limit: Option<u64>) -> Operation {
    let mut parameters = keys.parameters();
    parameters.limit = limit;
    let query = parameters.range_query();
    Operation::Range { range: query.range, direction: query.direction, limit: query.limit, form: query.form }
}

/// Counts the keys of a range.
pub fn count(keys: Keys) -> Operation {
    let mut parameters = keys.parameters();
    parameters.count_only = true;
    let query = parameters.range_query();
    Operation::Range { range: query.range, direction: query.direction, limit: query.limit, form: query.form }
}

/// Deletes the keys of a range.
pub fn delete_range(keys: Keys) -> Operation {
    Operation::DeleteRange { range: keys.wire.range }
}

/// Compares and chooses again. It must not have such an operation in it.
pub fn transaction(nested: impl Into<Transaction>) -> Operation {
    Operation::Transaction(nested.into())
}
