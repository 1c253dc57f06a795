//! What an answer tells of the revision of the store.

use super::ask::{Ask, Consistency, Told};
use crate::history::{Freshness, Revealed};

/// The revision that an answer tells, and what it promises.
pub(super) fn revealed(ask: &Ask, told: &Told, (began, ended): (u64, u64), node: u8) -> Option<Revealed> {
    let revealed = |revision, freshness| Some(Revealed { began, ended, node, revision, freshness });
    let of_read = |consistency: Consistency, age: Option<u64>| match (consistency, age) {
        (Consistency::Linearizable | Consistency::Lease, _) => Freshness::Linearizable,
        (Consistency::Stale { .. }, Some(age_ms)) => Freshness::Age(age_ms * 1_000_000),
        (Consistency::Stale { .. }, None) => Freshness::Any,
    };
    match (ask, told) {
        (Ask::Get { revision: Some(_), .. } | Ask::Range { revision: Some(_), .. }, _) => None,
        // Later pages are of the past.
        (Ask::Range { cursor: Some(_), .. }, _) => None,
        (Ask::Get { consistency, .. }, Told::Item { store_revision, age_ms, .. }) => {
            revealed((*store_revision)?, Some(of_read(*consistency, *age_ms)))
        }
        (Ask::Range { consistency, .. }, Told::Page { revision, age_ms, .. }) => {
            revealed(*revision, Some(of_read(*consistency, *age_ms)))
        }
        (_, Told::Written { revision, .. } | Told::Deleted { revision: Some(revision) }) => {
            revealed(*revision, None)
        }
        (_, Told::Decided { revision, has_written, .. }) => {
            let freshness = (!has_written).then_some(Freshness::Linearizable);
            revealed(*revision, freshness)
        }
        _ => None,
    }
}
