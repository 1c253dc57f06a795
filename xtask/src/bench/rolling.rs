//! `cargo xtask bench rolling`: every node is stopped and started again, one after another, under load of
//! clients that use the client library.

use std::time::{Duration, Instant};

use crate::bench::cluster::{Cluster, System};
use crate::bench::goals::{Goal, Goals};
use crate::bench::load::{Load, LoadGenerator, Operation};
use crate::bench::{bench_folder, build_quorate};
use crate::error::Error;
use crate::workspace::Workspace;

/// How long clients work before the first node is stopped, and after each that has come back.
const REST: Duration = Duration::from_secs(2);

/// How `cargo xtask bench rolling` is called.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many times all nodes are restarted.
    #[arg(long, value_name = "N", default_value_t = 1)]
    rounds: u64,
    /// How many clients there are.
    #[arg(long, value_name = "N", default_value_t = 64)]
    clients: u64,
    /// How many requests they send a second; as many as they can, if it is not said.
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Measure this program instead of building ours.
    #[arg(long, value_name = "FILE")]
    quorate: Option<std::path::PathBuf>,
}

/// Restarts all nodes while clients put and read, and prints what they saw of it.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let system = System::Quorate(build_quorate(workspace, arguments.quorate.as_deref())?);
    let generator = LoadGenerator::build(workspace, false)?;
    let folder = bench_folder(workspace, "rolling");
    let mut cluster = Cluster::start(&system, &folder, 3)?;
    let load = Load { operation: Operation::Load, ..Load::default() };
    generator.run(&cluster, &system, &load)?;

    let load = Load {
        operation: Operation::Mixed,
        clients: arguments.clients,
        rate: arguments.rate,
        by_client_library: true,
        seconds: 600.0,
        ..load
    };
    let running = generator.start(&cluster, &system, &load)?;
    std::thread::sleep(REST);
    for _ in 0..arguments.rounds {
        for index in 0..cluster.size() {
            let is_leader = cluster.leader()? == index;
            let began = Instant::now();
            cluster.terminate(index)?;
            let stopped = began.elapsed();
            cluster.spawn(index)?;
            cluster.wait_ready(index)?;
            println!(
                "member {} {} stopped in {:.2} s and serves again after {:.2} s",
                index + 1,
                if is_leader { "(the leader)" } else { "(a follower)" },
                stopped.as_secs_f64(),
                began.elapsed().as_secs_f64()
            );
            std::thread::sleep(REST);
        }
    }
    let report = running.end()?;
    cluster.stop()?;
    std::fs::remove_dir_all(&folder).map_err(Error::file("removing", &folder))?;

    let in_ms = |us: u64| us as f64 / 1000.0;
    println!(
        "\n{} requests, {:.0}/s, {:.1} ms half of them, {:.1} ms 99 %, {:.1} ms the slowest",
        report.operations,
        report.rate,
        in_ms(report.p50_us),
        in_ms(report.p99_us),
        in_ms(report.max_us)
    );
    if let Some(error) = &report.first_error {
        println!("the first failure: {error}");
    }
    let mut goals = Goals::default();
    goals.add("requests that failed", (report.errors + report.refusals) as f64, "", Goal::AtMost(0.0));
    goals.judge()
}
