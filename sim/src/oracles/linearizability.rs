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

/// Convicts a history that no order explains. A search that is given up convicts nobody; whether it was
/// is the result.
pub fn check(history: &StoreHistory) -> Result<SearchCompleted, Violation> {
    let report = check_store(history, &Limits::default());
    if report.is_pass() {
        return Ok(SearchCompleted(true));
    }
    if !report.is_violation() {
        return Ok(SearchCompleted(false));
    }
    let property = if report.verdict.certificate().is_some() { LINEARIZABLE } else { REVISIONS_IN_ORDER };
    Err(Violation::new(property, report.to_string()))
}

/// Whether the search came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchCompleted(pub bool);

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
        assert_eq!(
            check(&history(StoreAnswer::Found { value: b"x".to_vec(), revision: 4 })),
            Ok(SearchCompleted(true))
        );
        let violation = check(&history(StoreAnswer::Absent)).expect_err("the write is gone");
        assert_eq!(violation.property, LINEARIZABLE);
    }

    #[test]
    fn a_revision_given_twice_is_convicted() {
        let mut history = history(StoreAnswer::Found { value: b"x".to_vec(), revision: 4 });
        let put = history.invoke(1, b"other", StoreCall::Put { value: b"y".to_vec() }, 50);
        history.ok(put, StoreAnswer::Written { revision: 4 }, 60);
        let violation = check(&history).expect_err("revision 4 was taken");
        assert_eq!(violation.property, REVISIONS_IN_ORDER);
    }
}
