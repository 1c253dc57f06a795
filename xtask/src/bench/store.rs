//! `cargo xtask bench store`: puts, linearizable gets and ranges, and transactions, ours against a peer's.
//!
//! **In turns.** For each number of clients and each round, ours and the peer's take their turn (A B A B):
//! a fresh cluster of three processes with empty directories is started, keys are loaded, puts, gets,
//! transactions and ranges are measured one after the other, and the cluster is stopped. So only one store runs at a time: an idle cluster would
//! take processor time for its heartbeats from the one that is measured, and a stopped (SIGSTOP) one
//! would wake up with its elections overdue. The price is that no store is ever measured old; the
//! benefit is that both are measured equally young, and that a slow minute of the machine meets both.
//!
//! **Equal terms.** The same numbers of clients, spread over all three members in the same way, the same
//! keys and bytes, default settings on both sides, one generator process with one thread. The generator
//! shares the machine, and etcd's gRPC client costs more than our HTTP one; `generator` in the output is
//! the share of a core that it used, so that one sees how much of a difference that can make. Our clients
//! have a connection each. etcd's share one a member, as the clients of one program usually do over gRPC:
//! measured, that gave etcd up to twice the rate of a connection each, which `--etcd-connections` shows.
//!
//! **Transactions and ranges.** A transaction compares the revision of a key and puts it. A range is a hundred
//! keys with values of 100 bytes under one prefix. Our client counts the items of the answer and does not read
//! the JSON any further; etcd's decodes its messages, as it cannot help doing.
//!
//! **A quiet machine.** `others` is the processor time that neither members nor generator used: the kernel's
//! own work, and whatever else runs. Where it is more than a tenth of a core, measure again.

use std::time::Instant;

use crate::bench::cluster::{Cluster, System};
use crate::bench::goals::{Goal, Goals};
use crate::bench::load::{Load, LoadGenerator, Operation};
use crate::bench::load_report::LoadReport;
use crate::bench::machine::busy_seconds;
use crate::bench::spread::Spread;
use crate::bench::{bench_folder, build_quorate};
use crate::error::Error;
use crate::workspace::Workspace;

/// Clients that load the keys before a measurement.
const LOADING_CLIENTS: u64 = 64;
/// Members of each cluster.
const MEMBERS: usize = 3;

/// The bytes of each value in a range.
const RANGE_VALUE_BYTES: u64 = 100;
/// The keys of ranges are others.
const RANGE_KEY_PREFIX: &str = "range-";
/// At how many clients ours has to be how many times as fast as the peer, in what.
const GOAL_CLIENTS: u64 = 64;
const GOAL_RATIO: f64 = 2.0;
const GOAL_OPERATIONS: [Operation; 2] = [Operation::Range, Operation::Transaction];

/// How `cargo xtask bench store` is called.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Measure this store too, in turns with ours.
    #[arg(long, value_name = "etcd=PATH", value_parser = parse_peer)]
    peer: Option<System>,
    /// Measure only the peer.
    #[arg(long, requires = "peer")]
    only_peer: bool,
    /// How many clients at once.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,64,256")]
    clients: Vec<u64>,
    /// What is measured.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_value = "put,get,transaction,range")]
    #[arg(value_parser = parse_operation)]
    operations: Vec<Operation>,
    /// How long each measurement takes, after a second of warming up.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    seconds: f64,
    /// How many turns each store gets for each number of clients.
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: u64,
    /// The bytes of each value.
    #[arg(long, value_name = "BYTES", default_value_t = 256)]
    value_bytes: u64,
    /// How many keys there are.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    keys: u64,
    /// How many connections etcd's clients share. The default, one a member, is the best for etcd.
    #[arg(long, value_name = "N", default_value_t = MEMBERS as u64)]
    etcd_connections: u64,
    /// Send every request to the leader instead of to all members in turn.
    #[arg(long)]
    at_leader: bool,
    /// Measure this program instead of building ours.
    #[arg(long, value_name = "FILE")]
    quorate: Option<std::path::PathBuf>,
}

/// Reads `etcd=PATH`.
fn parse_peer(text: &str) -> Result<System, String> {
    match text.split_once('=') {
        Some(("etcd", path)) if !path.is_empty() => Ok(System::Etcd(path.into())),
        _ => Err("the one peer that can be measured is etcd: --peer etcd=/usr/bin/etcd".to_owned()),
    }
}

/// Reads the name of an operation that is measured.
fn parse_operation(text: &str) -> Result<Operation, String> {
    [Operation::Put, Operation::Get, Operation::Transaction, Operation::Range]
        .into_iter()
        .find(|operation| operation.name() == text)
        .ok_or_else(|| "put, get, transaction and range can be measured".to_owned())
}

/// One measurement.
struct Cell {
    system: &'static str,
    operation: Operation,
    clients: u64,
    round: u64,
    report: LoadReport,
}

/// Measures and prints a line for each measurement and a table of them all.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let mut systems = Vec::new();
    if !arguments.only_peer {
        systems.push(System::Quorate(build_quorate(workspace, arguments.quorate.as_deref())?));
    }
    systems.extend(arguments.peer.clone());
    let generator = LoadGenerator::build(workspace, arguments.peer.is_some())?;

    let mut cells = Vec::new();
    for &clients in &arguments.clients {
        for round in 1..=arguments.rounds {
            for system in &systems {
                take_turn(workspace, arguments, &generator, system, clients, round, &mut cells)?;
            }
        }
    }
    print_table(arguments, &systems, &cells);
    let errors: u64 = cells.iter().map(|cell| cell.report.errors + cell.report.refusals).sum();
    if errors > 0 {
        return Err(Error::ChecksFailed(format!("{errors} requests failed, so the numbers say little")));
    }
    let mut goals = Goals::default();
    if let [ours, theirs] = systems.as_slice() {
        for operation in GOAL_OPERATIONS {
            let ratios = ratios(&cells, ours, theirs, operation, GOAL_CLIENTS);
            if ratios != Spread::default() {
                let what = format!("{} of {GOAL_CLIENTS} clients, of the peer's rate", operation.name());
                goals.add(what, ratios.median(), "times", Goal::AtLeast(GOAL_RATIO));
            }
        }
    }
    goals.judge()
}

