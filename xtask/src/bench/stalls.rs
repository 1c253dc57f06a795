//! `cargo xtask bench stalls`: the slowest request while a large store is compacted and makes a snapshot.
//!
//! Every key is written twice, so that compaction has as much to remove as it keeps. Then some clients put and
//! read at a steady rate, well below what the cluster can do, and what they see is told apart by the second: at
//! rest, while the store is compacted and what was given up is swept, and while all nodes make a snapshot. A
//! snapshot is due after so many bytes of log, so another client puts long values until it comes; what that alone
//! does is measured before.

mod phases;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::bench::cluster::{Cluster, System};
use crate::bench::gauges::gauge;
use crate::bench::goals::{Goal, Goals};
use crate::bench::http_probe::request;
use crate::bench::load::{Load, LoadGenerator, Operation};
use crate::bench::{bench_folder, build_quorate};
use crate::error::Error;
use crate::workspace::Workspace;
use phases::Phases;

/// The slowest request that is allowed.
const SLOWEST_MS_MAX: f64 = 50.0;
/// How long a phase is watched in which nothing is done.
const REST: Duration = Duration::from_secs(10);
/// How long a phase may take.
const PHASE_LIMIT: Duration = Duration::from_secs(180);
/// How many phases there are.
const PHASES: u32 = 4;
/// How often it is looked at.
const INTERVAL: Duration = Duration::from_millis(100);
/// The bytes of a long value.
const LONG_VALUE_BYTES: usize = 128 << 10;
/// Long values a second while a snapshot is waited for: 8 MiB.
const LONG_VALUES_PER_SECOND: f64 = 64.0;
/// Long values between two looks for a snapshot.
const LONG_VALUES_BETWEEN_LOOKS: usize = 16;
/// How long a write may take.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// How `cargo xtask bench stalls` is called.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many keys there are.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    keys: u64,
    /// The bytes of each value.
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    value_bytes: u64,
    /// How many clients there are.
    #[arg(long, value_name = "N", default_value_t = 32)]
    clients: u64,
    /// How many requests they send a second.
    #[arg(long, value_name = "N", default_value_t = 1000.0)]
    rate: f64,
    /// Measure this program instead of building ours.
    #[arg(long, value_name = "FILE")]
    quorate: Option<std::path::PathBuf>,
}

/// Loads the keys, measures, and prints the slowest request of each phase.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let system = System::Quorate(build_quorate(workspace, arguments.quorate.as_deref())?);
    let generator = LoadGenerator::build(workspace, false)?;
    let folder = bench_folder(workspace, "stalls");
    let cluster = Cluster::start(&system, &folder, 3)?;
    let load = Load {
        operation: Operation::Load,
        clients: 16,
        batch: 128,
        value_bytes: arguments.value_bytes,
        keys: arguments.keys,
        ..Load::default()
    };
    for _ in 0..2 {
        let report = generator.run(&cluster, &system, &load)?;
        println!("{} keys loaded in {:.1} s", report.operations, report.seconds);
    }
    let nodes = cluster.client_addresses();
    let writer = LongValues { address: nodes[0] };
    // With new snapshots on all nodes none will be due before the phase that is about them.
    let snapshots = Snapshots::of(&nodes)?;
    while !snapshots.are_newer_everywhere()? {
        writer.put()?;
    }
    std::thread::sleep(REST);

    let load = Load {
        operation: Operation::Mixed,
        clients: arguments.clients,
        rate: Some(arguments.rate),
        seconds: (PHASES * PHASE_LIMIT).as_secs_f64(),
        ..load
    };
    let running = generator.start(&cluster, &system, &load)?;
    let mut phases = Phases::default();
    watch(&mut phases, &nodes, &writer)?;
    let report = running.end()?;
    cluster.stop()?;
    std::fs::remove_dir_all(&folder).map_err(Error::file("removing", &folder))?;
    println!("{} requests, {:.0}/s, {} errors", report.operations, report.rate, report.errors);
    phases.print_seconds_above(SLOWEST_MS_MAX, &report);
    let mut goals = Goals::default();
    for (name, slowest_ms) in phases.slowest_ms(&report) {
        goals.add(format!("slowest request, {name}"), slowest_ms, "ms", Goal::AtMost(SLOWEST_MS_MAX));
    }
    goals.add("requests that failed", report.errors as f64, "", Goal::AtMost(0.0));
    goals.judge()
}

