//! `cargo xtask jepsen`: the checker of histories and the runner that makes them, built when they are needed.
//!
//! What follows `run` goes to the runner, all else but `prove` and `stop` to the checker, as it is. Their exit code is ours: a
//! script can tell a violation from a limit and from bad input.

mod prove;
pub mod runner;
pub mod stop;

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use crate::cargo::{cargo, describe, run as run_command};
use crate::error::Error;
use crate::workspace::Workspace;

/// What cargo exits with when it cannot build. The checker itself never does.
const NOT_BUILT: u8 = 101;

/// How `cargo xtask jepsen` is called.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub struct Arguments {
    /// `run` and arguments of the runner, such as `run --seconds 60`; `prove`, which shows that the runner convicts
    /// bugs; `stop`, which shows that a run that is told to stop leaves nothing behind; or arguments of the checker,
    /// such as `check history.edn`. `run --help` and `--help` tell them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Builds the checker and runs it in the current folder.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> ExitCode {
    let code = match arguments.arguments.split_first() {
        Some((first, rest)) if first == "run" => Err(runner::become_runner(workspace, rest)),
        Some((first, [])) if first == "prove" => prove::exit_code(workspace),
        Some((first, [])) if first == "stop" => stop::build_and_check(workspace).map(|()| ExitCode::SUCCESS),
        _ => checker_exit_code(workspace, arguments),
    };
    match code {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::from(NOT_BUILT)
        }
    }
}

fn checker_exit_code(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode, Error> {
    let mut build = cargo(workspace);
    build.args(["build", "--quiet", "--release", "--package", "quorate-jepsen", "--features", "cli"]);
    run_command(&mut build)?;
    let mut checker = Command::new(workspace.target.join("release/quorate-jepsen"));
    checker.args(&arguments.arguments);
    exit_code_of(&mut checker)
}

/// Runs a program and gives what it ended with.
fn exit_code_of(command: &mut Command) -> Result<ExitCode, Error> {
    let program = describe(command);
    let status = command.status().map_err(|source| Error::Start { program: program.clone(), source })?;
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) => Ok(ExitCode::from(code)),
        None => Err(Error::Failed { program, status }),
    }
}
