//! Planted anomalies of transactions are found, named, and told with the lines of the source.

use std::fmt::Write;

use quorate_jepsen::transactions::{
    Guarantee, Seen, Step, TransactionHistory, TransactionReport, WorkloadError, check_transactions,
};

/// Reads one transaction from a line: `client begin end outcome steps...`, where the end is `-` for none,
/// the outcome `ok`, `fail` or `info`, and a step `a:x:1`, `w:x:1`, `r:x:nil`, `r:x:1` or `r:x:[1,2]`.
fn record(history: &mut TransactionHistory, number: u32, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [process, begin, end, outcome, steps @ ..] = &words[..] else { panic!("too few words: {line}") };
    let steps: Vec<Step> = steps.iter().map(|step| parse_step(history, step)).collect();
    let asked: Vec<Step> = (steps.iter())
        .map(|step| match *step {
            Step::Read { key, .. } => Step::Read { key, seen: Seen::Unknown },
            other => other,
        })
        .collect();
    let begin = begin.parse().expect("a time");
    let index = history.invoke(process.parse().expect("a client"), &asked, begin, 2 * number - 1);
    let Ok(end) = end.parse() else { return };
    match *outcome {
        "ok" => history.ok(index, &steps, end, 2 * number).expect("the same steps"),
        "fail" => history.failed(index, end, 2 * number),
        "info" => history.unknown(index, end, 2 * number),
        other => panic!("no outcome: {other}"),
    }
}

fn parse_step(history: &mut TransactionHistory, text: &str) -> Step {
    let parts: Vec<&str> = text.split(':').collect();
    let [kind, key, value] = parts[..] else { panic!("no step: {text}") };
    let key = history.key(key);
    match (kind, value.strip_prefix('[').and_then(|list| list.strip_suffix(']'))) {
        ("a", _) => Step::Append { key, value: history.value(value) },
        ("w", _) => Step::Write { key, value: history.value(value) },
        ("r", None) if value == "nil" => Step::Read { key, seen: Seen::Nothing },
        ("r", None) => Step::Read { key, seen: Seen::Value(history.value(value)) },
        ("r", Some(list)) => {
            let elements = list.split(',').filter(|element| !element.is_empty());
            let elements: Vec<_> = elements.map(|element| history.value(element)).collect();
            Step::Read { key, seen: Seen::List(history.list(&elements)) }
        }
        _ => panic!("no step: {text}"),
    }
}

fn history(lines: &[&str]) -> TransactionHistory {
    let mut history = TransactionHistory::new();
    for (number, line) in (1..).zip(lines) {
        record(&mut history, number, line);
    }
    history
}

fn report(lines: &[&str]) -> TransactionReport {
    check_transactions(&history(lines), Guarantee::StrictlySerializable).expect("a sound workload")
}

#[track_caller]
fn check(lines: &[&str], expected: &[&str]) {
    let report = report(lines);
    let mut names: Vec<String> = report.anomalies().iter().map(|anomaly| anomaly.name()).collect();
    names.dedup();
    assert_eq!(names, expected, "{report}");
    assert_eq!(report.is_kept(), expected.is_empty(), "{report}");
}

#[test]
fn concurrent_transactions_that_fit_are_kept() {
    check(&["0 1 9 ok a:x:1 r:y:nil", "1 1 9 ok r:x:[1] a:y:1", "2 10 11 ok r:x:[1] r:y:[1]"], &[]);
    check(&["0 1 9 ok w:x:1 r:y:nil", "1 1 9 ok r:x:1 w:y:1", "2 10 11 ok r:x:1 r:y:1"], &[]);
}

#[test]
fn an_unknown_transaction_may_happen_late_or_never() {
    check(&["0 1 - info a:x:1", "1 5 6 ok r:x:nil", "2 7 8 ok r:x:[1]"], &[]);
    check(&["0 1 2 info w:x:1", "1 5 6 ok r:x:nil", "2 7 8 ok r:x:1", "3 9 9 ok r:x:1"], &[]);
    check(&["0 1 2 info w:x:1", "1 5 6 ok r:x:nil"], &[]);
}

