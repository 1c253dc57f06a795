//! Wrong histories that a broken store could make: each is convicted, and the certificate names the
//! operations that a person would name.

use quorate_jepsen::checker::{Certificate, Limits};
use quorate_jepsen::history::{Call, History};
use quorate_jepsen::report::check_store;
use quorate_jepsen::store::{Expected, StoreAnswer, StoreCall, StoreHistory};

/// A history of key `k` from calls, answers and intervals; no answer means an unknown outcome. Every
/// operation has a process of its own.
fn history(operations: Vec<(StoreCall, Option<StoreAnswer>, u64, u64)>) -> StoreHistory {
    let mut history = History::new();
    for (process, (call, answer, invoked, completed)) in (0..).zip(operations) {
        let operation = history.invoke(process, b"k", call, invoked);
        match answer {
            Some(answer) => history.ok(operation, answer, completed),
            None => history.unknown(operation, completed),
        }
    }
    history
}

fn convicted(history: &StoreHistory) -> Certificate {
    let report = check_store(history, &Limits::default());
    assert!(report.is_violation() && !report.is_pass());
    report.verdict.certificate().unwrap_or_else(|| panic!("not convicted: {report}")).clone()
}

fn assert_passes(history: &StoreHistory) {
    let report = check_store(history, &Limits::default());
    assert!(report.is_pass(), "{report}");
}

fn put(value: &str) -> StoreCall {
    StoreCall::Put { value: value.into() }
}

fn put_at(revision: u64, value: &str) -> StoreCall {
    StoreCall::PutIf { expected: Expected::Revision(revision), value: value.into() }
}

fn put_if_absent(value: &str) -> StoreCall {
    StoreCall::PutIf { expected: Expected::Absent, value: value.into() }
}

fn written(revision: u64) -> Option<StoreAnswer> {
    Some(StoreAnswer::Written { revision })
}

fn found(value: &str, revision: u64) -> Option<StoreAnswer> {
    Some(StoreAnswer::Found { value: value.into(), revision })
}

const ABSENT: Option<StoreAnswer> = Some(StoreAnswer::Absent);
const MISMATCH: Option<StoreAnswer> = Some(StoreAnswer::Mismatch);

fn deleted(revision: u64) -> Option<StoreAnswer> {
    Some(StoreAnswer::Deleted { existed: Some(true), revision: Some(revision) })
}

#[test]
fn a_stale_get_is_convicted() {
    let certificate = convicted(&history(vec![
        (put("old"), written(1), 0, 10),
        (put("new"), written(2), 20, 30),
        (StoreCall::Get, found("old", 1), 40, 50),
    ]));
    assert_eq!(certificate.operation, 2);
    assert_eq!(certificate.prefix, [0, 1]);
    assert_eq!(certificate.related, [0]);
    assert_eq!(
        certificate.explanation,
        "Key \"k\" is not linearizable. This operation fits nowhere:\n  \
         operation 2: get by process 2 (time 40 to 50), answered \"old\" at revision 1\n\
         What it saw or expected was written by:\n  \
         operation 0: put of \"old\" by process 0 (time 0 to 10), answered written at revision 1\n\
         While it was open, the key could be in these states only:\n  \
         \"new\" at revision 2, left by operation 1: put of \"new\" by process 1 (time 20 to 30), \
         answered written at revision 2\n\
         Without it 2 operations can be ordered: 0, 1."
    );
}

#[test]
fn a_get_that_overlaps_the_write_may_see_either_value() {
    for answer in [found("old", 1), found("new", 2)] {
        assert_passes(&history(vec![
            (put("old"), written(1), 0, 10),
            (put("new"), written(2), 20, 30),
            (StoreCall::Get, answer, 30, 50),
        ]));
    }
}

#[test]
fn two_gets_that_see_a_value_come_and_go_are_convicted() {
    let certificate = convicted(&history(vec![
        (put("old"), written(1), 0, 10),
        (put("new"), written(2), 20, 90),
        (StoreCall::Get, found("new", 2), 30, 40),
        (StoreCall::Get, found("old", 1), 50, 60),
    ]));
    assert_eq!(certificate.operation, 3);
    assert!(certificate.operations().is_superset(&[0, 1, 3].into()), "{certificate}");
}

