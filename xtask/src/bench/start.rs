//! `cargo xtask bench start`: how soon a node with many keys serves again.

use std::time::{Duration, Instant};

use crate::bench::cluster::{Cluster, System};
use crate::bench::http_probe::request;
use crate::bench::load::{Load, LoadGenerator, Operation};
use crate::bench::spread::Spread;
use crate::bench::{bench_folder, build_quorate};
use crate::error::Error;
use crate::workspace::Workspace;

/// The first of the keys that the load generator loads.
const LOADED_KEY_PATH: &str = "/v1/kv/bench-0000000000";
/// How long the first read after a start may take.
const READ_LIMIT: Duration = Duration::from_secs(5);

/// How `cargo xtask bench start` is called.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many keys there are.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    keys: u64,
    /// The bytes of each value.
    #[arg(long, value_name = "BYTES", default_value_t = 16)]
    value_bytes: u64,
    /// How many clients load them.
    #[arg(long, value_name = "N", default_value_t = 256)]
    clients: u64,
    /// How many members the cluster has.
    #[arg(long, value_name = "N", default_value_t = 3)]
    members: usize,
    /// How often each way of stopping is tried.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: u64,
    /// Measure this program instead of building ours.
    #[arg(long, value_name = "FILE")]
    quorate: Option<std::path::PathBuf>,
}

/// How a node is stopped before it is started again.
#[derive(Clone, Copy, Debug)]
enum Stop {
    /// Asked to end.
    Terminate,
    /// Killed.
    Kill,
}

/// Loads the keys, then stops and starts nodes and prints how long they took to serve.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let system = System::Quorate(build_quorate(workspace, arguments.quorate.as_deref())?);
    let generator = LoadGenerator::build(workspace, false)?;
    let folder = bench_folder(workspace, "start");
    let mut cluster = Cluster::start(&system, &folder, arguments.members)?;
    let load = Load {
        operation: Operation::Load,
        clients: arguments.clients,
        value_bytes: arguments.value_bytes,
        keys: arguments.keys,
        ..Load::default()
    };
    let report = generator.run(&cluster, &system, &load)?;
    println!("{} keys loaded in {:.1} s ({:.0}/s)", report.operations, report.seconds, report.rate);
    let resident_kib = cluster.resident_kib()?;
    println!("resident after loading: {} MiB", mebibytes(&resident_kib));

    for stop in [Stop::Terminate, Stop::Kill] {
        let mut one_ms = Vec::new();
        let mut all_ms = Vec::new();
        for round in 0..arguments.rounds {
            let index = round as usize % cluster.size();
            one_ms.push(restart(&mut cluster, &[index], stop)?.as_secs_f64() * 1000.0);
            let everyone: Vec<usize> = (0..cluster.size()).collect();
            all_ms.push(restart(&mut cluster, &everyone, stop)?.as_secs_f64() * 1000.0);
        }
        let (one, all): (Spread, Spread) = (one_ms.into_iter().collect(), all_ms.into_iter().collect());
        let how = match stop {
            Stop::Terminate => "SIGTERM",
            Stop::Kill => "kill -9",
        };
        println!(
            "after {how}, from start to the first linearizable read: one node {one:.0} ms; all nodes, until each has answered {all:.0} ms"
        );
    }
    let resident_kib = cluster.resident_kib()?;
    println!("resident after restarts: {} MiB", mebibytes(&resident_kib));
    cluster.stop()?;
    std::fs::remove_dir_all(&folder).map_err(Error::file("removing", &folder))
}

/// Stops the members, starts them again, and gives the time from the start until each has answered a
/// linearizable read of a key that was loaded.
fn restart(cluster: &mut Cluster, indices: &[usize], stop: Stop) -> Result<Duration, Error> {
    for &index in indices {
        match stop {
            Stop::Terminate => cluster.terminate(index)?,
            Stop::Kill => {
                cluster.kill(index)?;
            }
        }
    }
    let started = Instant::now();
    indices.iter().try_for_each(|&index| cluster.spawn(index))?;
    for &index in indices {
        cluster.wait_ready(index)?;
        let address = cluster.client_addresses()[index];
        let answer = request(address, "GET", LOADED_KEY_PATH, "", READ_LIMIT);
        if !answer.as_ref().is_ok_and(|answer| answer.status == 200) {
            return Err(Error::ChecksFailed(format!(
                "a node said that it is ready and then answered {answer:?}"
            )));
        }
    }
    Ok(started.elapsed())
}

fn mebibytes(kib: &[u64]) -> String {
    kib.iter().map(|kib| (kib / 1024).to_string()).collect::<Vec<_>>().join(", ")
}