#[test]
fn a_transaction_sees_its_own_steps() {
    check(&["0 1 2 ok a:x:1 r:x:[1] a:x:2 r:x:[1,2]", "0 3 4 ok w:y:1 r:y:1"], &[]);
    check(&["0 1 2 ok a:x:1 r:x:nil"], &["internal"]);
    check(&["0 1 2 ok w:x:1 r:x:nil"], &["internal"]);
    check(&["0 1 2 ok r:x:nil r:x:[1]", "1 1 2 ok a:x:1"], &["internal"]);
    check(&["0 1 2 ok r:x:[1] a:x:1"], &["internal"]);
    check(&["0 1 2 ok r:x:1 w:x:1"], &["internal"]);
}

#[test]
fn values_out_of_nowhere() {
    check(&["0 1 2 ok r:x:[1]"], &["phantom"]);
    check(&["0 1 2 ok r:x:1", "1 1 2 ok w:x:2"], &["phantom"]);
    check(&["0 1 2 ok a:x:1", "1 3 4 ok r:x:[1,1]"], &["duplicate-elements"]);
}

#[test]
fn reads_of_one_list_that_contradict_each_other() {
    let lines = ["0 1 9 ok a:x:1", "1 1 9 ok a:x:2", "2 1 9 ok r:x:[1,2]", "3 1 9 ok r:x:[2]"];
    check(&lines, &["incompatible-order"]);
    assert!(report(&lines).to_string().contains("Element 1 of x was 1 for T2 and 2 for T3"));
}

#[test]
fn aborted_and_intermediate_reads() {
    check(&["0 1 2 fail a:x:1", "1 3 4 ok r:x:[1]"], &["G1a"]);
    check(&["0 1 2 fail w:x:1", "1 3 4 ok r:x:1"], &["G1a"]);
    // In a list the reader stands between two appends of one transaction, which is a cycle as well.
    let between = ["0 1 9 ok a:x:1 a:x:2", "1 1 9 ok r:x:[1]", "2 10 11 ok r:x:[1,2]"];
    check(&between, &["G1b", "G-single"]);
    check(&["0 1 9 ok w:x:1 w:x:2", "1 1 9 ok r:x:1"], &["G1b"]);
}

#[test]
fn dirty_writes() {
    let lines = ["0 1 9 ok a:x:1 a:y:1", "1 1 9 ok a:x:2 a:y:2", "2 10 11 ok r:x:[1,2] r:y:[2,1]"];
    check(&lines, &["G0"]);
}

#[test]
fn circular_information_flow() {
    check(&["0 1 9 ok a:x:1 r:y:[1]", "1 1 9 ok a:y:1 r:x:[1]"], &["G1c"]);
    check(&["0 1 9 ok w:x:1 r:y:1", "1 1 9 ok w:y:1 r:x:1"], &["G1c"]);
}

#[test]
fn read_skew() {
    check(&["0 1 9 ok a:x:1 a:y:1", "1 1 9 ok r:x:[1] r:y:nil"], &["G-single"]);
    check(&["0 1 9 ok w:x:1 w:y:1", "1 1 9 ok r:x:1 r:y:nil"], &["G-single"]);
}

#[test]
fn write_skew() {
    let lists = ["0 1 9 ok r:x:nil a:y:1", "1 1 9 ok r:y:nil a:x:1", "2 10 11 ok r:x:[1] r:y:[1]"];
    check(&lists, &["G2"]);
    check(&["0 1 9 ok r:x:nil w:y:1", "1 1 9 ok r:y:nil w:x:1"], &["G2"]);
}

#[test]
fn lost_updates() {
    check(&["0 1 9 ok r:x:nil w:x:1", "1 1 9 ok r:x:nil w:x:2"], &["lost-update", "G-single"]);
    check(&["0 1 9 ok r:x:nil a:x:1", "1 1 9 ok r:x:nil a:x:2"], &["lost-update", "G2"]);
    let overwritten = ["0 1 9 ok r:x:nil a:x:1", "1 1 9 ok r:x:nil a:x:2", "2 10 11 ok r:x:[1,2]"];
    check(&overwritten, &["G-single"]);
}