#[test]
fn a_lost_write_is_convicted() {
    let certificate =
        convicted(&history(vec![(put("a"), written(1), 0, 10), (StoreCall::Get, ABSENT, 20, 30)]));
    assert_eq!(certificate.operation, 1);
    assert_eq!(certificate.operations(), [0, 1].into());
}

#[test]
fn a_lost_update_is_convicted() {
    let certificate = convicted(&history(vec![
        (put("a"), written(1), 0, 10),
        (put_at(1, "b"), written(2), 20, 40),
        (put_at(1, "c"), written(3), 20, 40),
    ]));
    assert!([1, 2].contains(&certificate.operation));
    assert_eq!(certificate.operations(), [0, 1, 2].into());
}

#[test]
fn two_creations_of_one_key_are_convicted() {
    let certificate = convicted(&history(vec![
        (put_if_absent("a"), written(1), 0, 20),
        (put_if_absent("b"), written(2), 10, 30),
    ]));
    assert_eq!(certificate.operations(), [0, 1].into());
}

#[test]
fn a_write_that_is_applied_twice_is_convicted() {
    // The put took revision 1, was overwritten, and came back under another revision.
    let certificate = convicted(&history(vec![
        (put("a"), written(1), 0, 10),
        (put("b"), written(2), 20, 30),
        (StoreCall::Get, found("b", 2), 40, 50),
        (StoreCall::Get, found("a", 3), 60, 70),
    ]));
    assert_eq!(certificate.operation, 3);
    assert!(certificate.related.contains(&0), "{certificate}");
}

#[test]
fn an_unknown_write_that_is_applied_twice_is_convicted() {
    let certificate = convicted(&history(vec![
        (put("a"), None, 0, 10),
        (StoreCall::Get, found("a", 1), 20, 30),
        (put("b"), written(2), 40, 50),
        (StoreCall::Get, found("a", 3), 60, 70),
    ]));
    assert_eq!(certificate.operation, 3);
}

#[test]
fn a_value_that_nobody_wrote_is_convicted_in_those_words() {
    let certificate =
        convicted(&history(vec![(put("a"), written(1), 0, 10), (StoreCall::Get, found("b", 2), 5, 30)]));
    assert_eq!(certificate.operation, 1);
    assert!(certificate.explanation.contains("No operation of this history writes \"b\"."), "{certificate}");
}

#[test]
fn the_value_of_a_failed_write_is_a_value_that_nobody_wrote() {
    let mut history = history(vec![(StoreCall::Get, found("a", 1), 5, 30)]);
    let failed = history.invoke(9, b"k", put("a"), 0);
    history.failed(failed, 10);
    let certificate = convicted(&history);
    assert!(certificate.explanation.contains("No operation of this history writes \"a\"."), "{certificate}");
}

#[test]
fn a_key_that_comes_back_after_its_delete_is_convicted() {
    let certificate = convicted(&history(vec![
        (put("a"), written(1), 0, 10),
        (StoreCall::Delete, deleted(2), 20, 30),
        (StoreCall::Get, found("a", 1), 40, 50),
    ]));
    assert_eq!(certificate.operation, 2);
    assert_eq!(certificate.operations(), [0, 1, 2].into());
}

#[test]
fn a_refused_condition_that_held_all_the_time_is_convicted() {
    let certificate = convicted(&history(vec![
        (put("a"), written(1), 0, 10),
        (put_at(1, "b"), MISMATCH, 20, 30),
        (StoreCall::Get, found("a", 1), 40, 50),
    ]));
    assert_eq!(certificate.operation, 1);
}

#[test]
fn an_unknown_write_may_happen_late_or_never() {
    for last in [found("a", 1), found("b", 7), found("c", 5)] {
        assert_passes(&history(vec![
            (put("a"), written(1), 0, 10),
            (put("b"), None, 20, 30),
            (put("c"), None, 20, 30),
            (StoreCall::Get, found("a", 1), 40, 50),
            (StoreCall::Get, last, 60, 70),
        ]));
    }
}

