//! Published histories whose verdicts are known.

use std::fs::File;
use std::path::PathBuf;

use quorate_jepsen::event::Problem;
use quorate_jepsen::import::{Format, Import, ImportOptions, import};
use quorate_jepsen::judge::{Conclusion, judge};
use quorate_jepsen::register::Spending;
use quorate_jepsen::transactions::Guarantee;

/// Steps that a log may take: each takes a fraction of a microsecond, so all of them less than 5 ms.
const STEPS_MAX: u64 = 20_000;

fn data(name: &str) -> File {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Checks a file that must be recognised as `format`; a conviction must name lines.
#[track_caller]
fn check(name: &str, format: Format, expected: Conclusion) {
    let import = import(data(name), &ImportOptions::default()).expect("the log is well formed");
    assert_eq!(import.format, format, "{name}");
    let Import { history, .. } = import;
    let spending = Spending { steps_per_key_max: STEPS_MAX, ..Spending::default() };
    let judgement = judge(&history, Guarantee::default(), &spending).expect("no transactions");
    assert_eq!(judgement.conclusion(), expected, "{name}: {judgement}");
    assert_eq!(judgement.lines().is_empty(), expected == Conclusion::Kept, "{name}: {judgement}");
}

#[test]
fn etcd_logs_that_are_linearizable_pass() {
    for number in ["002", "005", "018", "025", "048", "075", "100"] {
        check(&format!("etcd/etcd_{number}.log"), Format::EtcdLog, Conclusion::Kept);
    }
}

#[test]
fn etcd_logs_that_are_not_linearizable_are_convicted() {
    for number in ["000", "001", "003", "010", "020", "033", "040", "057", "060", "064", "088", "099"] {
        check(&format!("etcd/etcd_{number}.log"), Format::EtcdLog, Conclusion::Broken);
    }
}

#[test]
fn an_empty_log_gets_no_verdict() {
    let error = import(data("etcd/etcd_095.log"), &ImportOptions::default()).expect_err("it is empty");
    assert!(matches!(error.problem, Problem::Empty), "{error}");
}

#[test]
fn key_value_histories_get_their_verdicts() {
    for name in ["c01", "c10"] {
        check(&format!("kv/{name}-ok.txt"), Format::KvLog, Conclusion::Kept);
        check(&format!("kv/{name}-bad.txt"), Format::KvLog, Conclusion::Broken);
    }
}
