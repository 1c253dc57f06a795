//! What can be wrong with transactions, with the names that the literature gives to it.
//!
//! The names follow Adya's thesis (*Weak Consistency*, 1999) as Elle uses them (Kingsbury and Alvaro,
//! VLDB 2020). A cycle is named by the dependencies on it: *ww* if the second transaction overwrote or
//! appended after the first, *wr* if it read what the first wrote, *rw* if it overwrote what the first
//! read. A cycle that needs the order of one client's transactions carries `-process` behind its name,
//! one that needs the order of time `-realtime`.

use std::fmt;

use super::history::TransactionIndex;

/// What is promised of a history, from weak to strong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guarantee {
    /// The transactions happened as if one after the other, in any order.
    Serializable,
    /// In an order, moreover, that agrees with each client's own.
    SessionSerializable,
    /// In an order, moreover, that agrees with time: what ended before another began comes first.
    #[default]
    StrictlySerializable,
}

/// Which order beyond the data an anomaly needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// None: what was read is enough.
    Data,
    /// That of one client's transactions.
    Process,
    /// That of time.
    RealTime,
}

impl Order {
    /// Whether a guarantee promises to keep to this order.
    pub(super) fn is_promised_by(self, guarantee: Guarantee) -> bool {
        match self {
            Self::Data => true,
            Self::Process => guarantee >= Guarantee::SessionSerializable,
            Self::RealTime => guarantee >= Guarantee::StrictlySerializable,
        }
    }
}

/// Kinds of anomalies. What stands first is the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnomalyKind {
    /// A read contradicts an earlier step of its own transaction, or saw a later one.
    Internal,
    /// A read saw a value that nobody wrote.
    Phantom,
    /// A list holds one element twice.
    DuplicateElements,
    /// Two reads of a list of which neither is a prefix of the other.
    IncompatibleOrder,
    /// Aborted read: a read saw a write of a transaction that failed.
    G1a,
    /// Intermediate read: a read saw a write that its own transaction overwrote.
    G1b,
    /// Two transactions read the same version of a key, and both wrote the key.
    LostUpdate,
    /// An element was appended and acknowledged, and a later read did not see it.
    LostAppend,
    /// Dirty write: a cycle of ww.
    G0,
    /// Circular information flow: a cycle of ww and at least one wr.
    G1c,
    /// Read skew: a cycle with exactly one rw.
    GSingle,
    /// A cycle with two or more rw, as in write skew.
    G2,
}

/// One anomaly of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// What is wrong.
    pub kind: AnomalyKind,
    /// Which order beyond the data it needs.
    pub order: Order,
    /// The transactions that are to blame; for a cycle in the order of the cycle.
    pub transactions: Vec<TransactionIndex>,
    /// All of this in words, with the lines of the source.
    pub explanation: String,
}

impl Anomaly {
    /// The usual name, for example `G-single-realtime`.
    pub fn name(&self) -> String {
        let suffix = match self.order {
            Order::RealTime if self.kind == AnomalyKind::LostAppend => "",
            Order::Data => "",
            Order::Process => "-process",
            Order::RealTime => "-realtime",
        };
        format!("{}{suffix}", self.kind)
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.name(), self.explanation)
    }
}

impl fmt::Display for AnomalyKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Internal => "internal",
            Self::Phantom => "phantom",
            Self::DuplicateElements => "duplicate-elements",
            Self::IncompatibleOrder => "incompatible-order",
            Self::G0 => "G0",
            Self::G1a => "G1a",
            Self::G1b => "G1b",
            Self::G1c => "G1c",
            Self::LostUpdate => "lost-update",
            Self::LostAppend => "lost-append",
            Self::GSingle => "G-single",
            Self::G2 => "G2",
        })
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Serializable => "serializable",
            Self::SessionSerializable => "session serializable",
            Self::StrictlySerializable => "strictly serializable",
        })
    }
}
