//! `cargo xtask bench transfer`: leadership is handed over on purpose, again and again, under load.

use std::time::Duration;

use serde_json::Value;

use crate::bench::cluster::{Cluster, System};
use crate::bench::goals::{Goal, Goals};
use crate::bench::http_probe::request;
use crate::bench::load::{Load, LoadGenerator, Operation};
use crate::bench::{bench_folder, build_quorate};
use crate::error::Error;
use crate::workspace::Workspace;

/// The slowest request that is allowed.
const SLOWEST_MS_MAX: f64 = 100.0;
/// How long clients work before the first time, and after the last.
const REST: Duration = Duration::from_secs(3);
/// How long handing over may take.
const TRANSFER_LIMIT: Duration = Duration::from_secs(5);

/// How `cargo xtask bench transfer` is called.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How often leadership is handed over.
    #[arg(long, value_name = "N", default_value_t = 10)]
    rounds: u64,
    /// How many clients there are.
    #[arg(long, value_name = "N", default_value_t = 64)]
    clients: u64,
    /// How many requests they send a second; as many as they can, if it is not said.
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Milliseconds from one time to the next.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    interval_ms: u64,
    /// Measure this program instead of building ours.
    #[arg(long, value_name = "FILE")]
    quorate: Option<std::path::PathBuf>,
}

/// Hands leadership over while clients put and read, and prints what they saw of it.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let system = System::Quorate(build_quorate(workspace, arguments.quorate.as_deref())?);
    let generator = LoadGenerator::build(workspace, false)?;
    let folder = bench_folder(workspace, "transfer");
    let cluster = Cluster::start(&system, &folder, 3)?;
    let load = Load { operation: Operation::Load, ..Load::default() };
    generator.run(&cluster, &system, &load)?;

    let interval = Duration::from_millis(arguments.interval_ms);
    let load = Load {
        operation: Operation::Mixed,
        clients: arguments.clients,
        rate: arguments.rate,
        seconds: 600.0,
        ..load
    };
    let running = generator.start(&cluster, &system, &load)?;
    std::thread::sleep(REST);
    let before = cluster.leader()?;
    for round in 1..=arguments.rounds {
        let leader = hand_over(&cluster)?;
        println!("round {round}: member {leader} leads");
        std::thread::sleep(interval);
    }
    std::thread::sleep(REST);
    let after = cluster.leader()?;
    let report = running.end()?;
    cluster.stop()?;
    std::fs::remove_dir_all(&folder).map_err(Error::file("removing", &folder))?;

    let in_ms = |us: u64| us as f64 / 1000.0;
    println!(
        "\n{} requests, {:.0}/s, {:.1} ms half of them, {:.1} ms 99 %, {:.1} ms 99.9 %, member {} led before and {} after",
        report.operations,
        report.rate,
        in_ms(report.p50_us),
        in_ms(report.p99_us),
        in_ms(report.p999_us),
        before + 1,
        after + 1,
    );
    let slowest: Vec<String> = report.slowest_us.iter().map(|us| format!("{:.0}", in_ms(*us))).collect();
    println!("the slowest of each second, in ms: {}", slowest.join(" "));
    if let Some(error) = &report.first_error {
        println!("the first failure: {error}");
    }
    let mut goals = Goals::default();
    goals.add("requests that failed", (report.errors + report.refusals) as f64, "", Goal::AtMost(0.0));
    goals.add("slowest request", in_ms(report.max_us), "ms", Goal::AtMost(SLOWEST_MS_MAX));
    goals.judge()
}

/// Has another member lead, whichever is best suited, and says which one does.
fn hand_over(cluster: &Cluster) -> Result<String, Error> {
    let address = cluster.client_addresses()[0];
    let failed = |reason: String| Error::ChecksFailed(format!("leadership was not handed over: {reason}"));
    let answer = request(address, "POST", "/v1/cluster/leader", "", TRANSFER_LIMIT)
        .map_err(|error| failed(error.to_string()))?;
    if answer.status != 200 {
        return Err(failed(answer.body));
    }
    let body: Value = serde_json::from_str(&answer.body).map_err(Error::malformed("the answer"))?;
    let leader = body["leader"].as_str();
    leader.map(str::to_owned).ok_or_else(|| failed(answer.body))
}
