//! `cargo xtask test` and `cargo xtask ci`: everything that must hold before a change goes in.

use crate::cargo::{SIMULATION_PROFILE, cargo, cargo_for_simulation, run};
use crate::docs_test;
use crate::error::Error;
use crate::jepsen;
use crate::sim;
use crate::steps::{Steps, run_tests};
use crate::tidy;
use crate::workspace::Workspace;

/// Seeds that every test run simulates; `cargo xtask sim --seeds 1000` goes further.
const SEEDS: u64 = 100;
/// Seeds that every test run simulates twice to see that they are the same run.
const SEEDS_TWICE: u64 = 3;

/// Runs every test.
pub fn test(workspace: &Workspace) -> Result<(), Error> {
    let mut steps = Steps::default();
    run_test_steps(workspace, &mut steps);
    steps.finish()
}

/// Runs every test and every lint.
pub fn ci(workspace: &Workspace) -> Result<(), Error> {
    let mut steps = Steps::default();
    steps.run("formatting", || run(cargo(workspace).args(["fmt", "--all", "--check"])).map(|()| None));
    run_test_steps(workspace, &mut steps);
    run_lint_steps(workspace, &mut steps);
    steps.finish()
}

fn run_test_steps(workspace: &Workspace, steps: &mut Steps) {
    steps.run("tidy", || tidy::run(workspace).map(|()| None));
    // First what is quick to say no: whether a seed is one run is asked before anything rests on it.
    steps.run("tests", || {
        run_tests(cargo(workspace).args([
            "test",
            "--workspace",
            "--features",
            "quorate-jepsen/cli",
            "--no-fail-fast",
        ]))
    });
    steps
        .run("documents", || docs_test::run(workspace, &docs_test::Arguments::of_the_store()).map(|()| None));
    // On the program that the steps before have built.
    steps.run("real processes under faults", || jepsen::runner::short_run(workspace).map(|()| None));
    steps.run("real processes, told to stop", || jepsen::stop::check(workspace).map(|()| None));
    // Apart, so that no other test runs a state machine that could have bugs put back.
    steps.run("mutants of the state machine", || {
        run_tests(cargo(workspace).args([
            "test",
            "--package",
            "quorate-kv",
            "--features",
            "mutants,testing",
            "--test",
            "mutants",
        ]))
    });
    steps.run("tests in the simulated world", || {
        run_tests(cargo_for_simulation(workspace).args([
            "test",
            "--package",
            "quorate-sim",
            "--no-fail-fast",
            "--profile",
            SIMULATION_PROFILE,
        ]))
    });
    steps.run("determinism of the simulation", || {
        sim::run(workspace, &sim::Arguments::of_seeds(SEEDS_TWICE, true)).map(|()| None)
    });
    steps.run("simulation", || sim::run(workspace, &sim::Arguments::of_seeds(SEEDS, false)).map(|()| None));
    steps.run("documents of the simulator", || {
        let arguments = docs_test::Arguments::of_the_simulator(workspace);
        docs_test::run(workspace, &arguments).map(|()| None)
    });
}

fn run_lint_steps(workspace: &Workspace, steps: &mut Steps) {
    steps.run("clippy", || {
        run(cargo(workspace).args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--features",
            "xtask/bench,quorate-jepsen/cli",
            "--",
            "--deny",
            "warnings",
        ]))
        .map(|()| None)
    });
    steps.run("clippy in the simulated world", || {
        run(cargo_for_simulation(workspace).args([
            "clippy",
            "--package",
            "quorate-sim",
            "--all-targets",
            "--profile",
            SIMULATION_PROFILE,
            "--",
            "--deny",
            "warnings",
        ]))
        .map(|()| None)
    });
    steps.run("documentation", || {
        let mut command = cargo(workspace);
        // Private items too: module essays link to them, and the readers are those who change the code. The
        // simulator is empty in this world.
        let arguments =
            ["doc", "--workspace", "--exclude", "quorate-sim", "--no-deps", "--document-private-items"];
        let lints = "--deny warnings --allow rustdoc::private_intra_doc_links";
        command.args(arguments).env("RUSTDOCFLAGS", lints);
        run(&mut command).map(|()| None)
    });
}