/// How many times as fast ours was, round by round.
fn ratios(cells: &[Cell], ours: &System, theirs: &System, operation: Operation, clients: u64) -> Spread {
    let of_system = |system: &System| {
        let name = system.name();
        cells
            .iter()
            .filter(move |cell| cell.system == name && cell.operation == operation && cell.clients == clients)
    };
    let in_same_round = |cell: &Cell| {
        of_system(theirs).find(|other| other.round == cell.round).map(|other| other.report.rate)
    };
    of_system(ours).filter_map(|cell| Some(cell.report.rate / in_same_round(cell)?)).collect()
}

fn take_turn(
    workspace: &Workspace,
    arguments: &Arguments,
    generator: &LoadGenerator,
    system: &System,
    clients: u64,
    round: u64,
    cells: &mut Vec<Cell>,
) -> Result<(), Error> {
    let folder = bench_folder(workspace, system.name());
    let cluster = Cluster::start(system, &folder, MEMBERS)?;
    let load = |operation, clients| Load {
        operation,
        clients,
        connections: matches!(system, System::Etcd(_)).then_some(arguments.etcd_connections),
        seconds: arguments.seconds,
        value_bytes: arguments.value_bytes,
        keys: arguments.keys,
        at_leader: arguments.at_leader,
        ..Load::default()
    };
    let of_range = |load| Load { value_bytes: RANGE_VALUE_BYTES, key_prefix: RANGE_KEY_PREFIX, ..load };
    generator.run(&cluster, system, &load(Operation::Load, LOADING_CLIENTS))?;
    if arguments.operations.contains(&Operation::Range) {
        generator.run(&cluster, system, &of_range(load(Operation::Load, LOADING_CLIENTS)))?;
    }
    for &operation in &arguments.operations {
        let load = load(operation, clients);
        let load = if operation == Operation::Range { of_range(load) } else { load };
        let (began, members_before, machine_before) =
            (Instant::now(), cluster.cpu_seconds()?, busy_seconds()?);
        let report = generator.run(&cluster, system, &load)?;
        let elapsed = began.elapsed().as_secs_f64();
        let members = (cluster.cpu_seconds()? - members_before) / elapsed;
        let generator = report.generator_cpu_seconds / report.seconds;
        let others = (busy_seconds()? - machine_before) / elapsed - members - generator;
        println!(
            "{:7} {:11} {clients:>4} clients round {round}: {:>8.0}/s, p50 {} p99 {} p99.9 {} max {} ms; \
             cores: members {members:.2} generator {generator:.2} others {:.2}{}",
            system.name(),
            operation.name(),
            report.rate,
            milliseconds(report.p50_us),
            milliseconds(report.p99_us),
            milliseconds(report.p999_us),
            milliseconds(report.max_us),
            others.max(0.0),
            report
                .first_error
                .as_ref()
                .map_or(String::new(), |error| format!("; {} ERRORS such as: {error}", report.errors)),
        );
        cells.push(Cell { system: system.name(), operation, clients, round, report });
    }
    cluster.stop()?;
    std::fs::remove_dir_all(&folder).map_err(Error::file("removing", &folder))
}

fn milliseconds(microseconds: u64) -> String {
    format!("{:.2}", microseconds as f64 / 1000.0)
}

fn print_table(arguments: &Arguments, systems: &[System], cells: &[Cell]) {
    println!(
        "\nmedian (min..max) of {} rounds of {} s; {}-byte values, {} keys, three members on this machine, {}",
        arguments.rounds,
        arguments.seconds,
        arguments.value_bytes,
        arguments.keys,
        if arguments.at_leader { "clients at the leader" } else { "clients at all members" },
    );
    for &operation in &arguments.operations {
        for &clients in &arguments.clients {
            let of_system = |system: &System| {
                let name = system.name();
                cells.iter().filter(move |cell| {
                    cell.system == name && cell.operation == operation && cell.clients == clients
                })
            };
            print!("{:11} {clients:>4} clients", operation.name());
            for system in systems {
                let rates: Spread = of_system(system).map(|cell| cell.report.rate).collect();
                let p50_ms: Spread =
                    of_system(system).map(|cell| cell.report.p50_us as f64 / 1000.0).collect();
                let p99_ms: Spread =
                    of_system(system).map(|cell| cell.report.p99_us as f64 / 1000.0).collect();
                print!(
                    "  | {} {rates:.0}/s, p50 {:.2} p99 {:.2} ms",
                    system.name(),
                    p50_ms.median(),
                    p99_ms.median()
                );
            }
            if let [ours, theirs] = systems {
                let ratios = ratios(cells, ours, theirs, operation, clients);
                print!("  | ratio {ratios:.2}");
            }
            println!();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_has_a_name() {
        assert_eq!(parse_operation("range"), Ok(Operation::Range));
        parse_operation("load").expect_err("loading is no measurement");
    }

    #[test]
    fn a_peer_is_named_with_its_program() {
        assert!(matches!(parse_peer("etcd=/usr/bin/etcd"), Ok(System::Etcd(path)) if path.ends_with("etcd")));
        for text in ["etcd", "etcd=", "consul=/usr/bin/consul"] {
            parse_peer(text).expect_err(text);
        }
    }
}
