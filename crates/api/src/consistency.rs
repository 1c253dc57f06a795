//! How fresh a read has to be.

/// The value of the query parameter [`crate::query::CONSISTENCY`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// The answer reflects every write that was acknowledged before the read began. The default.
    #[default]
    Linearizable,
    /// The answer is whatever the asked node has, with its age.
    Stale,
}

impl Consistency {
    /// The consistency's name in a query.
    pub const fn name(self) -> &'static str {
        match self {
            Consistency::Linearizable => "linearizable",
            Consistency::Stale => "stale",
        }
    }

    /// The consistency with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Consistency::Linearizable, Consistency::Stale].into_iter().find(|known| known.name() == name)
    }
}
