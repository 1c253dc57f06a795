//! The command as a user meets it: files in, text and exit codes out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn quorate_jepsen(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate-jepsen"));
    command.args(arguments).stdin(Stdio::null()).output().expect("the command starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the command prints UTF-8")
}

/// A published history.
fn published(name: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name).display().to_string()
}

/// A file of one test's own.
fn scratch(name: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("command");
    fs::create_dir_all(&folder).expect("cargo's folder for tests can be written to");
    folder.join(name).display().to_string()
}

#[track_caller]
fn check_exit(arguments: &[&str], code: i32, stdout_contains: &str) -> String {
    let output = quorate_jepsen(arguments);
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{stdout}{}", text(&output.stderr));
    assert!(stdout.contains(stdout_contains), "{stdout}");
    stdout
}

#[test]
fn the_exit_code_is_the_verdict() {
    let (good, bad) = (published("etcd/etcd_002.log"), published("etcd/etcd_000.log"));
    let empty = published("etcd/etcd_095.log");
    check_exit(&["check", &good], 0, "etcd_002.log: linearizable (77 operations, register, etcd-log;");
    check_exit(&["check", &bad], 1, "etcd_000.log: NOT linearizable (85 operations, register, etcd-log;");
    check_exit(&["check", &empty], 3, "etcd_095.log: bad input: line 1: the history is empty; expected ");
    check_exit(&["check", "no-such-file"], 3, "no-such-file: bad input: line 1: cannot be read: ");
}

#[test]
fn of_several_files_the_worst_counts() {
    let (good, bad) = (published("kv/c01-ok.txt"), published("kv/c01-bad.txt"));
    let empty = published("etcd/etcd_095.log");
    let stdout = check_exit(&["check", &good, &bad], 1, "c01-bad.txt: NOT linearizable");
    assert!(stdout.contains("c01-ok.txt: linearizable"), "{stdout}");
    check_exit(&["check", &empty, &bad], 3, "c01-bad.txt: NOT linearizable");
}

#[test]
fn wrong_arguments_are_bad_input_and_no_verdict() {
    for arguments in [
        vec!["check"],
        vec!["check", "--model", "queue", "x"],
        vec!["check", "--html", "page.html", "one", "two"],
        vec!["gen", "--unknown", "101"],
        vec!["gen", "--writes", "60", "--cas", "60"],
    ] {
        check_exit(&arguments, 3, "");
    }
    check_exit(&["check", "--help"], 0, "--limit-ms");
}

#[test]
fn json_says_the_same_to_programs() {
    let stdout = check_exit(&["check", "--json", &published("etcd/etcd_000.log")], 1, "");
    let report: serde_json::Value = serde_json::from_str(&stdout).expect("one object");
    assert_eq!(report["verdict"], "broken");
    assert_eq!(report["promise"], "linearizable");
    assert_eq!((&report["format"], &report["model"]), (&"etcd-log".into(), &"register".into()));
    assert_eq!(report["operations"], 85);
    assert!(report["lines"].as_array().is_some_and(|lines| lines.len() >= 2), "{report}");
    let stdout = check_exit(&["check", "--json", &published("etcd/etcd_095.log")], 3, "");
    let report: serde_json::Value = serde_json::from_str(&stdout).expect("one object");
    assert_eq!((&report["verdict"], &report["line"]), (&"bad input".into(), &1.into()));
}

#[test]
fn what_is_made_gets_the_verdict_that_it_was_made_for() {
    for (format, anomaly, code) in
        [("edn", "none", 0), ("edn", "stale-read", 1), ("jsonl", "none", 0), ("jsonl", "stale-read", 1)]
    {
        for keys in ["1", "5"] {
            let file = scratch(&format!("{anomaly}-{keys}.{format}"));
            let made = ["gen", "--format", format, "--anomaly", anomaly, "--keys", keys, "--unknown", "3"];
            check_exit(&[made.as_slice(), &["--operations", "2000", "-o", &file]].concat(), 0, "");
            let name = format!("(2000 operations, register, {format};");
            check_exit(&["check", &file], code, &name);
        }
    }
}

