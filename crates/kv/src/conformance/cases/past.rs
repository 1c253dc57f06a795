//! Long histories.

use super::*;
use crate::query::UnavailableRevision;

pub(super) fn run_all<T: TablesMut>(make: &impl Fn() -> T) {
    a_key_is_found_in_the_past_however_often_it_has_changed(make);
    a_key_that_did_not_exist_yet_is_not_found(make);
    a_range_gives_the_values_that_its_keys_have(make);
    a_revision_is_never_divided(make);
}

/// The revision of every put is its value.
fn put_revision<T: TablesMut>(store: &mut Store<T>, key: &str) -> u64 {
    let revision = store.machine.revision() + 1;
    store.apply(put(key.to_owned(), revision.to_string()));
    revision
}

fn value_at<T: Tables>(store: &Store<T>, key: &str, revision: u64) -> Option<u64> {
    let found = Machine::get_at(&store.tables, key.as_bytes(), revision).expect("read").expect("kept");
    found.map(|found| {
        assert!(found.mod_revision <= revision);
        let value = std::str::from_utf8(&found.value).expect("text").parse().expect("a number");
        assert_eq!(value, found.mod_revision);
        value
    })
}

fn a_key_is_found_in_the_past_however_often_it_has_changed<T: TablesMut>(make: &impl Fn() -> T) {
    // Of so many changes one is of the key that is rare, and the others are of the one that is not.
    for rarity in [2, 7, 40, 1_000] {
        let mut store = Store::new(make);
        let (mut rare, mut frequent) = (Vec::new(), Vec::new());
        for number in 0..400 {
            match number % rarity {
                0 => rare.push(put_revision(&mut store, "rare")),
                _ => frequent.push(put_revision(&mut store, "frequent")),
            }
        }
        let check = |store: &Store<T>, oldest: u64| {
            for revision in oldest..=store.machine.revision() {
                let newest =
                    |changes: &[u64]| changes.iter().rev().find(|change| **change <= revision).copied();
                assert_eq!(value_at(store, "rare", revision), newest(&rare), "{rarity}: {revision}");
                assert_eq!(value_at(store, "frequent", revision), newest(&frequent), "{rarity}: {revision}");
            }
        };
        check(&store, 1);
        // What compaction has given up is not needed on the way.
        store.apply(Command::Compact { revision: 150 });
        while matches!(store.apply(Command::Sweep { records_max: 7 }), Outcome::Swept { remaining: true, .. })
        {
            check(&store, 150);
        }
        check(&store, 150);
        let compacted = Machine::get_at(&store.tables, b"rare", 149).expect("read");
        assert_eq!(compacted, Err(UnavailableRevision::Compacted { oldest: 150 }));
    }
}

fn a_key_that_did_not_exist_yet_is_not_found<T: TablesMut>(make: &impl Fn() -> T) {
    let mut store = Store::new(make);
    for _ in 0..60 {
        put_revision(&mut store, "other");
    }
    for _ in 0..200 {
        put_revision(&mut store, "key");
    }
    store.apply(Command::Delete { key: Bytes::from_static(b"key"), condition: Condition::Always });
    for _ in 0..100 {
        put_revision(&mut store, "key");
    }
    assert_eq!(value_at(&store, "key", 60), None);
    assert_eq!(value_at(&store, "key", 61), Some(61));
    assert_eq!(value_at(&store, "key", 260), Some(260));
    assert_eq!(value_at(&store, "key", 261), None);
    assert_eq!(value_at(&store, "key", 262), Some(262));
}

fn a_range_gives_the_values_that_its_keys_have<T: TablesMut>(make: &impl Fn() -> T) {
    let mut store = Store::new(make);
    let key = |number: u64| format!("{number:04}");
    let mut revisions = std::collections::BTreeMap::new();
    // In order, scattered, and in order with others between them.
    for number in (0..100).chain((100..300).map(|number| 100 + number * 7 % 200)) {
        revisions.insert(key(number), put_revision(&mut store, &key(number)));
    }
    for number in 300..400 {
        revisions.insert(key(number), put_revision(&mut store, &key(number)));
        for _ in 0..number % 5 {
            put_revision(&mut store, "9999");
        }
    }
    let middle = store.machine.revision();
    for number in (0..400).step_by(9) {
        put_revision(&mut store, &key(number));
    }
    for direction in [Direction::Ascending, Direction::Descending] {
        for budget in [Budget { records: 37, bytes: 1 << 20 }, Budget { records: 1_000, bytes: 100 }] {
            let range = KeyRange::new(Bytes::new(), Some(Bytes::from_static(b"9")));
            let mut query = RangeQuery { revision: Some(middle), direction, ..RangeQuery::new(range) };
            let mut found = Vec::new();
            loop {
                let page = Machine::range(&store.tables, &query, budget).expect("read").expect("kept");
                found.extend(page.entries.iter().map(|entry| {
                    let value = entry.value.as_ref().expect("asked for");
                    let value: u64 = std::str::from_utf8(value).expect("text").parse().expect("a number");
                    assert_eq!(value, entry.mod_revision);
                    (String::from_utf8(entry.key.to_vec()).expect("text"), value)
                }));
                match query.rest(&page) {
                    Some(rest) => query = rest,
                    None => break,
                }
            }
            if direction == Direction::Descending {
                found.reverse();
            }
            assert_eq!(found, revisions.clone().into_iter().collect::<Vec<_>>());
        }
    }
}

/// A page has whole revisions, so that whoever follows the history never sees a write by half. One that is
/// larger than the budget makes a page of its own: how large it can be is bounded by what one write may do.
fn a_revision_is_never_divided<T: TablesMut>(make: &impl Fn() -> T) {
    const COUNT: u64 = 10_000;
    let mut store = Store::new(make);
    store.put_numbers(COUNT, &Bytes::from_static(b"value"));
    let range = KeyRange::all();
    store.set(Setting::DeleteRangeKeysMax, COUNT);
    store.apply(Command::DeleteRange { range, keys_max: COUNT });
    store.apply(put("behind", "value"));
    let budget = Budget { records: 512, bytes: 64 << 10 };
    let page = |from| Machine::changes(&store.tables, from, budget).expect("read").expect("kept");
    let before = page(COUNT - 9);
    assert_eq!((before.changes.len(), before.next_revision), (10, COUNT + 1), "it would not fit");
    let deletes = page(COUNT + 1);
    assert_eq!((deletes.changes.len() as u64, deletes.next_revision), (COUNT, COUNT + 2), "it is alone");
    assert!(deletes.changes.iter().all(|change| change.key_value.is_none()));
    let last = page(COUNT + 2);
    assert_eq!((last.changes.len(), last.next_revision), (1, COUNT + 3));
}
