//! Compares all that can be read of a state with the model: at every revision, in every way.

use bytes::Bytes;

use super::model::{Model, entry};
use crate::machine::Machine;
use crate::query::{Budget, KeyEntry, RangeForm, RangeQuery, UnavailableRevision};
use crate::range::KeyRange;
use crate::tables::{Direction, Tables};

/// Small ones, so that pages end everywhere, and one that ends none.
const BUDGETS: [Budget; 4] = [
    Budget { records: 0, bytes: u64::MAX },
    Budget { records: 3, bytes: u64::MAX },
    Budget { records: u64::MAX, bytes: 5 },
    Budget { records: u64::MAX, bytes: u64::MAX },
];

pub(super) fn compare<T: Tables>(tables: &T, model: &Model) {
    let newest = model.revision();
    for revision in 0..=newest + 1 {
        let available = available(model, revision);
        for key in model.keys() {
            let found = Machine::get_at(tables, &key, revision).expect("get_at");
            let expected = available.map(|()| model.get_at(&key, revision));
            assert_eq!(found, expected, "{key:?} at {revision}");
        }
        compare_ranges(tables, model, Some(revision), available);
        compare_changes(tables, model, revision);
    }
    compare_ranges(tables, model, None, Ok(()));
    let future = Machine::changes(tables, newest + 2, BUDGETS[0]).expect("changes");
    assert_eq!(future, Err(UnavailableRevision::Future { newest }));
}

fn available(model: &Model, revision: u64) -> Result<(), UnavailableRevision> {
    match revision {
        revision if revision > model.revision() => {
            Err(UnavailableRevision::Future { newest: model.revision() })
        }
        revision if revision < model.compacted => {
            Err(UnavailableRevision::Compacted { oldest: model.compacted })
        }
        _ => Ok(()),
    }
}

fn compare_ranges<T: Tables>(
    tables: &T,
    model: &Model,
    revision: Option<u64>,
    available: Result<(), UnavailableRevision>,
) {
    let ranges =
        [KeyRange::all(), KeyRange::prefix(Bytes::from("a")), KeyRange::prefix(Bytes::from_static(b"\xff"))];
    for (number, range) in (0..).zip(ranges) {
        for direction in [Direction::Ascending, Direction::Descending] {
            for form in [RangeForm::KeysAndValues, RangeForm::Keys, RangeForm::Count] {
                for limit in [None, Some(number)] {
                    let query = RangeQuery { range: range.clone(), direction, limit, form, revision };
                    match available {
                        Ok(()) => compare_pages(tables, model, &query),
                        Err(unavailable) => {
                            let found = Machine::range(tables, &query, BUDGETS[0]).expect("range");
                            assert_eq!(found, Err(unavailable));
                        }
                    }
                }
            }
        }
    }
}

/// Reads a range page by page.
fn compare_pages<T: Tables>(tables: &T, model: &Model, query: &RangeQuery) {
    let revision = query.revision.unwrap_or(model.revision());
    let mut expected = model.range_at(&query.range, revision);
    if query.direction == Direction::Descending {
        expected.reverse();
    }
    expected.truncate(query.limit.map_or(usize::MAX, |limit| limit as usize));
    let count = expected.len() as u64;
    let expected: Vec<KeyEntry> = match query.form {
        RangeForm::Count => Vec::new(),
        form => expected.into_iter().map(|(key, found)| entry(key, found, form)).collect(),
    };
    for budget in BUDGETS {
        let (mut found, mut found_count, mut next) = (Vec::new(), 0, Some(query.clone()));
        while let Some(query) = next {
            let page = Machine::range(tables, &query, budget).expect("range").expect("available");
            assert_eq!(page.revision, revision);
            let bytes = |entry: &KeyEntry| entry.key.len() + entry.value.as_ref().map_or(0, Bytes::len);
            let before_last = page.entries.split_last().map_or(&[][..], |(_, before)| before);
            assert!(before_last.iter().map(bytes).sum::<usize>() as u64 <= budget.bytes);
            assert!(page.count <= budget.records.max(1));
            found_count += page.count;
            next = query.rest(&page);
            found.extend(page.entries);
        }
        assert_eq!((&found, found_count), (&expected, count), "{query:?} with {budget:?}");
    }
}

fn compare_changes<T: Tables>(tables: &T, model: &Model, from: u64) {
    let first = from.max(1);
    for budget in BUDGETS {
        let (mut found, mut next) = (Vec::new(), from);
        loop {
            let page = match Machine::changes(tables, next, budget).expect("changes") {
                Ok(page) => page,
                Err(unavailable) => {
                    let oldest = model.compacted + 1;
                    assert_eq!(unavailable, UnavailableRevision::Compacted { oldest });
                    assert!(first < oldest && next == from);
                    return;
                }
            };
            assert!(first > model.compacted);
            assert_eq!(page.newest, model.revision());
            // Whole revisions: the next page has nothing of this one's last.
            assert!(page.changes.last().is_none_or(|last| last.revision + 1 == page.next_revision));
            found.extend(page.changes);
            next = page.next_revision;
            if next > page.newest {
                break;
            }
        }
        assert_eq!(found, model.changes_from(first), "from {from} with {budget:?}");
    }
}