#[test]
fn a_limit_is_no_verdict() {
    let file = scratch("hard.edn");
    let made = ["gen", "--operations", "20000", "--clients", "40", "--values", "3", "--unknown", "5"];
    check_exit(&[made.as_slice(), &["-o", &file]].concat(), 0, "");
    let stdout = check_exit(&["check", "--limit-ms", "0", &file], 2, "hard.edn: unknown (20000 operations");
    assert!(stdout.contains("the limit of 0 ms was reached"), "{stdout}");
    let stdout = check_exit(&["check", "--limit-mib", "1", &file], 2, "hard.edn: unknown (20000 operations");
    assert!(stdout.contains("MiB was reached"), "{stdout}");
}

#[test]
fn every_model_keeps_the_limits() {
    let events = |function: &str, value: &str, answer: &str| {
        format!(
            "{{:type :invoke, :process 1, :f {function}, :value {value}}}\n\
             {{:type :ok, :process 1, :f {function}, :value {answer}}}\n"
        )
    };
    for (model, text) in [
        ("register", events(":write", "1", "1")),
        ("key-value", events(":put", "\"a\"", "\"a\"") + &events(":append", "\"b\"", "\"b\"")),
        ("store", String::new()),
        ("set", events(":add", "1", "1")),
        ("counter", events(":add", "1", "1")),
        ("mutex", events(":acquire", "nil", "nil")),
        ("transactions", events(":txn", "[[:append :x 1]]", "[[:append :x 1]]")),
    ] {
        let file = scratch(&format!("limits-{model}.edn"));
        let text = if model == "store" {
            "{\"type\":\"invoke\",\"process\":1,\"f\":\"put\",\"value\":\"a\"}\n\
             {\"type\":\"ok\",\"process\":1,\"f\":\"put\",\"revision\":1}\n"
                .to_owned()
        } else {
            text
        };
        fs::write(&file, text).expect("the folder can be written to");
        check_exit(&["check", "--model", model, &file], 0, model);
        for (option, limit) in [("--limit-ms", "0 ms"), ("--limit-mib", "1 MiB")] {
            let number = limit.split(' ').next().expect("a number");
            let stdout = check_exit(&["check", "--model", model, option, number, &file], 2, ": unknown (");
            assert!(stdout.contains(&format!("the limit of {limit} was reached")), "{stdout}");
        }
    }
}

#[test]
fn transactions_are_checked_by_the_same_command() {
    let file = scratch("append.edn");
    let events = [
        "{:type :invoke, :process 1, :f :txn, :value [[:append :x 1]]}",
        "{:type :ok, :process 1, :f :txn, :value [[:append :x 1]]}",
        "{:type :invoke, :process 2, :f :txn, :value [[:r :x nil]]}",
        "{:type :ok, :process 2, :f :txn, :value [[:r :x SEEN]]}",
    ]
    .join("\n");
    fs::write(&file, events.replace("SEEN", "[1]")).expect("the folder can be written to");
    check_exit(&["check", &file], 0, "(2 operations, transactions, edn;");
    fs::write(&file, events.replace("SEEN", "[]")).expect("the folder can be written to");
    check_exit(&["check", &file], 1, "lines 3 and 4");
    check_exit(&["check", "--guarantee", "serializable", &file], 0, "append.edn: ");
    fs::write(&file, events.replace(":r :x nil", ":append :x 1").replace(":r :x SEEN", ":append :x 1"))
        .expect("the folder can be written to");
    check_exit(&["check", &file], 3, "bad input: value 1 is written to key :x twice");
}

#[test]
fn a_page_is_drawn() {
    let page = scratch("page.html");
    check_exit(&["check", "--html", &page, &published("etcd/etcd_000.log")], 1, "NOT linearizable");
    let html = fs::read_to_string(&page).expect("the page was written");
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("etcd_000.log"), "{}", &html[..200]);
}
