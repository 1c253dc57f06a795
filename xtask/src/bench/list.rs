//! `cargo xtask bench list`: what it takes of a node's memory to list many keys.
//!
//! The node has just been started, so that nothing which an earlier request left behind hides what listing
//! takes. It is listed once as fast as it goes and once by a reader that is much slower than the node.

use std::time::Duration;

use crate::bench::cluster::{Cluster, System};
use crate::bench::goals::{Goal, Goals};
use crate::bench::listing::list_all;
use crate::bench::load::{Load, LoadGenerator, Operation};
use crate::bench::memory_watch::{MemoryWatch, anonymous_mib};
use crate::bench::{bench_folder, build_quorate};
use crate::error::Error;
use crate::workspace::Workspace;

/// The most memory that a node may take for it.
const GROWTH_MIB_MAX: f64 = 64.0;
/// How long a node that has just been started settles.
const SETTLE: Duration = Duration::from_secs(3);

/// How `cargo xtask bench list` is called.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many keys there are.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    keys: u64,
    /// The bytes of each value.
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    value_bytes: u64,
    /// How fast the slow reader reads.
    #[arg(long, value_name = "MIB_PER_SECOND", default_value_t = 8)]
    slow: u64,
    /// Measure this program instead of building ours.
    #[arg(long, value_name = "FILE")]
    quorate: Option<std::path::PathBuf>,
}

/// Loads the keys and lists them.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let system = System::Quorate(build_quorate(workspace, arguments.quorate.as_deref())?);
    let generator = LoadGenerator::build(workspace, false)?;
    let folder = bench_folder(workspace, "list");
    let mut cluster = Cluster::start(&system, &folder, 3)?;
    let load = Load {
        operation: Operation::Load,
        clients: 16,
        batch: 128,
        value_bytes: arguments.value_bytes,
        keys: arguments.keys,
        ..Load::default()
    };
    let report = generator.run(&cluster, &system, &load)?;
    println!("{} keys loaded in {:.1} s", report.operations, report.seconds);
    let mut goals = Goals::default();
    for (reader, rate) in [("fast", None), ("slow", Some(arguments.slow << 20))] {
        for index in 0..cluster.size() {
            cluster.terminate(index)?;
            cluster.spawn(index)?;
            cluster.wait_ready(index)?;
        }
        std::thread::sleep(SETTLE);
        let before = anonymous_mib(&cluster)?[0];
        let watch = MemoryWatch::start(&cluster);
        let address = cluster.client_addresses()[0];
        let listing = list_all(address, rate).map_err(|source| Error::Process {
            action: "listing the keys of",
            process: address.to_string(),
            source,
        })?;
        let most = watch.most_mib()?[0];
        println!(
            "{reader} reader: {} keys, {:.0} MiB in {:.1} s, {:.0} keys/s; memory {before:.1} MiB before, {most:.1} MiB at most",
            listing.keys,
            listing.bytes as f64 / f64::from(1 << 20),
            listing.elapsed.as_secs_f64(),
            listing.keys as f64 / listing.elapsed.as_secs_f64(),
        );
        if !listing.is_whole || listing.keys != arguments.keys {
            return Err(Error::ChecksFailed(format!("{listing:?} of {} keys", arguments.keys)));
        }
        let what = format!("more memory for listing {} keys, {reader} reader", arguments.keys);
        goals.add(what, most - before, "MiB", Goal::AtMost(GROWTH_MIB_MAX));
    }
    cluster.stop()?;
    std::fs::remove_dir_all(&folder).map_err(Error::file("removing", &folder))?;
    goals.judge()
}
