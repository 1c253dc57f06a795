//! `cargo xtask jepsen prove`: the runner convicts a store that has bugs, and only such a one.
//!
//! The product is built with all its known bugs behind a switch, which only debug builds with the cargo feature
//! `mutants` have. Each bug is put back alone, and the runner has to convict it within a few short runs, and of what it
//! does: a conviction of something else fails the proof. Without a bug the same program has to pass the same runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Instant;
use std::{fmt, fs};

use serde::Deserialize;

use super::runner::{build_runner, runner_that_ends_with_us};
use crate::cargo::{cargo, describe, run as run_command};
use crate::error::Error;
use crate::workspace::Workspace;

/// How many runs there are to find a bug, each with a seed of its own.
const RUNS_MAX: u64 = 5;
/// For how long clients work in each run, in seconds.
const SECONDS: &str = "20";
/// Names the bug that a node has.
const VARIABLE: &str = "QUORATE_MUTANT";
/// The runner's exit codes for a store that is as it should be, and for one that is not.
const PASSED: i32 = 0;
const CONVICTED: i32 = 1;

/// A bug, and the run that has to find it. What the store is convicted of goes by the words of the runner's report.
struct Proof {
    bug: &'static str,
    nemeses: &'static str,
    workloads: &'static str,
    /// What the bug violates: one of these has to be found.
    violates: &'static [&'static str],
    /// What may be found beside it, because it follows.
    entails: &'static [&'static str],
}

const PROOFS: [Proof; 4] = [
    Proof {
        bug: "stale-read",
        nemeses: "partition-leader,pause-minority",
        workloads: "register,set",
        violates: &["linearizable", "revisions-in-order"],
        entails: &[],
    },
    Proof {
        bug: "acknowledge-before-flush",
        nemeses: "power-loss",
        workloads: "register,set,append",
        violates: &["acknowledged-is-kept"],
        // What comes after the loss takes the place of what was lost, in the log and in the order of revisions. Nodes
        // that meet such a log stop, and do not come back.
        entails: &[
            "linearizable",
            "strictly-serializable",
            "revisions-in-order",
            "equal-states",
            "nodes-go-on",
            "done-in-time",
        ],
    },
    Proof {
        bug: "retry-applied-twice",
        nemeses: "kill-leader",
        workloads: "exactly-once",
        violates: &["exactly-once"],
        // The history has it as a counter.
        entails: &["linearizable"],
    },
    Proof {
        bug: "removed-node-keeps-voting",
        nemeses: "member-removed",
        workloads: "register",
        violates: &["removed-nodes-stop"],
        // It cannot come back as a member either.
        entails: &["done-in-time"],
    },
];

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Passed,
    /// Of these.
    Convicted(BTreeSet<String>),
    /// With another exit code.
    NoVerdict(i32),
}

/// What a report says, as far as it matters here.
#[derive(Deserialize)]
struct Report {
    convicted_of: BTreeSet<String>,
}

