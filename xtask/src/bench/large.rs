//! `cargo xtask bench large`: are puts still fast, and memory still small, when there are many keys?
//!
//! One cluster from beginning to end: a few keys are loaded and random ones of them put; then many more are
//! loaded, and random ones of all of them put. Memory is what the members have resident without the pages of
//! files, which are the system's to take back: LMDB's map is such.

use crate::bench::cluster::{Cluster, System};
use crate::bench::goals::{Goal, Goals};
use crate::bench::load::{Load, LoadGenerator, Operation};
use crate::bench::load_report::LoadReport;
use crate::bench::memory_watch::{MemoryWatch, anonymous_mib, in_words};
use crate::bench::{bench_folder, build_quorate};
use crate::error::Error;
use crate::workspace::Workspace;

/// Keys of the first measurement.
const FEW: u64 = 10_000;
/// Keys that are loaded between two lines of progress.
const SLICE: u64 = 500_000;
/// Puts in a request that loads, the most that a transaction may have by default.
const BATCH: u64 = 128;
/// Clients that load.
const LOADING_CLIENTS: u64 = 16;
/// The least that the second rate may be of the first.
const RATE_RATIO_MIN: f64 = 0.6;
/// The most memory that a member may take.
const MEMORY_MIB_MAX: f64 = 300.0;

/// How `cargo xtask bench large` is called.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many keys there are in the end.
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    keys: u64,
    /// The bytes of each value.
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    value_bytes: u64,
    /// How many clients put at once.
    #[arg(long, value_name = "N", default_value_t = 64)]
    clients: u64,
    /// How long each measurement takes, after a second of warming up.
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0)]
    seconds: f64,
    /// How many members the cluster has.
    #[arg(long, value_name = "N", default_value_t = 3)]
    members: usize,
    /// Measure this program instead of building ours.
    #[arg(long, value_name = "FILE")]
    quorate: Option<std::path::PathBuf>,
}

/// Measures with few keys and with many, and compares.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let system = System::Quorate(build_quorate(workspace, arguments.quorate.as_deref())?);
    let generator = LoadGenerator::build(workspace, false)?;
    let folder = bench_folder(workspace, "large");
    let cluster = Cluster::start(&system, &folder, arguments.members)?;
    let bench = Bench { arguments, system, generator, cluster };
    bench.load(0, FEW)?;
    let few = bench.put(FEW)?;
    let watch = MemoryWatch::start(&bench.cluster);
    let mut loaded = FEW;
    while loaded < arguments.keys {
        let slice = SLICE.min(arguments.keys - loaded);
        bench.load(loaded, slice)?;
        loaded += slice;
    }
    let while_loading = watch.most_mib()?;
    println!("most memory while loading: {} MiB", in_words(&while_loading));
    let watch = MemoryWatch::start(&bench.cluster);
    let many = bench.put(loaded)?;
    let while_putting = watch.most_mib()?;
    println!("most memory while putting: {} MiB", in_words(&while_putting));
    bench.cluster.stop()?;
    std::fs::remove_dir_all(&folder).map_err(Error::file("removing", &folder))?;

    let errors = few.errors + many.errors;
    let most = while_loading.into_iter().chain(while_putting).fold(0.0, f64::max);
    let mut goals = Goals::default();
    let what = format!("rate of puts at {loaded} keys, of that at {FEW}");
    goals.add(what, many.rate / few.rate, "", Goal::AtLeast(RATE_RATIO_MIN));
    goals.add("memory of a member, files apart", most, "MiB", Goal::AtMost(MEMORY_MIB_MAX));
    goals.add("requests that failed", errors as f64, "", Goal::AtMost(0.0));
    goals.judge()
}

struct Bench<'a> {
    arguments: &'a Arguments,
    system: System,
    generator: LoadGenerator,
    cluster: Cluster,
}

impl Bench<'_> {
    fn load(&self, first_key: u64, keys: u64) -> Result<(), Error> {
        let load = Load {
            operation: Operation::Load,
            clients: LOADING_CLIENTS,
            batch: BATCH,
            value_bytes: self.arguments.value_bytes,
            first_key,
            keys,
            ..Load::default()
        };
        let report = self.generator.run(&self.cluster, &self.system, &load)?;
        println!(
            "{:>10} keys loaded, {:>8.0}/s; memory now: {} MiB",
            first_key + keys,
            report.rate,
            in_words(&anonymous_mib(&self.cluster)?)
        );
        Ok(())
    }

    fn put(&self, keys: u64) -> Result<LoadReport, Error> {
        let load = Load {
            operation: Operation::Put,
            clients: self.arguments.clients,
            seconds: self.arguments.seconds,
            value_bytes: self.arguments.value_bytes,
            keys,
            ..Load::default()
        };
        let report = self.generator.run(&self.cluster, &self.system, &load)?;
        println!(
            "puts of {} clients at {keys} keys: {:.0}/s, p50 {:.2} p99 {:.2} max {:.2} ms",
            self.arguments.clients,
            report.rate,
            report.p50_us as f64 / 1000.0,
            report.p99_us as f64 / 1000.0,
            report.max_us as f64 / 1000.0,
        );
        Ok(report)
    }
}
