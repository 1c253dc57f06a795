//! What the simulator promises to those who start it.
//!
//! The simulator is a program, `quorate-sim`, that runs one simulation and ends. It is started so:
//!
//! ```text
//! quorate-sim --seed S [--mutant NAME] [--trace FILE|-] [--output DIR]
//! quorate-sim --plan FILE [--mutant NAME] [--trace FILE|-] [--output DIR]
//! quorate-sim --list-mutants
//! ```
//!
//! * `--seed S` derives the plan from the seed, an unsigned 64-bit number. `--plan FILE` reads a plan
//!   that was written before; its seed is in it.
//! * `--mutant NAME` puts one bug back. `--list-mutants` prints a line for each and exits 0: the name and
//!   the properties that the bug may be convicted of, with tabs between.
//! * `--trace FILE` writes what happened, one line an event, byte-identical for equal seeds: no
//!   addresses, paths, process IDs or wall clock times. `--trace -` writes it to standard output,
//!   before the report.
//! * `--output DIR` names a folder that the simulator makes **only if the run fails** and fills with
//!   `plan.json`, `history.jsonl` and whatever else helps to find the bug.
//! * Scratch data (the nodes' directories) goes below `std::env::temp_dir()`. We point it at a fresh
//!   folder for each process, in memory where the machine has room, and remove it afterwards however
//!   the process ended.
//!
//! **Standard output** ends with one line of JSON, a [`Report`]. Anything may go to standard error; its
//! end is shown when the process breaks.
//!
//! **Exit code**: 0 passed, 1 a property was violated (the report says which). A panic of a node inside
//! the simulation is a violation too, of the property `invariant broken`, with the panic's message as
//! evidence. 3: nothing wrong was seen, but not everything was looked at (the search of the history was
//! given up, or a source of observations was silent); the report's evidence says what. That, and anything
//! else (another code, a signal, no report, a report that contradicts the code or does not say that the
//! history was checked, no end within the time limit), is a failure of the harness, and is counted apart
//! from violations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The exit code of a run in which every property held.
pub const EXIT_PASSED: i32 = 0;
/// The exit code of a run in which a property was violated.
pub const EXIT_VIOLATED: i32 = 1;
/// The exit code of a run in which not everything was looked at.
pub const EXIT_NOT_CHECKED: i32 = 3;

/// What one simulation came to: the last line of the simulator's standard output.
///
/// Unknown fields are kept out of our way, so that the simulator may report more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The seed of the run.
    pub seed: u64,
    /// Whether every property held.
    pub verdict: Verdict,
    /// The property that was violated, as a short phrase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// What shows the violation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// Virtual time from first to last event.
    pub virtual_seconds: f64,
    /// Operations that clients completed, failed or left unknown.
    pub operations: u64,
    /// A hash over the whole trace, whether it was written or not.
    pub trace_hash: String,
    /// How many faults of each kind were installed.
    #[serde(default)]
    pub faults: BTreeMap<String, u64>,
    /// How many faults of each kind the plan asked for in vain, such as a kill of a dead node.
    #[serde(default)]
    pub faults_skipped: BTreeMap<String, u64>,
    /// How many faults of each kind came in another way than planned, such as a loss of power that was
    /// to come in the middle of a disk operation and came at a quiet moment.
    #[serde(default)]
    pub faults_indeterminate: BTreeMap<String, u64>,
    /// What of the store was met, and how often: everything that the simulator counts, 0 included.
    #[serde(default)]
    pub coverage: BTreeMap<String, u64>,
    /// Whether the history was checked to its end, and found good. A run passes only with that.
    #[serde(default)]
    pub history_checked: bool,
    /// The most memory the process ever had resident.
    pub resident_kib_max: u64,
}

/// Whether a run passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every property held.
    Passed,
    /// A property was violated.
    Failed,
    /// Nothing wrong was seen, but not everything was looked at.
    NotChecked,
}

/// How one process of the simulator ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Every property held.
    Passed(Report),
    /// A property was violated.
    Violated(Report),
    /// The harness broke: nothing is known about the product.
    Broken {
        /// What happened, as a phrase.
        what: String,
        /// The end of standard error.
        stderr_tail: String,
    },
}

