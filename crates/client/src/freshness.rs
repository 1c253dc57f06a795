//! How fresh a read has to be.

use std::time::Duration;

use quorate_api::{Consistency, query};

/// How fresh a read has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Freshness {
    /// It reflects every write that was acknowledged before it began. The default.
    #[default]
    Linearizable,
    /// The same, but the leader may rely on its lease instead of asking a quorum: right as long as the clocks of
    /// all nodes keep to the bound that they were started with. Without such a bound, as `Linearizable`.
    Lease,
    /// Whatever the asked node has, with its age.
    Stale {
        /// How old the node's state may have been when the request arrived; one that is older catches up, or the
        /// read fails. Whole milliseconds, at least one.
        age_max: Option<Duration>,
    },
}

impl From<Consistency> for Freshness {
    fn from(consistency: Consistency) -> Self {
        match consistency {
            Consistency::Linearizable => Freshness::Linearizable,
            Consistency::Lease => Freshness::Lease,
            Consistency::Stale => Freshness::Stale { age_max: None },
        }
    }
}

impl Freshness {
    /// The two parameters of a query that say so: none for the default.
    pub(crate) fn parameters(self) -> (Option<Consistency>, Option<Duration>) {
        match self {
            Freshness::Linearizable => (None, None),
            Freshness::Lease => (Some(Consistency::Lease), None),
            Freshness::Stale { age_max } => (Some(Consistency::Stale), age_max),
        }
    }

    /// The query that says so: empty for the default.
    pub(crate) fn query(self) -> String {
        let (consistency, max_staleness) = self.parameters();
        let consistency = consistency.map(|known| format!("{}={}", query::CONSISTENCY, known.name()));
        let max_staleness =
            max_staleness.map(|age| format!("{}={}", query::MAX_STALENESS, query::format_duration(age)));
        consistency.into_iter().chain(max_staleness).collect::<Vec<_>>().join("&")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_says_what_is_not_the_default() {
        assert_eq!(Freshness::default().query(), "");
        assert_eq!(Freshness::Lease.query(), "consistency=lease");
        assert_eq!(Freshness::from(Consistency::Stale).query(), "consistency=stale");
        let bounded = Freshness::Stale { age_max: Some(Duration::from_secs(2)) };
        assert_eq!(bounded.query(), "consistency=stale&max_staleness=2000ms");
    }
}
