//! Published histories whose verdicts are known.

use std::fs;
use std::path::PathBuf;

use quorate_jepsen::checker::{Limits, Verdict, check};
use quorate_jepsen::etcd_log::read_etcd_log;
use quorate_jepsen::kv_log::read_kv_log;
use quorate_jepsen::model::{CasRegister, Text};

fn data(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn etcd(number: &str) -> Verdict {
    let history = read_etcd_log(&data(&format!("etcd/etcd_{number}.log"))).expect("the log is well formed");
    check::<CasRegister>(&history, &Limits::default())
}

fn key_value(name: &str) -> Verdict {
    let history = read_kv_log(&data(&format!("kv/{name}.txt"))).expect("the history is well formed");
    check::<Text>(&history, &Limits::default())
}

#[test]
fn etcd_logs_that_are_linearizable_pass() {
    for number in ["002", "005", "018", "025", "048", "075", "100"] {
        let verdict = etcd(number);
        assert!(verdict.is_linearizable(), "{number}: {verdict:?}");
    }
}

#[test]
fn etcd_logs_that_are_not_linearizable_are_convicted() {
    for number in ["000", "001", "003", "010", "020", "033", "040", "057", "060", "064", "088", "099"] {
        let verdict = etcd(number);
        let certificate = verdict.certificate().unwrap_or_else(|| panic!("{number}: {verdict:?}"));
        assert!(!certificate.states.is_empty(), "{number}: {certificate}");
    }
}

#[test]
fn an_empty_log_is_linearizable() {
    assert!(etcd("095").is_linearizable());
}

#[test]
fn key_value_histories_get_their_verdicts() {
    for (name, is_linearizable) in
        [("c01-ok", true), ("c01-bad", false), ("c10-ok", true), ("c10-bad", false)]
    {
        let verdict = key_value(name);
        assert_eq!(verdict.is_linearizable(), is_linearizable, "{name}: {verdict:?}");
        assert_eq!(verdict.certificate().is_some(), !is_linearizable, "{name}: {verdict:?}");
    }
}
