//! Every answer fits one order of all operations (Herlihy and Wing 1990), key by key, and revisions
//! grow across keys. The search is `quorate-jepsen`'s.

use quorate_jepsen::checker::Limits;
use quorate_jepsen::report::check_store;
use quorate_jepsen::store::StoreHistory;

use super::Violation;

/// The property's name.
pub const LINEARIZABLE: &str = "linearizable";
/// The name of what can be said without a search.
pub const REVISIONS_IN_ORDER: &str = "revisions in order";

/// Convicts a history that no order explains. A search that reaches its `limits` convicts nobody, and
/// acquits nobody either.
pub fn check(history: &StoreHistory, limits: &Limits) -> Result<Search, Violation> {
    let report = check_store(history, limits);
    if report.is_pass() {
        return Ok(Search::Completed);
    }
    if !report.is_violation() {
        return Ok(Search::GivenUp { why: report.to_string() });
    }
    let property = if report.verdict.certificate().is_some() { LINEARIZABLE } else { REVISIONS_IN_ORDER };
    Err(Violation::new(property, report.to_string()))
}

/// How far the search of a history that convicts nobody came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// To its end: there is an order.
    Completed,
    /// To its limits: nothing is known.
    GivenUp {
        /// Where.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_jepsen::store::{StoreAnswer, StoreCall};

    fn history(second_read: StoreAnswer) -> StoreHistory {
        let mut history = StoreHistory::new();
        let put = history.invoke(1, b"k", StoreCall::Put { value: b"x".to_vec() }, 10);
        history.ok(put, StoreAnswer::Written { revision: 4 }, 20);
        let get = history.invoke(2, b"k", StoreCall::Get, 30);
        history.ok(get, second_read, 40);
        history
    }

    #[test]
    fn a_lost_write_is_convicted() {
        let limits = Limits::default();
        let found = StoreAnswer::Found { value: b"x".to_vec(), revision: 4 };
        assert_eq!(check(&history(found), &limits), Ok(Search::Completed));
        let violation = check(&history(StoreAnswer::Absent), &limits).expect_err("the write is gone");
        assert_eq!(violation.property, LINEARIZABLE);
    }

    #[test]
    fn a_revision_given_twice_is_convicted() {
        let mut history = history(StoreAnswer::Found { value: b"x".to_vec(), revision: 4 });
        let put = history.invoke(1, b"other", StoreCall::Put { value: b"y".to_vec() }, 50);
        history.ok(put, StoreAnswer::Written { revision: 4 }, 60);
        let violation = check(&history, &Limits::default()).expect_err("revision 4 was taken");
        assert_eq!(violation.property, REVISIONS_IN_ORDER);
    }

    #[test]
    fn a_search_that_is_given_up_does_not_count_as_completed() {
        // A delete of unknown outcome was noticed: revisions do not tell where it belongs.
        let mut history = StoreHistory::new();
        let put = history.invoke(1, b"k", StoreCall::Put { value: b"x".to_vec() }, 10);
        history.ok(put, StoreAnswer::Written { revision: 4 }, 20);
        let delete = history.invoke(2, b"k", StoreCall::Delete, 22);
        history.unknown(delete, 25);
        let get = history.invoke(3, b"k", StoreCall::Get, 30);
        history.ok(get, StoreAnswer::Absent, 40);
        let search = check(&history, &Limits { steps_per_key_max: 1 });
        assert!(matches!(search, Ok(Search::GivenUp { .. })), "{search:?}");
        assert_eq!(check(&history, &Limits::default()), Ok(Search::Completed));
    }
}
