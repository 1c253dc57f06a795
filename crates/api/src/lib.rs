//! The HTTP API as types: what server and client have to agree on, and nothing that serves or sends.
//!
//! | Request | Answer |
//! |---|---|
//! | `PUT /v1/kv/{key}`, the body is the value | 201 if the key is new, 200 if it was there |
//! | `GET /v1/kv/{key}`, `HEAD` | 200 and the value, or a [`KeyAnswer`] for whom prefers JSON; 304 if the client has it already |
//! | `DELETE /v1/kv/{key}` | 204 |
//! | `GET /v1/kv` with [`RangeParameters`] | 200 and a [`RangeAnswer`] or [`CountAnswer`] |
//! | `DELETE /v1/kv` with [`DeleteRangeParameters`] | 200 and a [`DeleteRangeAnswer`] |
//! | `POST /v1/txn` with a [`TransactionBody`] | 200 and a [`TransactionAnswer`] |
//! | `POST /v1/compact` with a [`CompactBody`] | 200 and a [`CompactAnswer`] |
//! | `GET /v1/settings`, `PUT` with a [`SettingsBody`] | 200 and a [`SettingsAnswer`] |
//! | `POST /v1/sessions` with an [`OpenSessionBody`] | 201 and a [`SessionAnswer`] |
//! | `POST /v1/sessions/{id}` | 200 and a [`SessionAnswer`] |
//! | `DELETE /v1/sessions/{id}` | 204 |
//! | `GET /v1/revisions` with [`ChangesParameters`] | 200 and a [`ChangesAnswer`] |
//! | `GET /v1/cluster` | 200 and a [`ClusterStatus`] |
//! | `GET /v1/cluster/members` | 200 and a [`MembersAnswer`] |
//! | `POST /v1/cluster/members` with an [`AddMemberBody`] | 200 and a [`MembersAnswer`] |
//! | `POST /v1/cluster/members/{id}/promote` | 200 and a [`MembersAnswer`] |
//! | `POST /v1/cluster/members/{id}/replace` with a [`ReplaceMemberBody`] | 200 and a [`MembersAnswer`] |
//! | `DELETE /v1/cluster/members/{id}` | 200 and a [`MembersAnswer`] |
//! | `POST /v1/cluster/leader` with a [`TransferBody`] | 200 and a [`TransferAnswer`] |
//! | `GET /healthz` | 200 while the node runs |
//! | `GET /readyz` | 200 while the node can serve linearizable requests |
//! | `GET /metrics` | 200 and Prometheus text |
//! | `GET /openapi.json`, `GET /docs` | 200 and the description of all this, for programs and for people |
//!
//! Whatever goes wrong is answered with a JSON [`ErrorBody`] whose code is one of [`ErrorCode`], the
//! one list of them. Header names are in [`headers`], the way from bytes to a key and back in [`key`],
//! conditional requests in [`condition`], query parameters in [`query`] and [`range_parameters`].
//!
//! Numbers of 64 bits are strings in JSON: many parsers would round them. Bytes that are text stand under
//! their name, other bytes in base64 under their name with `_base64`. Requests are read strictly: unknown
//! and repeated fields are errors ([`parse_body`]). Answers are read leniently: a newer server may add fields.

mod body;
mod bounds;
mod bytes_form;
pub mod changes;
pub mod cluster;
pub mod condition;
pub mod consistency;
pub mod cursor;
mod decimal;
pub mod error_body;
pub mod error_code;
pub mod headers;
mod item;
pub mod key;
mod key_answer;
mod leadership;
mod maintenance;
pub mod media;
mod membership;
mod order;
pub mod query;
mod range_answer;
pub mod range_parameters;
#[cfg(feature = "openapi")]
mod schema_of;
mod session;
mod strict_json;
pub mod transaction;
pub mod upkeep;

pub use body::{BadBody, parse_body};
pub use changes::{Change, ChangesAnswer, ChangesParameters, PutChange};
pub use cluster::{ClusterMember, ClusterStatus, NodeName, Role};
pub use condition::Condition;
pub use consistency::Consistency;
pub use cursor::{BadCursor, Cursor};
pub use error_body::ErrorBody;
pub use error_code::ErrorCode;
pub use item::Item;
pub use key_answer::KeyAnswer;
pub use leadership::{TransferAnswer, TransferBody};
pub use maintenance::{CompactAnswer, CompactBody, SettingAnswer, SettingsAnswer, SettingsBody};
pub use membership::{
    AddMemberBody, MemberAnswer, MemberRole, MembersAnswer, PromoteMemberBody, ReplaceMemberBody, WantedRole,
};
pub use order::Order;
pub use query::{BadQuery, parse_duration};
pub use range_answer::{CountAnswer, DeleteRangeAnswer, RangeAnswer};
pub use range_parameters::{DeleteRangeParameters, RangeParameters};
pub use session::{IdempotencyKey, OpenSessionBody, SessionAnswer};
pub use transaction::{OperationAnswer, RangeResult, TransactionAnswer, TransactionBody};
pub use upkeep::{BackgroundStatus, CompactionStatus, QuotaState, QuotaStatus};

/// The path before a key. The key is everything behind it: see [`key`].
pub const KEY_PATH_PREFIX: &str = "/v1/kv/";

/// The path of ranges of keys.
pub const RANGE_PATH: &str = "/v1/kv";

/// The path of transactions.
pub const TRANSACTION_PATH: &str = "/v1/txn";

/// The path of compaction.
pub const COMPACT_PATH: &str = "/v1/compact";

/// The path of the settings.
pub const SETTINGS_PATH: &str = "/v1/settings";

/// The path of sessions; one session's is this, a slash and its number.
pub const SESSIONS_PATH: &str = "/v1/sessions";

/// The path of the changes of each revision.
pub const REVISIONS_PATH: &str = "/v1/revisions";

/// The path of the OpenAPI document.
pub const OPENAPI_PATH: &str = "/openapi.json";

/// The path of the readable page about the API.
pub const DOCS_PATH: &str = "/docs";

/// The path of the cluster's status.
pub const CLUSTER_PATH: &str = "/v1/cluster";

/// The path of the members; one member's is this, a slash and its number.
pub const MEMBERS_PATH: &str = "/v1/cluster/members";

/// The path of handing leadership over.
pub const LEADER_PATH: &str = "/v1/cluster/leader";

/// The path that tells whether the node runs.
pub const HEALTH_PATH: &str = "/healthz";

/// The path that tells whether the node can serve linearizable requests.
pub const READY_PATH: &str = "/readyz";

/// The path of the metrics.
pub const METRICS_PATH: &str = "/metrics";
