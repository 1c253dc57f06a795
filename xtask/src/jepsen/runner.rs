//! `cargo xtask jepsen run`: the runner and the product, built when they are needed.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::cargo::{cargo, describe, run as run_command};
use crate::error::Error;
use crate::workspace::Workspace;

/// What the runner is made of: itself, and what it puts between nodes and their disks.
const PACKAGES: [&str; 2] = ["quorate-runner", "quorate-interposer"];

/// How long the run of `cargo xtask test` lasts, in seconds.
const SECONDS_IN_TEST: &str = "90";

/// Builds the runner, and the product if no other program is named, and becomes the runner, in the current folder: what
/// is sent to this process is for the runner to hear. Comes back only with an error.
pub fn become_runner(workspace: &Workspace, arguments: &[OsString]) -> Error {
    match prepare(workspace, arguments) {
        Ok(mut runner) => {
            let program = describe(&runner);
            Error::Start { program, source: runner.exec() }
        }
        Err(error) => error,
    }
}

fn prepare(workspace: &Workspace, arguments: &[OsString]) -> Result<Command, Error> {
    build_runner(workspace)?;
    let mut runner = Command::new(program(workspace));
    runner.args(arguments);
    if needs_product(arguments) {
        build(workspace, &["quorate"])?;
        runner.arg("--program").arg(workspace.target.join("debug/quorate"));
    }
    Ok(runner)
}

/// The runner, as a process that is told to stop when this one dies.
pub fn runner_that_ends_with_us(workspace: &Workspace) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).arg(program(workspace));
    command
}

fn program(workspace: &Workspace) -> PathBuf {
    workspace.target.join("debug/quorate-runner")
}

/// The run that is part of `cargo xtask test`: every fault that this system allows, for a short time, on the program
/// that the tests before have built.
pub fn short_run(workspace: &Workspace) -> Result<(), Error> {
    build_runner(workspace)?;
    let mut runner = runner_that_ends_with_us(workspace);
    runner.current_dir(&workspace.root).args(["--seconds", SECONDS_IN_TEST, "--program"]);
    runner
        .arg(workspace.target.join("debug/quorate"))
        .arg("--output")
        .arg(workspace.target.join("jepsen-test"));
    run_command(&mut runner)
}

/// Builds the runner and what belongs to it.
pub fn build_runner(workspace: &Workspace) -> Result<(), Error> {
    build(workspace, &PACKAGES)
}

fn build(workspace: &Workspace, packages: &[&str]) -> Result<(), Error> {
    let mut build = cargo(workspace);
    build.args(["build", "--quiet"]);
    for package in packages {
        build.args(["--package", package]);
    }
    run_command(&mut build)
}

/// Whether the arguments ask for a run of the product, and do not say where it is.
fn needs_product(arguments: &[OsString]) -> bool {
    let says = |options: &[&str]| {
        arguments.iter().filter_map(|argument| argument.to_str()).any(|argument| {
            let option = argument.split('=').next().unwrap_or(argument);
            options.contains(&option)
        })
    };
    let etcd = arguments.iter().any(|argument| argument == OsStr::new("etcd") || argument == "--target=etcd");
    !etcd && !says(&["--program", "--quorate", "--list", "--help", "-h"])
}

#[cfg(test)]
mod tests {
    use super::needs_product;

    fn needs(line: &str) -> bool {
        needs_product(&line.split_whitespace().map(Into::into).collect::<Vec<_>>())
    }

    #[test]
    fn the_product_is_built_when_nothing_else_is_tried() {
        assert!(needs(""));
        assert!(needs("--seconds 20 --nemesis kill"));
        assert!(!needs("--quorate other"));
        assert!(!needs("--program=other"));
        assert!(!needs("--target etcd") && !needs("--target=etcd"));
        assert!(!needs("--list") && !needs("--help"));
    }
}
