//! In which order a range is read, and how much of each key.

use quorate_kv::{Direction, RangeForm};
use serde::{Deserialize, Serialize};

/// The order of a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Order {
    /// The smallest key first. The default.
    #[default]
    Ascending,
    /// The greatest key first.
    Descending,
}

impl Order {
    /// The order's name in queries and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Order::Ascending => "ascending",
            Order::Descending => "descending",
        }
    }

    /// The order with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Order::Ascending, Order::Descending].into_iter().find(|order| order.name() == name)
    }
}

impl From<Direction> for Order {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Ascending => Order::Ascending,
            Direction::Descending => Order::Descending,
        }
    }
}

impl From<Order> for Direction {
    fn from(order: Order) -> Self {
        match order {
            Order::Ascending => Direction::Ascending,
            Order::Descending => Direction::Descending,
        }
    }
}

/// How much of each key the two flags ask for.
pub(crate) fn range_form(keys_only: bool, count_only: bool) -> Result<RangeForm, String> {
    match (keys_only, count_only) {
        (false, false) => Ok(RangeForm::KeysAndValues),
        (true, false) => Ok(RangeForm::Keys),
        (false, true) => Ok(RangeForm::Count),
        (true, true) => Err("keys_only and count_only exclude each other".to_owned()),
    }
}
