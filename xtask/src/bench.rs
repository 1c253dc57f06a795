//! `cargo xtask bench`: measure real processes on this machine.
//!
//! Every number that the project claims comes from one of these commands. Data lies below cargo's target
//! directory, on the disk that the repository is on: a number measured on a memory disk says nothing
//! about a store whose price is the flush.

mod addresses;
mod checker;
mod cluster;
mod failover;
mod gauges;
mod goals;
mod http_probe;
mod idle;
mod join;
mod large;
mod list;
mod listing;
mod load;
mod load_report;
mod machine;
mod memory_watch;
mod overload;
mod rolling;
mod spread;
mod stalls;
mod start;
mod store;
mod transfer;
mod usage;

use std::path::{Path, PathBuf};

use crate::cargo::{cargo, run as run_command};
use crate::error::Error;
use crate::workspace::Workspace;

/// How `cargo xtask bench` is called.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, clap::Subcommand)]
enum Bench {
    /// Puts, linearizable gets and ranges, and transactions of three processes, by themselves or against a peer.
    Store(store::Arguments),
    /// How long writes fail after the leader is killed.
    Failover(failover::Arguments),
    /// Memory and processor time of `quorate dev` that nobody uses.
    Idle(idle::Arguments),
    /// The checker of histories: time and memory, by itself or against Porcupine.
    Checker(checker::Arguments),
    /// How soon a node with many keys serves again.
    Start(start::Arguments),
    /// How long a node takes to join a cluster that holds much, and what clients notice.
    Join(join::Arguments),
    /// Rate of puts and memory with very many keys.
    Large(large::Arguments),
    /// Memory of a node that lists very many keys, to a fast reader and to a slow one.
    List(list::Arguments),
    /// The slowest request while a large store is compacted and makes a snapshot.
    Stalls(stalls::Arguments),
    /// Failed and slow requests while leadership is handed over on purpose, again and again.
    Transfer(transfer::Arguments),
    /// Failed requests while every node is stopped and started again, one after another.
    Rolling(rolling::Arguments),
    /// What is done and what is refused when there are more clients than a cluster can serve.
    Overload(overload::Arguments),
}

/// Runs one bench.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    match &arguments.bench {
        Bench::Store(arguments) => store::run(workspace, arguments),
        Bench::Failover(arguments) => failover::run(workspace, arguments),
        Bench::Idle(arguments) => idle::run(workspace, arguments),
        Bench::Checker(arguments) => checker::run(workspace, arguments),
        Bench::Start(arguments) => start::run(workspace, arguments),
        Bench::Join(arguments) => join::run(workspace, arguments),
        Bench::Large(arguments) => large::run(workspace, arguments),
        Bench::List(arguments) => list::run(workspace, arguments),
        Bench::Stalls(arguments) => stalls::run(workspace, arguments),
        Bench::Transfer(arguments) => transfer::run(workspace, arguments),
        Bench::Rolling(arguments) => rolling::run(workspace, arguments),
        Bench::Overload(arguments) => overload::run(workspace, arguments),
    }
}

/// The release build of our program, unless another is `given`.
fn build_quorate(workspace: &Workspace, given: Option<&Path>) -> Result<PathBuf, Error> {
    if let Some(program) = given {
        return Ok(program.to_owned());
    }
    run_command(cargo(workspace).args(["build", "--quiet", "--release", "--package", "quorate"]))?;
    Ok(workspace.target.join("release/quorate"))
}

/// Where a bench keeps its data.
fn bench_folder(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.target.join("bench").join(name)
}
