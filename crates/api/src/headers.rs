//! The names of the API's own headers, in the lower case that HTTP libraries want.
//!
//! Standard headers do the rest: `ETag` is the revision of the key's newest change in quotes,
//! `If-Match` and `If-None-Match` are [`crate::Condition`]s, `Retry-After` comes with every answer
//! that asks for patience.

/// A revision of the store, in decimal.
///
/// On a write that took effect: the revision of this change. On every other answer about a key: the
/// store's revision that the answer reflects, also when there is no such key. The revision of the
/// *key's* newest change is the `ETag`.
pub const REVISION: &str = "quorate-revision";

/// The revision at which the key was created, in decimal. On a put and a get.
pub const CREATE_REVISION: &str = "quorate-create-revision";

/// How often the key was put since it was created, in decimal. On a put and a get.
pub const VERSION: &str = "quorate-version";

/// On a stale read: how many milliseconds ago the node's state was known to be current, rounded up,
/// or [`AGE_UNKNOWN`].
pub const AGE_MS: &str = "quorate-age-ms";

/// The value of [`AGE_MS`] on a node that was never known to be current since it started.
pub const AGE_UNKNOWN: &str = "unknown";

/// Names the request in the logs of the nodes: 16 hexadecimal digits.
pub const REQUEST_ID: &str = "quorate-request-id";
