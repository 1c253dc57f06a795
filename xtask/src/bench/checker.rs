//! `cargo xtask bench checker`: how fast the checker of histories is, and how much memory it takes.
//!
//! Each row is a process of its own, so that its memory is its own, and its time is the best of a few rounds
//! on a machine that does nothing else. Histories come from our generator; the same row is the same history
//! everywhere. With `--porcupine`, the same histories are written to files and checked by Porcupine, through
//! a small Go program, and the ratio of the times is shown.

mod porcupine;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cargo::{cargo, run as run_command};
use crate::error::Error;
use crate::workspace::Workspace;
use porcupine::Porcupine;

/// How `cargo xtask bench checker` is called.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many rounds each row takes; the best counts.
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// How many threads check keys.
    #[arg(long, value_name = "N", default_value_t = 2)]
    threads: usize,
    /// Check the same histories with the Porcupine in this folder.
    #[arg(long, value_name = "DIR")]
    porcupine: Option<PathBuf>,
    /// The Go program that builds it.
    #[arg(long, value_name = "GO", default_value = "go")]
    go: PathBuf,
    /// How long Porcupine may take for one history.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    porcupine_seconds: u64,
    /// Measure this many times fewer operations, for a quick look.
    #[arg(long, value_name = "N", default_value_t = 1)]
    divide: u64,
}

/// A generated history: what is measured, and what is wanted of it.
struct Row {
    name: &'static str,
    operations: u64,
    clients: u64,
    keys: u64,
    values: &'static str,
    unknown_percent: u64,
    refused_percent: u64,
    is_stale: bool,
    reach_milliseconds: f64,
    reach_mib: u64,
}

impl Row {
    const fn unique(name: &'static str, operations: u64, clients: u64, keys: u64, reach: f64) -> Self {
        Self {
            name,
            operations,
            clients,
            keys,
            values: "unique",
            unknown_percent: 5,
            refused_percent: 0,
            is_stale: false,
            reach_milliseconds: reach,
            reach_mib: 1024,
        }
    }

    const fn stale(self) -> Self {
        Self { is_stale: true, ..self }
    }
}

/// The rows of the table. The three of 100 keys show the cost of an operation as histories grow.
const ROWS: [Row; 9] = [
    Row::unique("10^6 operations, 50 clients, 1 key, unknown outcomes", 1_000_000, 50, 1, 300.0),
    Row::unique("  the same with one stale read", 1_000_000, 50, 1, 300.0).stale(),
    Row::unique("10^5 operations, 100 keys", 100_000, 50, 100, 200.0),
    Row::unique("10^6 operations, 100 keys", 1_000_000, 50, 100, 200.0),
    Row { reach_mib: 8192, ..Row::unique("10^7 operations, 100 keys", 10_000_000, 50, 100, 4_000.0) },
    Row {
        values: "5",
        unknown_percent: 0,
        reach_mib: 500,
        ..Row::unique("5,000 operations, values 0 to 4, 20 clients", 5_000, 20, 1, 500.0)
    },
    Row {
        values: "5",
        unknown_percent: 0,
        reach_mib: 500,
        ..Row::unique("  the same with one stale read", 5_000, 20, 1, 500.0).stale()
    },
    Row {
        unknown_percent: 0,
        refused_percent: 10,
        ..Row::unique("10^5 operations, 20 clients, refused compare-and-sets", 100_000, 20, 1, 3_000.0)
    },
    Row {
        unknown_percent: 0,
        refused_percent: 10,
        ..Row::unique("  the same with one stale read", 100_000, 20, 1, 3_000.0).stale()
    },
];

/// Milliseconds that the slowest published history may take.
const REACH_SAMPLE_MILLISECONDS: f64 = 5.0;
/// Megabytes of EDN that are to be read in a second.
const REACH_PARSE: f64 = 150.0;

/// What one process printed.
struct Measured {
    verdict: String,
    milliseconds: f64,
    mib: u64,
    megabytes: Option<f64>,
}

