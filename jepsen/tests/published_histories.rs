//! Published histories whose verdicts are known.

use std::fs::File;
use std::path::PathBuf;

use quorate_jepsen::checker::{Limits, Verdict, check};
use quorate_jepsen::event::Problem;
use quorate_jepsen::history::History;
use quorate_jepsen::import::{Format, Import, ImportOptions, ImportedHistory, import};
use quorate_jepsen::model::{CasRegister, KeyValue, RegisterAnswer, RegisterCall};
use quorate_jepsen::register::{Ending, RegisterHistory, Request, ValueId};

fn data(name: &str) -> File {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The same history for the general search.
fn general(history: &RegisterHistory) -> History<RegisterCall> {
    let number = |id: ValueId| {
        let text = history.value_text(id).map(|text| std::str::from_utf8(text).expect("a number"));
        text.map(|text| text.parse::<i64>().expect("a number"))
    };
    let written = |id| number(id).expect("nobody writes nil");
    let mut copy = History::new();
    let mut ends = Vec::new();
    for (index, operation) in history.operations().enumerate() {
        let call = match operation.request {
            Request::Read => RegisterCall::Read,
            Request::Write(value) => RegisterCall::Write(written(value)),
            Request::CompareAndSet { expected, new } => RegisterCall::Cas(written(expected), written(new)),
        };
        copy.invoke(operation.process, b"", call, operation.invoked);
        ends.extend(operation.completed.map(|completed| (completed, index, operation.ending)));
    }
    for (completed, index, ending) in ends {
        match ending {
            Ending::Value(value) => copy.ok(index, RegisterAnswer::Value(number(value)), completed),
            Ending::Done => copy.ok(index, RegisterAnswer::Done, completed),
            Ending::Refused => copy.ok(index, RegisterAnswer::Mismatch, completed),
            Ending::Failed => copy.failed(index, completed),
            Ending::Unknown => copy.unknown(index, completed),
        }
    }
    copy
}

fn etcd(number: &str) -> Verdict {
    let log = data(&format!("etcd/etcd_{number}.log"));
    let Import { format, history } = import(log, &ImportOptions::default()).expect("the log is well formed");
    assert_eq!(format, Format::EtcdLog);
    let ImportedHistory::Register(history) = history else { panic!("not a register: {history:?}") };
    check::<CasRegister>(&general(&history), &Limits::default())
}

fn key_value(name: &str) -> Verdict {
    let log = data(&format!("kv/{name}.txt"));
    let Import { format, history } = import(log, &ImportOptions::default()).expect("the log is well formed");
    assert_eq!(format, Format::KvLog);
    let ImportedHistory::KeyValue(typed) = history else { panic!("not a map: {history:?}") };
    check::<KeyValue>(&typed.history, &Limits::default())
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
fn an_empty_log_gets_no_verdict() {
    let error = import(data("etcd/etcd_095.log"), &ImportOptions::default()).expect_err("it is empty");
    assert!(matches!(error.problem, Problem::Empty), "{error}");
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
