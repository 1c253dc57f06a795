//! `cargo xtask jepsen prove`: the runner convicts a store that has bugs, and only such a one.
//!
//! The product is built with all its known bugs behind a switch, which only debug builds with the cargo feature
//! `mutants` have. Each bug is put back alone, and the runner has to convict it within a few short runs. Without a bug
//! the same program has to pass the same runs.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Instant;

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

/// A bug, and the run that has to find it.
struct Proof {
    bug: &'static str,
    nemeses: &'static str,
    workloads: &'static str,
}

const PROOFS: [Proof; 4] = [
    Proof { bug: "stale-read", nemeses: "partition-leader,pause-minority", workloads: "register,set" },
    Proof { bug: "acknowledge-before-flush", nemeses: "power-loss", workloads: "register,set,append" },
    Proof { bug: "retry-applied-twice", nemeses: "kill-leader", workloads: "exactly-once" },
    Proof { bug: "removed-node-keeps-voting", nemeses: "member-removed", workloads: "register" },
];

/// Builds what is needed, and proves all of it. The exit code is that of success if all bugs were found and nothing
/// else.
pub fn exit_code(workspace: &Workspace) -> Result<ExitCode, Error> {
    build_runner(workspace)?;
    let program = build_product(workspace)?;
    let mut all_well = true;
    for proof in &PROOFS {
        let begun = Instant::now();
        let found =
            (1..=RUNS_MAX).find_map(|seed| match run(workspace, &program, proof, Some(proof.bug), seed) {
                Ok(PASSED) => None,
                ended => Some((seed, ended)),
            });
        let seconds = begun.elapsed().as_secs();
        let verdict = match found {
            Some((seed, Ok(CONVICTED))) => format!("convicted by run {seed}, after {seconds} s"),
            Some((_, Ok(code))) => failed(&mut all_well, format!("no verdict: the runner ended with {code}")),
            Some((_, Err(error))) => return Err(error),
            None => failed(&mut all_well, format!("NOT FOUND in {RUNS_MAX} runs, {seconds} s")),
        };
        println!("{:26} {verdict}", proof.bug);
        let verdict = match run(workspace, &program, proof, None, 1)? {
            PASSED => "passed".to_owned(),
            code => failed(&mut all_well, format!("NOT PASSED: the runner ended with {code}")),
        };
        println!("{:26} {verdict}", "  without it");
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn failed(all_well: &mut bool, verdict: String) -> String {
    *all_well = false;
    verdict
}

/// Builds the product with its bugs, in a folder of its own: `target/debug` stays the product's.
fn build_product(workspace: &Workspace) -> Result<PathBuf, Error> {
    let target = workspace.target.join("mutants");
    let mut build = cargo(workspace);
    build.args(["build", "--quiet", "--package", "quorate", "--features", "mutants", "--target-dir"]);
    run_command(build.arg(&target))?;
    Ok(target.join("debug/quorate"))
}

/// One run; gives the runner's exit code. Its report stays in `target/jepsen-prove`.
fn run(
    workspace: &Workspace,
    program: &Path,
    proof: &Proof,
    bug: Option<&str>,
    seed: u64,
) -> Result<i32, Error> {
    let output = workspace.target.join("jepsen-prove").join(bug.unwrap_or("none"));
    let mut runner = runner_that_ends_with_us(workspace);
    runner.args(["--nodes", "3", "--seconds", SECONDS, "--seed", &seed.to_string()]);
    runner.args(["--nemesis", proof.nemeses, "--workload", proof.workloads]);
    runner.arg("--program").arg(program).arg("--output").arg(output);
    runner.env(VARIABLE, bug.unwrap_or_default()).stdout(Stdio::null());
    let program = describe(&runner);
    let status = runner.status().map_err(|source| Error::Start { program: program.clone(), source })?;
    status.code().ok_or(Error::Failed { program, status })
}
