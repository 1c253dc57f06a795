//! The project's automation behind one command: `cargo xtask`.
//!
//! Everything that a contributor or a machine does to this repository besides editing it is a
//! subcommand here, written in the language of the project and tested like the rest of it. The
//! default build imports few crates and none of ours, so that the first `cargo xtask` on a fresh
//! machine starts soon; the load generator with its clients is built only by `cargo xtask bench`.

mod bench;
mod cargo;
mod docs;
mod docs_test;
mod error;
mod jepsen;
mod package;
mod process;
mod sim;
mod steps;
mod tidy;
mod verify;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Error;
use crate::workspace::Workspace;

/// The project's automation.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lint the repository: the import table, the bans and the layout.
    Tidy,
    /// Run every test: tidy, unit, property and end-to-end tests, then the simulator.
    Test,
    /// Everything `test` runs, then formatting, clippy and documentation. Checks, never rewrites.
    Ci,
    /// Run whole clusters under a deterministic simulation, one process a seed.
    Sim(sim::Arguments),
    /// Check histories of concurrent clients, of this store or any other; `run` makes them, with real processes under
    /// real faults.
    Jepsen(jepsen::Arguments),
    /// Make one site of all pages, with every link checked.
    Docs(docs::Arguments),
    /// Run the commands of the documents on real processes, and compare what they print.
    DocsTest(docs_test::Arguments),
    /// Make a Debian package, with manual pages and completions. Needs cargo-deb.
    Package(package::Arguments),
    /// Measure.
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode, Error> {
    let workspace = Workspace::find()?;
    match arguments.command {
        Command::Tidy => tidy::run(&workspace)?,
        Command::Test => verify::test(&workspace)?,
        Command::Ci => verify::ci(&workspace)?,
        Command::Sim(arguments) => sim::run(&workspace, &arguments)?,
        // Its exit codes are verdicts.
        Command::Jepsen(arguments) => return Ok(jepsen::run(&workspace, &arguments)),
        Command::Docs(arguments) => docs::run(&workspace, &arguments)?,
        Command::DocsTest(arguments) => docs_test::run(&workspace, &arguments)?,
        Command::Package(arguments) => package::run(&workspace, &arguments)?,
        Command::Bench(arguments) => bench::run(&workspace, &arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}
