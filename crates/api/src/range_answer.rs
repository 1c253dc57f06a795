//! Answers about ranges.

use serde::{Deserialize, Serialize};

use crate::item::Item;

/// The answer to `GET /v1/kv`. It may be long: the server writes it piece by piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RangeAnswer {
    /// The revision that all of the answer shows.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub revision: u64,
    /// The keys, in the order that was asked for.
    pub items: Vec<Item>,
    /// If the limit left keys out: where to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The answer to `GET /v1/kv?count_only=true`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CountAnswer {
    /// The revision that the answer shows.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub revision: u64,
    /// How many keys there are, at most the limit.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub count: u64,
}

/// The answer to `DELETE /v1/kv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeleteRangeAnswer {
    /// The revision of the last changes, or the store's newest one if there were none.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub revision: u64,
    /// How many keys were deleted.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub deleted: u64,
    /// With an `Idempotency-Key`: whether there may be more keys in the range, which the next request has to
    /// delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<bool>,
}
