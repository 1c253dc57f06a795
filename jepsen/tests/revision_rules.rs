//! Each rule of revisions, kept and broken.

use quorate_jepsen::revisions::{RevisionRule, check_revisions};
use quorate_jepsen::store::{Expected, StoreAnswer, StoreCall, StoreHistory};

fn put(value: &str) -> StoreCall {
    StoreCall::Put { value: value.into() }
}

fn written(revision: u64) -> StoreAnswer {
    StoreAnswer::Written { revision }
}

fn found(value: &str, revision: u64) -> StoreAnswer {
    StoreAnswer::Found { value: value.into(), revision }
}

/// Records operations of (key, call, answer, begin, end) and compares the rules they break, each with
/// the operations that break it.
fn check(operations: Vec<(&str, StoreCall, StoreAnswer, u64, u64)>, broken: &[(RevisionRule, usize, usize)]) {
    let mut history = StoreHistory::new();
    for (process, (key, call, answer, invoked, completed)) in (0..).zip(operations) {
        let operation = history.invoke(process, key.as_bytes(), call, invoked);
        history.ok(operation, answer, completed);
    }
    let violations = check_revisions(&history);
    let found: Vec<_> = violations.iter().map(|each| (each.rule, each.known_by, each.broken_by)).collect();
    assert_eq!(found, broken, "{violations:#?}");
}

#[test]
fn two_acknowledged_writes_do_not_share_a_revision() {
    check(
        vec![("a", put("x"), written(3), 0, 9), ("b", put("y"), written(3), 0, 9)],
        &[(RevisionRule::OneWrite, 0, 1)],
    );
    check(
        vec![("a", put("x"), written(3), 0, 9), ("a", put("x"), written(3), 0, 9)],
        &[(RevisionRule::OneWrite, 0, 1)],
    );
}

#[test]
fn a_revision_has_one_value() {
    check(
        vec![
            ("a", put("x"), written(3), 0, 9),
            ("a", StoreCall::Get, found("x", 3), 0, 9),
            ("a", StoreCall::Get, found("y", 3), 0, 9),
        ],
        &[(RevisionRule::OneWrite, 0, 2)],
    );
}

#[test]
fn the_revision_of_a_delete_is_never_found() {
    let deleted = StoreAnswer::Deleted { existed: Some(true), revision: Some(3) };
    check(
        vec![("a", StoreCall::Delete, deleted, 0, 9), ("a", StoreCall::Get, found("x", 3), 0, 9)],
        &[(RevisionRule::OneWrite, 0, 1)],
    );
}

#[test]
fn a_delete_of_nothing_takes_no_revision() {
    let nothing = StoreAnswer::Deleted { existed: Some(false), revision: Some(3) };
    check(vec![("a", put("x"), written(3), 0, 9), ("b", StoreCall::Delete, nothing, 10, 19)], &[]);
}

#[test]
fn a_later_write_takes_a_larger_revision_on_any_key() {
    check(
        vec![("a", put("x"), written(5), 0, 9), ("b", put("y"), written(4), 10, 19)],
        &[(RevisionRule::WritesGrow, 0, 1)],
    );
    check(
        vec![("a", StoreCall::Get, found("x", 5), 0, 9), ("b", put("y"), written(4), 10, 19)],
        &[(RevisionRule::WritesGrow, 0, 1)],
    );
}

#[test]
fn concurrent_writes_take_revisions_in_any_order() {
    check(vec![("a", put("x"), written(5), 0, 10), ("b", put("y"), written(4), 10, 19)], &[]);
}

#[test]
fn a_later_get_finds_no_smaller_revision_of_its_key() {
    check(
        vec![("a", put("x"), written(5), 0, 9), ("a", StoreCall::Get, found("w", 2), 10, 19)],
        &[(RevisionRule::ReadsDoNotGoBack, 0, 1)],
    );
    check(vec![("a", put("x"), written(5), 0, 9), ("b", StoreCall::Get, found("w", 2), 10, 19)], &[]);
    check(vec![("a", put("x"), written(5), 0, 9), ("a", StoreCall::Get, StoreAnswer::Absent, 10, 19)], &[]);
}

#[test]
fn a_condition_holds_only_on_the_key_that_has_the_revision() {
    let conditional = StoreCall::PutIf { expected: Expected::Revision(5), value: b"y".to_vec() };
    let first = ("a", put("x"), written(5), 0, 9);
    check(
        vec![first.clone(), ("b", conditional.clone(), written(6), 10, 19)],
        &[(RevisionRule::ConditionOnOwnKey, 0, 1)],
    );
    check(vec![first.clone(), ("b", conditional.clone(), StoreAnswer::Mismatch, 10, 19)], &[]);
    check(vec![first, ("a", conditional, written(6), 10, 19)], &[]);
}
