//! `cargo xtask bench overload`: what is done, and what is refused, when there are more clients than a cluster
//! can serve.
//!
//! The number of clients is doubled until that brings next to nothing: there the cluster is saturated. Then
//! twice as many put, and after that so many that each node has more requests than it handles at once, and the
//! others are refused; these clients come again at once, whatever they are told.

use crate::bench::cluster::{Cluster, System};
use crate::bench::goals::{Goal, Goals};
use crate::bench::load::{Load, LoadGenerator, Operation};
use crate::bench::load_report::LoadReport;
use crate::bench::memory_watch::{MemoryWatch, in_words};
use crate::bench::{bench_folder, build_quorate};
use crate::error::Error;
use crate::workspace::Workspace;

/// Clients to begin with.
const CLIENTS_FIRST: u64 = 32;
/// Clients at which the search ends: the node's own bound comes next.
const CLIENTS_LAST: u64 = 2048;
/// Twice as many clients that bring less than this are of no use any more.
const GAIN_MIN: f64 = 1.05;
/// The least of the peak that is to be done under overload.
const GOODPUT_MIN: f64 = 0.85;
/// The most memory that a member may take.
const MEMORY_MIB_MAX: f64 = 300.0;

/// How `cargo xtask bench overload` is called.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The bytes of each value.
    #[arg(long, value_name = "BYTES", default_value_t = 256)]
    value_bytes: u64,
    /// How long each measurement takes, after a second of warming up.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    seconds: f64,
    /// So many clients that nodes have to refuse some: three nodes handle 2,048 requests each.
    #[arg(long, value_name = "N", default_value_t = 9000)]
    beyond: u64,
    /// Measure this program instead of building ours.
    #[arg(long, value_name = "FILE")]
    quorate: Option<std::path::PathBuf>,
}

/// Finds how much the cluster can do, asks for more, and compares.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let system = System::Quorate(build_quorate(workspace, arguments.quorate.as_deref())?);
    let generator = LoadGenerator::build(workspace, false)?;
    let folder = bench_folder(workspace, "overload");
    let cluster = Cluster::start(&system, &folder, 3)?;
    let watch = MemoryWatch::start(&cluster);
    let put = |clients, impatient| -> Result<LoadReport, Error> {
        let load = Load {
            operation: Operation::Put,
            clients,
            impatient,
            value_bytes: arguments.value_bytes,
            seconds: arguments.seconds,
            ..Load::default()
        };
        let report = generator.run(&cluster, &system, &load)?;
        print_line(clients, &report);
        Ok(report)
    };
    let (clients, saturated) = saturate(|clients| put(clients, false))?;
    println!("saturated at {clients} clients");
    let twice = put(2 * clients, false)?;
    let beyond = put(arguments.beyond, true)?;
    let again = put(clients, false)?;
    let most = watch.most_mib()?;
    println!("most memory: {} MiB", in_words(&most));
    cluster.stop()?;
    std::fs::remove_dir_all(&folder).map_err(Error::file("removing", &folder))?;

    let peak = saturated.rate;
    let reports = [&saturated, &twice, &beyond, &again];
    let sum = |of: fn(&LoadReport) -> u64| reports.iter().map(|report| of(report)).sum::<u64>() as f64;
    let goodput = Goal::AtLeast(GOODPUT_MIN);
    let mut goals = Goals::default();
    goals.add("goodput of twice the clients, of the peak", twice.rate / peak, "", goodput);
    goals.add("goodput of clients beyond all bounds, of the peak", beyond.rate / peak, "", goodput);
    goals.add("goodput when they are gone, of the peak", again.rate / peak, "", goodput);
    goals.add("refused beyond all bounds", beyond.refusals as f64, "", Goal::AtLeast(1.0));
    goals.add("refused without a Retry-After", sum(|report| report.abrupt_refusals), "", Goal::AtMost(0.0));
    goals.add("failed in other ways", sum(|report| report.errors), "", Goal::AtMost(0.0));
    let most = most.into_iter().fold(0.0, f64::max);
    goals.add("memory of a member, files apart", most, "MiB", Goal::AtMost(MEMORY_MIB_MAX));
    goals.judge()
}

/// Doubles the clients until that brings next to nothing; gives the number with the best rate.
fn saturate(mut put: impl FnMut(u64) -> Result<LoadReport, Error>) -> Result<(u64, LoadReport), Error> {
    let mut clients = CLIENTS_FIRST;
    let mut best = put(clients)?;
    while clients < CLIENTS_LAST {
        let more = put(2 * clients)?;
        if more.rate < best.rate * GAIN_MIN {
            break;
        }
        clients *= 2;
        best = more;
    }
    Ok((clients, best))
}

fn print_line(clients: u64, report: &LoadReport) {
    println!(
        "{clients:>6} clients: {:>8.0}/s done, {:>8.0}/s refused, p50 {:.2} p99 {:.2} max {:.2} ms{}",
        report.rate,
        report.refusals as f64 / report.seconds,
        report.p50_us as f64 / 1000.0,
        report.p99_us as f64 / 1000.0,
        report.max_us as f64 / 1000.0,
        report
            .first_error
            .as_ref()
            .map_or(String::new(), |error| format!("; {} ERRORS such as: {error}", report.errors)),
    );
}
