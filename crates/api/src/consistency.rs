//! How fresh a read has to be.

/// The value of the query parameter [`crate::query::CONSISTENCY`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// The answer reflects every write that was acknowledged before the read began. The default.
    #[default]
    Linearizable,
    /// The same, but the leader may rely on its lease instead of asking a quorum: right as long as the clocks of
    /// all nodes keep to the bound that they were started with. Without such a bound, as `Linearizable`.
    Lease,
    /// The answer is whatever the asked node has, with its age.
    Stale,
}

impl Consistency {
    /// Every consistency.
    pub const ALL: [Consistency; 3] = [Consistency::Linearizable, Consistency::Lease, Consistency::Stale];

    /// The consistency's name in a query.
    pub const fn name(self) -> &'static str {
        match self {
            Consistency::Linearizable => "linearizable",
            Consistency::Lease => "lease",
            Consistency::Stale => "stale",
        }
    }

    /// The consistency with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}