/// Measures and prints the table.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let package = ["--package", "quorate-jepsen", "--example", "checker_bench"];
    run_command(cargo(workspace).args(["build", "--quiet", "--release"]).args(package))?;
    let program = workspace.target.join("release/examples/checker_bench");
    let porcupine = match &arguments.porcupine {
        Some(folder) => Some(Porcupine::build(&arguments.go, folder, arguments.porcupine_seconds)?),
        None => None,
    };
    println!(
        "best of {} rounds, {} threads; times without making or reading",
        arguments.rounds, arguments.threads
    );

    let rounds = arguments.rounds.to_string();
    let samples = workspace.root.join("jepsen/tests/data");
    let measured = measure(&program, &["samples".into(), samples.display().to_string(), rounds.clone()])?;
    print_row("the slowest published history", &measured, REACH_SAMPLE_MILLISECONDS, 1024, None);
    for row in &ROWS {
        let recipe = recipe(row, arguments.divide);
        let mut words = vec!["check".to_owned()];
        words.extend(recipe.iter().cloned());
        words.extend([arguments.threads.to_string(), rounds.clone()]);
        let measured = measure(&program, &words)?;
        let peer = porcupine.as_ref().map(|porcupine| porcupine.check(&program, &recipe)).transpose()?;
        let peer = peer.map(|peer| peer.compared_with(measured.milliseconds));
        print_row(row.name, &measured, row.reach_milliseconds, row.reach_mib, peer);
        let operations = row.operations / arguments.divide;
        println!("{:>62} {:.1} ns an operation", "", measured.milliseconds * 1e6 / operations as f64);
    }
    let mut words = vec!["parse".to_owned()];
    words.extend(recipe(&ROWS[3], arguments.divide));
    words.push(rounds);
    let measured = measure(&program, &words)?;
    let rate = measured.megabytes.unwrap_or(0.0) / (measured.milliseconds / 1000.0);
    println!("{:60} {rate:8.0} MB/s (reach {REACH_PARSE:.0} MB/s)", "reading EDN");
    if porcupine.is_none() {
        println!("Porcupine was not run: --porcupine DIR --go GO compares with it.");
    }
    Ok(())
}

/// The recipe of a row as words of `checker_bench`.
fn recipe(row: &Row, divide: u64) -> Vec<String> {
    vec![
        (row.operations / divide).to_string(),
        row.clients.to_string(),
        row.keys.to_string(),
        row.values.to_owned(),
        row.unknown_percent.to_string(),
        row.refused_percent.to_string(),
        if row.is_stale { "stale" } else { "valid" }.to_owned(),
    ]
}

fn measure(program: &Path, words: &[String]) -> Result<Measured, Error> {
    let name = "checker_bench".to_owned();
    let output = Command::new(program)
        .args(words)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| Error::Start { program: name.clone(), source })?;
    if !output.status.success() {
        return Err(Error::Failed { program: name, status: output.status });
    }
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    parse(&line).ok_or(Error::Malformed { what: name, reason: format!("it printed {line:?}") })
}

fn parse(line: &str) -> Option<Measured> {
    let mut words = line.split_whitespace();
    let verdict = words.next()?.to_owned();
    let milliseconds = words.next()?.parse().ok()?;
    let _median: f64 = words.next()?.parse().ok()?;
    let mib = words.next()?.parse().ok()?;
    let megabytes = words.next().map(str::parse).transpose().ok()?;
    Some(Measured { verdict, milliseconds, mib, megabytes })
}

fn print_row(name: &str, measured: &Measured, reach: f64, reach_mib: u64, peer: Option<String>) {
    let is_reached = measured.milliseconds <= reach && measured.mib <= reach_mib;
    println!(
        "{name:60} {:>9.1} ms {:>5} MiB  {:17} (reach {reach:.0} ms, {reach_mib} MiB){}{}",
        measured.milliseconds,
        measured.mib,
        measured.verdict,
        if is_reached { "" } else { "  MISSED" },
        peer.map_or(String::new(), |peer| format!("  | {peer}")),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_measuring_program_is_understood() {
        let measured = parse("linearizable 12.500 13.000 80\n").expect("a measurement");
        assert_eq!(
            (measured.verdict.as_str(), measured.milliseconds, measured.mib),
            ("linearizable", 12.5, 80)
        );
        assert_eq!(parse("read 1.0 1.0 3 75.5").and_then(|measured| measured.megabytes), Some(75.5));
        assert!(parse("killed").is_none());
    }
}