/// Builds what is needed, and proves all of it. The exit code is that of success if all bugs were found and nothing
/// else.
pub fn exit_code(workspace: &Workspace) -> Result<ExitCode, Error> {
    build_runner(workspace)?;
    let program = build_product(workspace)?;
    let mut all_well = true;
    let mut tell = |what: &str, said: Result<String, String>| {
        all_well &= said.is_ok();
        println!("{what:26} {}", said.unwrap_or_else(|failed| failed));
    };
    for proof in &PROOFS {
        tell(proof.bug, hunt(workspace, &program, proof)?);
        tell(
            "  without it",
            match run(workspace, &program, proof, None, 1)? {
                Ended::Passed => Ok("passed".to_owned()),
                other => Err(format!("NOT PASSED: {other}")),
            },
        );
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Looks for a bug, run by run, until one says something else than that all is well. Says what came of it; whether that
/// proves something is whether it is Ok.
fn hunt(workspace: &Workspace, program: &Path, proof: &Proof) -> Result<Result<String, String>, Error> {
    let begun = Instant::now();
    for seed in 1..=RUNS_MAX {
        let ended = run(workspace, program, proof, Some(proof.bug), seed)?;
        if ended == Ended::Passed {
            continue;
        }
        let when = format!("by run {seed}, after {} s", begun.elapsed().as_secs());
        return Ok(proof
            .judge(&ended)
            .map(|said| format!("{said} {when}"))
            .map_err(|why| format!("{why} {when}")));
    }
    Ok(Err(format!("NOT FOUND in {RUNS_MAX} runs, {} s", begun.elapsed().as_secs())))
}

impl Proof {
    /// Whether a run that was not passed has found the bug, and nothing else; in words.
    fn judge(&self, ended: &Ended) -> Result<String, String> {
        let Ended::Convicted(properties) = ended else { return Err(ended.to_string()) };
        let is_its = |property: &&String| self.violates.contains(&property.as_str());
        let follows = |property: &&String| is_its(property) || self.entails.contains(&property.as_str());
        match properties.iter().find(|property| !follows(property)) {
            Some(other) => Err(format!("CONVICTED OF WHAT IT DOES NOT DO ({other}): {ended}")),
            None if !properties.iter().any(|property| is_its(&property)) => {
                Err(format!("CONVICTED, BUT NOT OF WHAT IT DOES ({}): {ended}", self.violates.join(" or ")))
            }
            None => Ok(ended.to_string()),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => formatter.write_str("passed"),
            Self::Convicted(properties) => {
                let properties: Vec<_> = properties.iter().map(String::as_str).collect();
                write!(formatter, "convicted of {}", properties.join(", "))
            }
            Self::NoVerdict(code) => write!(formatter, "no verdict: the runner ended with {code}"),
        }
    }
}

/// Builds the product with its bugs, in a folder of its own: `target/debug` stays the product's.
fn build_product(workspace: &Workspace) -> Result<PathBuf, Error> {
    let target = workspace.target.join("mutants");
    let mut build = cargo(workspace);
    build.args(["build", "--quiet", "--package", "quorate", "--features", "mutants", "--target-dir"]);
    run_command(build.arg(&target))?;
    Ok(target.join("debug/quorate"))
}

/// One run. Its report stays in `target/jepsen-prove`.
fn run(
    workspace: &Workspace,
    program: &Path,
    proof: &Proof,
    bug: Option<&str>,
    seed: u64,
) -> Result<Ended, Error> {
    let output = workspace.target.join("jepsen-prove").join(bug.unwrap_or("none"));
    let mut runner = runner_that_ends_with_us(workspace);
    runner.args(["--nodes", "3", "--seconds", SECONDS, "--seed", &seed.to_string()]);
    runner.args(["--nemesis", proof.nemeses, "--workload", proof.workloads]);
    runner.arg("--program").arg(program).arg("--output").arg(&output);
    runner.env(VARIABLE, bug.unwrap_or_default()).stdout(Stdio::null());
    // That of the run before would speak for one that wrote none.
    let report = output.join("report.json");
    if report.exists() {
        fs::remove_file(&report).map_err(Error::file("removing", &report))?;
    }
    let program = describe(&runner);
    let status = runner.status().map_err(|source| Error::Start { program: program.clone(), source })?;
    verdict(status.code().ok_or(Error::Failed { program, status })?, &report)
}

/// What a run came to that ended with that code. Without a report it is no verdict.
fn verdict(code: i32, report: &Path) -> Result<Ended, Error> {
    if !report.exists() {
        return Ok(Ended::NoVerdict(code));
    }
    match code {
        PASSED => Ok(Ended::Passed),
        CONVICTED => {
            let text = fs::read_to_string(report).map_err(Error::file("reading", report))?;
            let report: Report =
                serde_json::from_str(&text).map_err(Error::malformed(report.display().to_string()))?;
            Ok(Ended::Convicted(report.convicted_of))
        }
        code => Ok(Ended::NoVerdict(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROOF: Proof = Proof {
        bug: "a-bug",
        nemeses: "kill",
        workloads: "register",
        violates: &["exactly-once"],
        entails: &["linearizable"],
    };

    fn judge(properties: &[&str]) -> Result<String, String> {
        PROOF.judge(&Ended::Convicted(properties.iter().map(|property| (*property).to_owned()).collect()))
    }

    #[test]
    fn a_conviction_counts_for_what_the_bug_does() {
        let convicted = judge(&["linearizable", "exactly-once"]).expect("that is what it does");
        assert_eq!(convicted, "convicted of exactly-once, linearizable");
        judge(&["exactly-once"]).expect("that is what it does");
    }

    #[test]
    fn a_conviction_of_something_else_counts_for_nothing() {
        let other = judge(&["exactly-once", "done-in-time"]).expect_err("it does not do that");
        assert!(other.contains("DOES NOT DO (done-in-time)"), "{other}");
        let consequence = judge(&["linearizable"]).expect_err("that alone may come from anything");
        assert!(consequence.contains("NOT OF WHAT IT DOES (exactly-once)"), "{consequence}");
        judge(&[]).expect_err("of nothing");
    }

    #[test]
    fn a_run_without_a_verdict_convicts_nobody() {
        let said = PROOF.judge(&Ended::NoVerdict(4)).expect_err("the harness failed");
        assert_eq!(said, "no verdict: the runner ended with 4");
    }

    #[test]
    fn a_code_without_a_report_is_no_verdict() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let report = folder.path().join("report.json");
        for code in [PASSED, CONVICTED] {
            assert_eq!(verdict(code, &report).expect("nothing to read"), Ended::NoVerdict(code));
        }
        fs::write(&report, r#"{"convicted_of": ["linearizable"]}"#).expect("written");
        let convicted = verdict(CONVICTED, &report).expect("a report");
        assert_eq!(convicted, Ended::Convicted(["linearizable".to_owned()].into()));
        assert_eq!(verdict(PASSED, &report).expect("a report"), Ended::Passed);
    }
}