/// Reads how a process ended from its exit code and its last line of standard output.
pub fn interpret(code: Option<i32>, last_line: Option<&str>, ended: &str, stderr_tail: String) -> Outcome {
    let broken = |what: String| Outcome::Broken { what, stderr_tail: stderr_tail.clone() };
    if !matches!(code, Some(EXIT_PASSED | EXIT_VIOLATED | EXIT_NOT_CHECKED)) {
        return broken(format!("the simulator ended with {ended}"));
    }
    let Some(line) = last_line else {
        return broken(format!("the simulator ended with {ended} and printed no report"));
    };
    let report: Report = match serde_json::from_str(line) {
        Ok(report) => report,
        Err(reason) => return broken(format!("the last line is not a report ({reason}): {line}")),
    };
    match (code, report.verdict) {
        (Some(EXIT_PASSED), Verdict::Passed) if report.history_checked => Outcome::Passed(report),
        (Some(EXIT_PASSED), Verdict::Passed) => {
            broken("not checked: the report does not say that the history was checked".to_owned())
        }
        (Some(EXIT_NOT_CHECKED), Verdict::NotChecked) => {
            let reason = report.evidence.unwrap_or_else(|| "(the report does not say why)".to_owned());
            broken(format!("not checked: {reason}"))
        }
        (Some(EXIT_VIOLATED), Verdict::Failed) => Outcome::Violated(report),
        (_, verdict) => broken(format!("the report says {verdict:?}, but the simulator ended with {ended}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: &str = r#"{"seed":7,"verdict":"passed","virtual_seconds":31.5,"operations":400,
        "trace_hash":"ab","faults":{"kill":2},"history_checked":true,"resident_kib_max":1000,
        "coverage":{"pages":3},"new":"field"}"#;
    const NOT_CHECKED: &str = r#"{"seed":7,"verdict":"not_checked","evidence":"given up","virtual_seconds":31.5,
        "operations":400,"trace_hash":"ab","history_checked":false,"resident_kib_max":1000}"#;
    const FAILED: &str = r#"{"seed":7,"verdict":"failed","property":"linearizable","evidence":"k1",
        "virtual_seconds":31.5,"operations":400,"trace_hash":"ab","faults":{},"resident_kib_max":1000}"#;

    #[track_caller]
    fn check_broken(code: Option<i32>, last_line: Option<&str>, expected: &str) {
        match interpret(code, last_line, "exit status: N", "tail".to_owned()) {
            Outcome::Broken { what, stderr_tail } => {
                assert!(what.contains(expected), "{what}");
                assert_eq!(stderr_tail, "tail");
            }
            other => panic!("expected a broken harness, got {other:?}"),
        }
    }

    #[test]
    fn a_report_that_agrees_with_the_exit_code_is_believed() {
        assert!(matches!(interpret(Some(0), Some(PASSED), "", String::new()), Outcome::Passed(report)
            if report.seed == 7 && report.faults["kill"] == 2 && report.coverage["pages"] == 3));
        assert!(matches!(interpret(Some(1), Some(FAILED), "", String::new()), Outcome::Violated(report)
            if report.property.as_deref() == Some("linearizable")));
    }

    #[test]
    fn anything_else_is_a_broken_harness() {
        check_broken(Some(101), Some(PASSED), "ended with exit status: N");
        check_broken(None, Some(PASSED), "ended with exit status: N");
        check_broken(Some(0), None, "no report");
        check_broken(Some(0), Some("{}"), "not a report");
        check_broken(Some(0), Some("segments left: 3"), "not a report");
        check_broken(Some(1), Some(PASSED), "the report says Passed");
        check_broken(Some(0), Some(FAILED), "the report says Failed");
        check_broken(Some(0), Some(NOT_CHECKED), "the report says NotChecked");
    }

    #[test]
    fn a_history_that_was_not_checked_passes_nobody() {
        check_broken(Some(3), Some(NOT_CHECKED), "not checked: given up");
        for unchecked in ["\"history_checked\":false", "\"other\":true"] {
            let report = PASSED.replace("\"history_checked\":true", unchecked);
            check_broken(Some(0), Some(&report), "not checked");
        }
    }
}
