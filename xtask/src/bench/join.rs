//! `cargo xtask bench join`: a node joins a cluster that holds much, while clients go on.
//!
//! The rate of the clients is measured before the node comes, from its start until it has its vote, and after.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bench::cluster::{Cluster, System};
use crate::bench::goals::{Goal, Goals};
use crate::bench::http_probe::request;
use crate::bench::load::{Load, LoadGenerator, Operation};
use crate::bench::load_report::LoadReport;
use crate::bench::{bench_folder, build_quorate};
use crate::error::Error;
use crate::workspace::Workspace;

/// How long joining may take, in seconds.
const JOIN_SECONDS_MAX: f64 = 15.0;
/// What clients may lose of their rate meanwhile: they keep so much of it.
const RATE_RATIO_MIN: f64 = 0.7;
/// When it is given up.
const JOIN_LIMIT: Duration = Duration::from_secs(180);
/// How often the members are asked for.
const INTERVAL: Duration = Duration::from_millis(20);
/// How long a question may take.
const PROBE_LIMIT: Duration = Duration::from_secs(2);
/// How long disks get to settle before something is measured.
const REST: Duration = Duration::from_secs(5);

/// How `cargo xtask bench join` is called.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How much the cluster holds, in MiB of values.
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    mebibytes: u64,
    /// The bytes of each value.
    #[arg(long, value_name = "BYTES", default_value_t = 4096)]
    value_bytes: u64,
    /// How many clients put and read meanwhile.
    #[arg(long, value_name = "N", default_value_t = 64)]
    clients: u64,
    /// How long the rate is measured before and after, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    seconds: f64,
    /// Measure this program instead of building ours.
    #[arg(long, value_name = "FILE")]
    quorate: Option<std::path::PathBuf>,
}

/// Loads a cluster, lets a node join, and prints how long that took and what clients noticed.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let system = System::Quorate(build_quorate(workspace, arguments.quorate.as_deref())?);
    let generator = LoadGenerator::build(workspace, false)?;
    let folder = bench_folder(workspace, "join");
    let mut cluster = Cluster::start(&system, &folder, 3)?;
    let load = Load {
        operation: Operation::Load,
        clients: 8,
        batch: 32,
        value_bytes: arguments.value_bytes,
        keys: (arguments.mebibytes << 20) / arguments.value_bytes,
        ..Load::default()
    };
    let report = generator.run(&cluster, &system, &load)?;
    println!("{} keys loaded in {:.1} s", report.operations, report.seconds);
    // Keys of their own, with small values: what is measured is the cluster, not how fast it grows.
    let load = Load { operation: Operation::Load, key_prefix: "small-", batch: 128, ..Load::default() };
    generator.run(&cluster, &system, &load)?;
    std::thread::sleep(REST);

    let load = Load {
        operation: Operation::Mixed,
        clients: arguments.clients,
        seconds: arguments.seconds,
        batch: 1,
        ..load
    };
    let before = generator.run(&cluster, &system, &load)?;
    let until_voter = Load { seconds: JOIN_LIMIT.as_secs_f64(), ..load.clone() };
    let running = generator.start(&cluster, &system, &until_voter)?;
    std::thread::sleep(Duration::from_secs(2));
    let joined = join(&mut cluster, &folder)?;
    let during = running.end()?;
    let after = generator.run(&cluster, &system, &load)?;
    cluster.stop()?;

    for (name, report) in [("before", &before), ("while it joins", &during), ("after", &after)] {
        print_report(name, report);
    }
    let mut goals = Goals::default();
    goals.add("time to join", joined.as_secs_f64(), "s", Goal::AtMost(JOIN_SECONDS_MAX));
    let ratio = during.rate / before.rate;
    goals.add("rate while it joins, of that before", ratio, "", Goal::AtLeast(RATE_RATIO_MIN));
    let errors = before.errors + during.errors + after.errors;
    goals.add("requests that failed", errors as f64, "", Goal::AtMost(0.0));
    // The logs of the members say why, if one was missed.
    goals.judge()?;
    std::fs::remove_dir_all(&folder).map_err(Error::file("removing", &folder))
}

/// Starts one node more and waits until it has its vote.
fn join(cluster: &mut Cluster, folder: &Path) -> Result<Duration, Error> {
    let asked = cluster.client_addresses()[0];
    let began = Instant::now();
    cluster.start_joining(folder)?;
    let number = cluster.size().to_string();
    while !is_voter(asked, &number) {
        if began.elapsed() > JOIN_LIMIT {
            return Err(Error::ChecksFailed(format!("the node has not got its vote within {JOIN_LIMIT:?}")));
        }
        std::thread::sleep(INTERVAL);
    }
    Ok(began.elapsed())
}

/// Whether a member has a vote. Not (yet), if the node does not answer.
fn is_voter(asked: SocketAddr, number: &str) -> bool {
    let answer = request(asked, "GET", "/v1/cluster/members", "", PROBE_LIMIT);
    let members: Option<Value> = answer.ok().and_then(|answer| serde_json::from_str(&answer.body).ok());
    let members = members.as_ref().and_then(|members| members["members"].as_array());
    members.is_some_and(|members| {
        members.iter().any(|member| member["member"] == number && member["role"] == "voter")
    })
}

fn print_report(name: &str, report: &LoadReport) {
    let in_ms = |us: u64| us as f64 / 1000.0;
    println!(
        "{name:16} {:8.0}/s  p50 {:6.1} ms  p99 {:6.1} ms  slowest {:6.1} ms  {} failed",
        report.rate,
        in_ms(report.p50_us),
        in_ms(report.p99_us),
        in_ms(report.max_us),
        report.errors,
    );
    if let Some(error) = &report.first_error {
        println!("the first failure: {error}");
    }
}
