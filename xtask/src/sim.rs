//! `cargo xtask sim`: whole clusters under a deterministic simulation.
//!
//! The simulator is a program of its own ([`contract`] says what it promises) that runs one seed and
//! ends. This side builds it for the simulated world, runs a process for each seed, as many at once as
//! there are cores, and says what came of it. One process a seed, because a process that has run
//! anything before is not the same process any more (hash seeds, allocations, thread-local state), and
//! because a seed that crashes then takes nobody with it.

mod campaign;
mod contract;
mod determinism;
mod failure;
mod mutants;
mod parallel;
mod progress;
mod simulator;
mod summary;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::Error;
use crate::workspace::Workspace;

use campaign::{Campaign, run_recorded};
use contract::Outcome;
use simulator::{Job, Origin, Simulator, Trace};

/// The folder for plans and histories of failed seeds, in the root of the repository.
const FAILURES_FOLDER: &str = "sim-failures";

/// How `cargo xtask sim` is called.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many seeds to run.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed.
    #[arg(long, value_name = "S", default_value_t = 1)]
    start: u64,
    /// Run this one seed.
    #[arg(long, value_name = "S", conflicts_with_all = ["seeds", "start"])]
    seed: Option<u64>,
    /// Run the plan in this file instead of deriving one from a seed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seeds", "start", "seed"])]
    plan: Option<PathBuf>,
    /// Show what happens, event by event. With --seed or --plan.
    #[arg(long)]
    trace: bool,
    /// Run each seed in two processes and compare their traces byte by byte.
    #[arg(long, conflicts_with_all = ["plan", "trace"])]
    check_determinism: bool,
    /// Put each known bug back in turn and count the seeds until it is found.
    #[arg(long, conflicts_with_all = ["seed", "seeds", "plan", "trace", "check_determinism", "mutant"])]
    mutants: bool,
    /// Put this bug back.
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
    /// How many processes at once [default: one a core].
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// How many seconds of wall clock time one process may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    limit_s: u64,
    /// Run this simulator instead of building one.
    #[arg(long, value_name = "FILE")]
    simulator: Option<PathBuf>,
}

impl Arguments {
    /// The arguments of a plain run over some seeds, as `cargo xtask test` makes it.
    pub fn of_seeds(seeds: u64, check_determinism: bool) -> Arguments {
        Arguments {
            seeds,
            start: 1,
            seed: None,
            plan: None,
            trace: false,
            check_determinism,
            mutants: false,
            mutant: None,
            jobs: None,
            limit_s: 120,
            simulator: None,
        }
    }

    fn range(&self) -> RangeInclusive<u64> {
        match self.seed {
            Some(seed) => seed..=seed,
            None => self.start..=self.start.saturating_add(self.seeds - 1),
        }
    }
}

/// Builds the simulator, for those who are to find it built.
pub fn build(workspace: &Workspace) -> Result<(), Error> {
    Simulator::build(workspace).map(|_| ())
}

/// Runs `cargo xtask sim`; an error unless every seed passed.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    if arguments.trace && arguments.seed.is_none() && arguments.plan.is_none() {
        return Err(Error::Missing {
            what: "the run to trace".to_owned(),
            remedy: "--trace needs --seed or --plan".to_owned(),
        });
    }
    let simulator = match &arguments.simulator {
        Some(program) => Simulator::at(program.clone()),
        None => Simulator::build(workspace)?,
    };
    let jobs = match arguments.jobs {
        Some(jobs) => jobs,
        None => std::thread::available_parallelism().map_or(1, |cores| cores.get()),
    };
    // As one would type it, where that is the same place.
    let in_root = std::env::current_dir().is_ok_and(|folder| folder == workspace.root);
    let failures =
        if in_root { PathBuf::from(FAILURES_FOLDER) } else { workspace.root.join(FAILURES_FOLDER) };
    run_with(&simulator, arguments, jobs, failures)
}

fn run_with(
    simulator: &Simulator,
    arguments: &Arguments,
    jobs: usize,
    failures: PathBuf,
) -> Result<(), Error> {
    let limit = Duration::from_secs(arguments.limit_s);
    let passed = if arguments.mutants {
        mutants::check(simulator, arguments.start, jobs, limit)?
    } else if arguments.check_determinism {
        let mutant = arguments.mutant.as_deref();
        let (_, failed) = determinism::check(simulator, arguments.range(), mutant, jobs, limit)?;
        failed == 0
    } else if arguments.seed.is_some() || arguments.plan.is_some() {
        run_one(simulator, arguments, limit, failures)?
    } else {
        let campaign =
            Campaign { seeds: arguments.range(), mutant: arguments.mutant.clone(), jobs, limit, failures };
        let (summary, elapsed) = campaign.run(simulator)?;
        println!("{}", summary.describe(elapsed));
        // A bug that is put back may keep clients from what they are there for.
        summary.all_passed() && (arguments.mutant.is_some() || summary.never_met().is_empty())
    };
    if passed {
        Ok(())
    } else {
        Err(Error::ChecksFailed("the simulation found something; see above".to_owned()))
    }
}

/// Runs the one seed or plan that the arguments name; whether it passed.
fn run_one(
    simulator: &Simulator,
    arguments: &Arguments,
    limit: Duration,
    failures: PathBuf,
) -> Result<bool, Error> {
    let (origin, name) = match (&arguments.plan, arguments.seed) {
        (Some(plan), _) => {
            let name = plan.file_stem().unwrap_or(plan.as_os_str()).to_string_lossy();
            // Not the seed's own folder: the plan that is being replayed usually lies in there.
            (Origin::Plan(plan.clone()), format!("plan-{name}"))
        }
        (None, seed) => {
            let seed = seed.expect("the caller saw a seed or a plan");
            (Origin::Seed(seed), seed.to_string())
        }
    };
    let name = match &arguments.mutant {
        Some(mutant) => format!("{mutant}-{name}"),
        None => name,
    };
    let job = Job {
        origin,
        mutant: arguments.mutant.clone(),
        trace: if arguments.trace { Trace::Shown } else { Trace::Off },
        output: Some(failures.join(name)),
    };
    let outcome = run_recorded(simulator, &job, limit)?;
    println!("{}", failure::describe(&job, &outcome, job.output.as_deref().filter(|folder| folder.exists())));
    let Outcome::Passed(report) = outcome else { return Ok(false) };
    let report = serde_json::to_string_pretty(&report).map_err(Error::malformed("the report"))?;
    println!("{report}");
    Ok(true)
}
