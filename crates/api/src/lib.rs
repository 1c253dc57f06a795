//! The HTTP API as types: what server and client have to agree on, and nothing that serves or sends.
//!
//! | Request | Answer |
//! |---|---|
//! | `PUT /v1/kv/{key}`, the body is the value | 201 if the key is new, 200 if it was there |
//! | `GET /v1/kv/{key}`, `HEAD` | 200 and the value, 304 if the client has it already |
//! | `DELETE /v1/kv/{key}` | 204 |
//! | `GET /v1/cluster` | 200 and a [`ClusterStatus`] |
//! | `GET /healthz` | 200 while the node runs |
//! | `GET /readyz` | 200 while the node can serve linearizable requests |
//! | `GET /metrics` | 200 and Prometheus text |
//!
//! Whatever goes wrong is answered with a JSON [`ErrorBody`] whose code is one of [`ErrorCode`], the
//! one list of them. Header names are in [`headers`], the way from bytes to a key and back in [`key`],
//! conditional requests in [`condition`], query parameters in [`query`].
//!
//! Numbers of 64 bits are strings in JSON: many parsers would round them.

pub mod cluster;
pub mod condition;
pub mod consistency;
mod decimal;
pub mod error_body;
pub mod error_code;
pub mod headers;
pub mod key;
pub mod query;

pub use cluster::{ClusterMember, ClusterStatus, NodeName, Role};
pub use condition::Condition;
pub use consistency::Consistency;
pub use error_body::ErrorBody;
pub use error_code::ErrorCode;
pub use query::parse_duration;

/// The path before a key. The key is everything behind it: see [`key`].
pub const KEY_PATH_PREFIX: &str = "/v1/kv/";

/// The path of the cluster's status.
pub const CLUSTER_PATH: &str = "/v1/cluster";

/// The path that tells whether the node runs.
pub const HEALTH_PATH: &str = "/healthz";

/// The path that tells whether the node can serve linearizable requests.
pub const READY_PATH: &str = "/readyz";

/// The path of the metrics.
pub const METRICS_PATH: &str = "/metrics";
