//! When a single write applies.

/// A comparison that decides whether a put or a delete applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Apply always.
    Always,
    /// Apply only if the key does not exist (`If-None-Match: *`).
    Absent,
    /// Apply only if the key exists (`If-Match: *`).
    Exists,
    /// Apply only if the key's newest change has this revision (`If-Match: "R"`).
    RevisionIs(u64),
}

impl Condition {
    /// Whether the condition holds for a key whose newest change has revision `current`, or that does not
    /// exist (`None`).
    pub fn holds(self, current: Option<u64>) -> bool {
        match self {
            Condition::Always => true,
            Condition::Absent => current.is_none(),
            Condition::Exists => current.is_some(),
            Condition::RevisionIs(revision) => current == Some(revision),
        }
    }
}