#[test]
fn an_acknowledged_append_that_is_gone() {
    let lines = ["0 1 2 ok a:x:1", "1 3 4 ok a:x:2", "2 5 6 ok r:x:[2]"];
    check(&lines, &["lost-append", "G0-realtime", "G-single-realtime"]);
}

#[test]
fn a_client_that_goes_back() {
    // The client's transactions touch in time, so only its own order convicts.
    let lines = ["0 1 9 ok a:x:1", "1 1 5 ok r:x:[1]", "1 5 9 ok r:x:nil"];
    check(&lines, &["G-single-process"]);
}

#[test]
fn a_stale_read() {
    let lists = ["0 1 2 ok a:x:1", "1 3 4 ok a:x:2", "2 5 6 ok r:x:[1]", "3 1 9 ok r:x:[1,2]"];
    check(&lists, &["G-single-realtime"]);
    let registers = ["0 1 2 ok w:x:1", "1 3 4 ok w:x:2", "2 5 6 ok r:x:1"];
    check(&registers, &["G-single-realtime"]);
    check(&["0 1 2 ok w:x:1", "1 3 4 ok r:x:nil"], &["G-single-realtime"]);
}

#[test]
fn weaker_promises_are_kept_by_more_histories() {
    let stale = history(&["0 1 2 ok w:x:1", "0 3 4 ok w:x:2", "1 5 6 ok r:x:1"]);
    let back = history(&["0 1 2 ok w:x:1", "1 3 4 ok r:x:1", "1 5 6 ok r:x:nil"]);
    let kept = |history, guarantee| check_transactions(history, guarantee).expect("a workload").is_kept();
    assert!(!kept(&stale, Guarantee::StrictlySerializable));
    assert!(kept(&stale, Guarantee::SessionSerializable));
    assert!(!kept(&back, Guarantee::SessionSerializable));
    assert!(kept(&back, Guarantee::Serializable));
}

#[test]
fn a_cycle_is_told_with_lines_and_reasons() {
    let report = report(&["0 1 9 ok a:x:1 a:y:1", "1 1 9 ok r:x:[1] r:y:nil"]);
    let mut expected = String::new();
    writeln!(expected, "The history is not strictly serializable.").expect("text");
    writeln!(expected, "G-single: each of these must come before the next: T0 < T1 < T0").expect("text");
    writeln!(expected, "  T0 by client 0 (lines 1 and 2): [[:append x 1] [:append y 1]]").expect("text");
    writeln!(expected, "  T1 by client 1 (lines 3 and 4): [[:r x [1]] [:r y nil]]").expect("text");
    writeln!(expected, "  T0 < T1: T1 read 1 in x, which T0 wrote.").expect("text");
    write!(expected, "  T1 < T0: T1 read y at nil, before T0 wrote 1.").expect("text");
    assert_eq!(report.to_string(), expected);
}

#[test]
fn workloads_that_cannot_be_checked_are_refused() {
    let error =
        |lines: &[&str]| check_transactions(&history(lines), Guarantee::default()).expect_err("an error");
    let twice = error(&["0 1 2 ok a:x:1", "1 3 4 ok a:x:1"]);
    assert!(matches!(&twice, WorkloadError::WrittenTwice { key, value, .. } if key == "x" && value == "1"));
    assert_eq!(
        error(&["0 1 2 ok a:x:1", "1 3 4 ok w:x:2"]).to_string(),
        "key x is a list and a register: T0 by client 0 (lines 1 and 2): [[:append x 1]]; \
         T1 by client 1 (lines 3 and 4): [[:w x 2]]"
    );
}

#[test]
fn a_completion_with_other_steps_is_refused() {
    let mut history = TransactionHistory::new();
    let (x, y) = (history.key("x"), history.key("y"));
    let asked = [Step::Read { key: x, seen: Seen::Unknown }, Step::Read { key: y, seen: Seen::Unknown }];
    let index = history.invoke(0, &asked, 1, 1);
    let swapped = [Step::Read { key: x, seen: Seen::Nothing }, Step::Read { key: x, seen: Seen::Nothing }];
    assert_eq!(history.ok(index, &swapped, 2, 2).expect_err("another key").position, 1);
    assert_eq!(history.ok(index, &swapped[..1], 2, 2).expect_err("too short").position, 1);
}
