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

/// On a write: `SESSION:SEQUENCE`, see [`crate::IdempotencyKey`]. However often a request with the same key
/// arrives, it has an effect once.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// On a write with an [`IDEMPOTENCY_KEY`]: the client has seen the outcomes of all sequences of its session
/// below this one, so that the store may forget them.
pub const ACKNOWLEDGED_BELOW: &str = "quorate-acknowledged-below";

/// `true` on the answer to a write that was done before, by the first request with the same
/// [`IDEMPOTENCY_KEY`]: the rest of the answer says what happened then.
pub const REPLAYED: &str = "quorate-replayed";

/// On an answer with [`crate::ErrorCode::Compacted`]: the oldest revision that can be read, in decimal.
pub const OLDEST_REVISION: &str = "quorate-oldest-revision";