/// Goes through the phases while the clients are served.
fn watch(phases: &mut Phases, nodes: &[SocketAddr], writer: &LongValues) -> Result<(), Error> {
    // The clients need a moment to begin.
    std::thread::sleep(Duration::from_secs(3));
    phases.watch("at rest", || {
        std::thread::sleep(REST);
        Ok(())
    })?;
    phases.watch("while it is compacted and swept", || {
        let revision = gauge(nodes[0], "quorate_revision")?;
        compact(nodes[0], revision as u64)?;
        wait_until("everything is swept", || {
            let left = nodes.iter().map(|node| gauge(*node, "quorate_sweep_backlog"));
            Ok(left.sum::<Result<f64, Error>>()? == 0.0)
        })
    })?;
    phases.watch("with long values", || {
        let began = Instant::now();
        while began.elapsed() < REST {
            writer.put_at_pace()?;
        }
        Ok(())
    })?;
    phases.watch("with long values until all have made a snapshot", || {
        let snapshots = Snapshots::of(nodes)?;
        wait_until("all nodes have a new snapshot", || {
            (0..LONG_VALUES_BETWEEN_LOOKS).try_for_each(|_| writer.put_at_pace())?;
            snapshots.are_newer_everywhere()
        })
    })
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> Result<bool, Error>) -> Result<(), Error> {
    let began = Instant::now();
    while !is_so()? {
        if began.elapsed() > PHASE_LIMIT {
            return Err(Error::ChecksFailed(format!("not within {PHASE_LIMIT:?}: {what}")));
        }
        std::thread::sleep(INTERVAL);
    }
    Ok(())
}

fn compact(node: SocketAddr, revision: u64) -> Result<(), Error> {
    let answer = request(node, "POST", "/v1/compact", &format!("{{\"revision\":{revision}}}"), WRITE_LIMIT);
    match answer {
        Ok(answer) if answer.status == 200 => Ok(()),
        other => Err(Error::ChecksFailed(format!("compacting at {revision}: {other:?}"))),
    }
}

/// A client that puts long values.
struct LongValues {
    address: SocketAddr,
}

impl LongValues {
    fn put(&self) -> Result<(), Error> {
        let value = "v".repeat(LONG_VALUE_BYTES);
        match request(self.address, "PUT", "/v1/kv/long", &value, WRITE_LIMIT) {
            Ok(answer) if matches!(answer.status, 200 | 201) => Ok(()),
            other => Err(Error::ChecksFailed(format!("putting a long value: {other:?}"))),
        }
    }

    fn put_at_pace(&self) -> Result<(), Error> {
        let began = Instant::now();
        self.put()?;
        let interval = Duration::from_secs_f64(1.0 / LONG_VALUES_PER_SECOND);
        std::thread::sleep(interval.saturating_sub(began.elapsed()));
        Ok(())
    }
}

/// The newest snapshots that the nodes had.
struct Snapshots<'a> {
    nodes: &'a [SocketAddr],
    indices: Vec<f64>,
}

impl<'a> Snapshots<'a> {
    fn of(nodes: &'a [SocketAddr]) -> Result<Self, Error> {
        Ok(Self { nodes, indices: Self::indices(nodes)? })
    }

    fn indices(nodes: &[SocketAddr]) -> Result<Vec<f64>, Error> {
        nodes.iter().map(|node| gauge(*node, "quorate_raft_snapshot_index")).collect()
    }

    fn are_newer_everywhere(&self) -> Result<bool, Error> {
        let now = Self::indices(self.nodes)?;
        Ok(self.indices.iter().zip(now).all(|(before, now)| now > *before))
    }
}
