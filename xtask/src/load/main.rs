//! The load generator of `cargo xtask bench`: closed-loop clients against one store.
//!
//! A process of its own, so that what it costs is not counted as the store's; one thread, because it
//! shares the machine with what it measures. Each client sends one request, waits for the answer, and
//! sends the next. The client's side of both stores is kept as lean as their libraries allow.

mod client;
#[cfg(feature = "etcd")]
mod etcd;
mod generator;
mod http;
mod library;
mod measurement;
mod target;

#[path = "../bench/load_report.rs"]
mod load_report;
#[path = "../bench/usage.rs"]
mod usage;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::generator::LoadError;
use crate::target::TargetKind;

/// Closed-loop clients against one store.
#[derive(Debug, Parser)]
#[command(name = "quorate-load")]
pub struct Arguments {
    /// What kind of store.
    #[arg(long)]
    target: TargetKind,
    /// Where the store listens, HOST:PORT, or for a library that chooses by itself HOST:PORT,HOST:PORT. Clients are
    /// spread over all of them in turn.
    #[arg(long = "endpoint", required = true)]
    endpoints: Vec<String>,
    /// What the clients do.
    #[arg(long)]
    operation: Operation,
    /// How many clients.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    clients: u64,
    /// How many connections the clients share; by default each has its own. HTTP/1.1 cannot share.
    #[arg(long)]
    connections: Option<u64>,
    /// How long to run before measuring.
    #[arg(long, default_value_t = 1.0)]
    warm_up_seconds: f64,
    /// How long to measure.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// The bytes of each value.
    #[arg(long, default_value_t = 256)]
    value_bytes: usize,
    /// How many keys there are.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// The number of the first of them.
    #[arg(long, default_value_t = 0)]
    first_key: u64,
    /// What keys begin with; ten digits follow.
    #[arg(long, default_value = "bench-")]
    key_prefix: String,
    /// How many keys are loaded by one request; more than one go into a transaction.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    batch: u64,
    /// How many operations all clients together send a second, if the store keeps up; as many as they can, if it
    /// is not said. An operation takes its time from when it was to be sent, so that one that is slow counts for
    /// all that wait behind it.
    #[arg(long)]
    rate: Option<f64>,
    /// End early when the standard input ends.
    #[arg(long)]
    until_input_ends: bool,
    /// Try again soon after a refusal, instead of waiting as long as the store asks for.
    #[arg(long)]
    impatient: bool,
}

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    /// Put a random key, again and again.
    Put,
    /// Read a random key that exists, linearizably, again and again.
    Get,
    /// Read a random hundred of neighbouring keys, linearizably, again and again.
    Range,
    /// Put a random key if it has a revision, in a transaction, again and again.
    Transaction,
    /// Put and read random keys in turns, again and again.
    Mixed,
    /// Put every key once and end.
    Load,
}

impl Arguments {
    fn warm_up(&self) -> Duration {
        Duration::from_secs_f64(self.warm_up_seconds)
    }

    fn measured(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("quorate-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<String, LoadError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LoadError::Runtime)?;
    let report = runtime.block_on(generator::generate(arguments))?;
    serde_json::to_string(&report).map_err(LoadError::Report)
}
