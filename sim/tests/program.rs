//! The program: one simulation in one process.
#![cfg(madsim)]

use std::path::Path;
use std::process::{Command, Output};

use quorate_sim::plan::{OperationMix, derive};
use serde_json::Value;

/// A run of the simulator's program.
struct Ran {
    code: Option<i32>,
    report: Value,
    stderr: String,
}

fn simulator(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_quorate-sim");
    Command::new(program).args(arguments).output().expect("the program can be started")
}

fn simulate(arguments: &[&str]) -> Ran {
    let output = simulator(arguments);
    let stdout = String::from_utf8(output.stdout).expect("a report is text");
    let last_line = stdout.lines().last().unwrap_or_default();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let report =
        serde_json::from_str(last_line).unwrap_or_else(|_| panic!("no report: {last_line}\n{stderr}"));
    Ran { code: output.status.code(), report, stderr }
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are text")
}

#[test]
fn a_seed_passes() {
    let ran = simulate(&["--seed", "1"]);
    assert_eq!((ran.code, ran.report["verdict"].as_str()), (Some(0), Some("passed")), "{}", ran.stderr);
    assert!(ran.report["virtual_seconds"].as_f64() >= Some(30.0), "{}", ran.report);
    assert!(ran.report["answered"].as_u64() >= Some(300), "{}", ran.report);
    assert_eq!(ran.report["history_checked"], true);
    assert!(ran.report["entries"].as_u64() >= Some(100), "the nodes' facts are witnessed: {}", ran.report);
}

#[test]
fn one_seed_gives_one_trace_in_two_processes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let traces = ["first", "second"].map(|name| {
        let trace = folder.path().join(name);
        let ran = simulate(&["--seed", "3", "--trace", path_text(&trace)]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        (std::fs::read_to_string(&trace).expect("the trace was written"), ran.report["trace_hash"].clone())
    });
    assert!(traces[0].0.lines().count() > 1_000);
    assert!(traces[0] == traces[1], "the traces differ");
    let text = &traces[0].0;
    let scratch = std::env::temp_dir();
    assert!(!text.contains(path_text(&scratch)), "a trace has no paths of this machine");
}

#[test]
fn a_failure_is_kept_and_its_plan_fails_in_the_same_way() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kept = folder.path().join("kept");
    let first = simulate(&["--seed", "1", "--mutant", "stale-read", "--output", path_text(&kept)]);
    assert_eq!(first.code, Some(1), "{}", first.stderr);
    assert!(first.report["property"].is_string() && first.report["evidence"].is_string(), "{}", first.report);
    assert!(std::fs::metadata(kept.join("history.jsonl")).expect("the history was written").len() > 0);
    let plan = kept.join("plan.json");
    let second = simulate(&["--plan", path_text(&plan), "--mutant", "stale-read"]);
    assert_eq!(second.code, Some(1));
    assert_eq!(second.report["trace_hash"], first.report["trace_hash"]);
    assert_eq!(second.report["evidence"], first.report["evidence"]);
}

#[test]
fn a_run_that_passes_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scratch = folder.path().join("scratch");
    std::fs::create_dir(&scratch).expect("create");
    let kept = folder.path().join("kept");
    let output = Command::new(env!("CARGO_BIN_EXE_quorate-sim"))
        .args(["--seed", "4", "--output", path_text(&kept)])
        .env("TMPDIR", &scratch)
        .output()
        .expect("the program can be started");
    assert_eq!(output.status.code(), Some(0));
    assert!(!kept.exists(), "there is nothing to keep");
    assert_eq!(std::fs::read_dir(&scratch).expect("read").count(), 0);
}

#[test]
fn a_command_line_that_says_nothing_useful_is_refused() {
    for (arguments, expected) in [
        (&["--sed", "1"][..], "--sed"),
        (&["--seed"], "needs a value"),
        (&["--seed", "x"], "not a seed"),
        (&["--seed", "1", "--plan", "p"], "either --seed or --plan"),
        (&[], "either --seed or --plan"),
        (&["--seed", "1", "--mutant", "none"], "no mutant"),
        (&["--plan", "/does/not/exist"], "/does/not/exist"),
    ] {
        let output = simulator(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_plan_that_cannot_be_run_is_no_finding() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("plan.json");
    let mut plan = derive(1);
    plan.workload.clients[0].mix = OperationMix::default();
    std::fs::write(&path, plan.to_json()).expect("write");
    let output = simulator(&["--plan", path_text(&path)]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{stderr}");
    assert!(stderr.contains("client 0"), "{stderr}");
}

#[test]
fn every_mutant_stands_among_the_guarantees() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guarantees.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let output = simulator(&["--list-mutants"]);
    let list = String::from_utf8(output.stdout).expect("it is text");
    assert!(list.lines().count() > 20, "{list}");
    for line in list.lines() {
        let name = line.split('\t').next().expect("a name");
        assert!(page.contains(&format!("`{name}`")), "{name} breaks no guarantee of docs/guarantees.md");
    }
}

#[test]
fn every_mutant_is_listed_with_what_it_may_be_convicted_of() {
    let output = simulator(&["--list-mutants"]);
    let names = String::from_utf8(output.stdout).expect("names are text");
    let of_the_environment = quorate_environment::mutant::Mutant::ALL.map(|mutant| mutant.name());
    let of_the_state_machine = quorate_kv::mutant::Mutant::ALL.map(|mutant| mutant.name());
    let expected = [&of_the_environment[..], &of_the_state_machine[..]].concat();
    let found: Vec<Vec<&str>> = names.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(found.iter().map(|mutant| mutant[0]).collect::<Vec<_>>(), expected);
    assert!(found.iter().all(|mutant| mutant.len() >= 2), "{names}");
}