#[test]
fn a_condition_on_the_revision_of_an_unknown_write_tells_that_it_happened() {
    let seen_later = vec![
        (put("a"), None, 0, 10),
        (put_at(4, "b"), written(5), 20, 30),
        (StoreCall::Get, found("b", 5), 40, 50),
    ];
    assert_passes(&history(seen_later.clone()));
    // If the write was seen at another revision, the condition cannot have held.
    let mut seen_elsewhere = seen_later;
    seen_elsewhere.push((StoreCall::Get, found("a", 3), 0, 15));
    assert_eq!(convicted(&history(seen_elsewhere)).operation, 1);
}

#[test]
fn an_unread_unknown_write_explains_a_refused_creation() {
    let refused = (put_if_absent("b"), MISMATCH, 20, 30);
    assert_passes(&history(vec![(put("a"), None, 0, 10), refused.clone()]));
    assert_eq!(convicted(&history(vec![refused])).operation, 0);
}

#[test]
fn an_unknown_delete_explains_one_absence_and_not_two() {
    let mut operations = vec![
        (put("a"), written(1), 0, 10),
        (StoreCall::Delete, None, 20, 30),
        (StoreCall::Get, ABSENT, 40, 50),
        (put("b"), written(2), 60, 70),
    ];
    assert_passes(&history(operations.clone()));
    operations.push((StoreCall::Get, ABSENT, 80, 90));
    assert_eq!(convicted(&history(operations)).operation, 4);
}

#[test]
fn an_unknown_write_takes_a_revision_of_its_own() {
    let between = |second: u64| {
        history(vec![
            (put("a"), written(5), 0, 9),
            (StoreCall::Delete, deleted(6), 10, 19),
            (put("b"), None, 20, 29),
            (StoreCall::Delete, deleted(second), 30, 39),
        ])
    };
    assert_passes(&between(8));
    assert_eq!(convicted(&between(7)).operation, 3);
}

#[test]
fn unknown_writes_are_spent_so_that_the_able_ones_are_left() {
    // Either unknown write explains the first refusal, but only the one without a condition the second.
    assert_passes(&history(vec![
        (put("a"), None, 0, 10),
        (put_if_absent("b"), None, 0, 10),
        (put_if_absent("c"), MISMATCH, 20, 30),
        (put("d"), written(5), 40, 50),
        (put_at(5, "e"), MISMATCH, 60, 70),
    ]));
}

#[test]
fn an_unknown_write_that_is_too_late_in_one_order_remains_in_another() {
    // After the first refusal the key holds either "c" at 5 or the unknown "b". In the first case "a" at
    // 3 would come too late.
    assert_passes(&history(vec![
        (put("b"), None, 0, 10),
        (put("c"), written(5), 0, 100),
        (put_if_absent("d"), MISMATCH, 20, 30),
        (put("a"), None, 35, 36),
        (put_at(5, "e"), MISMATCH, 40, 50),
        (StoreCall::Get, found("a", 3), 60, 70),
    ]));
}

#[test]
fn keys_do_not_explain_each_other() {
    let mut history = StoreHistory::new();
    let put = history.invoke(1, b"one", put("a"), 0);
    history.ok(put, StoreAnswer::Written { revision: 1 }, 10);
    let get = history.invoke(2, b"two", StoreCall::Get, 20);
    history.ok(get, StoreAnswer::Found { value: b"a".to_vec(), revision: 1 }, 30);
    let certificate = convicted(&history);
    assert_eq!((certificate.key.as_slice(), certificate.operation), (&b"two"[..], get));
}

#[test]
#[should_panic(expected = "is no answer to get")]
fn an_answer_that_does_not_fit_its_call_is_refused_when_it_is_recorded() {
    assert!(!StoreCall::Get.fits(&StoreAnswer::Mismatch));
    history(vec![(StoreCall::Get, MISMATCH, 0, 1)]);
}
