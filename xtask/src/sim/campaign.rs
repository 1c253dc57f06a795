//! Many seeds, each its own process, and what they came to.

use std::ops::{ControlFlow, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use crate::error::Error;
use crate::sim::contract::Outcome;
use crate::sim::failure;
use crate::sim::parallel::for_each_seed;
use crate::sim::progress::Progress;
use crate::sim::simulator::{Job, Origin, Simulator, Trace};
use crate::sim::summary::Summary;

/// After this many failures no further seed is started: they would say the same again.
const FAILURES_MAX: u64 = 20;

/// Which seeds to run, and how.
#[derive(Debug)]
pub struct Campaign {
    /// The seeds.
    pub seeds: RangeInclusive<u64>,
    /// The bug to put back in each.
    pub mutant: Option<String>,
    /// How many processes at once.
    pub jobs: usize,
    /// How long one process may take.
    pub limit: Duration,
    /// The folder in which each failure gets a folder of its own.
    pub failures: PathBuf,
}

impl Campaign {
    /// Runs the seeds, tells of each failure as it comes, and gives the totals.
    pub fn run(&self, simulator: &Simulator) -> Result<(Summary, Duration), Error> {
        let total = (self.seeds.end() - self.seeds.start()).saturating_add(1);
        let mut progress = Progress::new("sim", total);
        let mut summary = Summary::default();
        let mut first_error = None;
        for_each_seed(
            self.seeds.clone(),
            self.jobs,
            |seed| {
                let job = self.job(seed);
                let outcome = run_recorded(simulator, &job, self.limit);
                (job, outcome)
            },
            |_, (job, outcome)| {
                let outcome = match outcome {
                    Ok(outcome) => outcome,
                    Err(error) => {
                        first_error.get_or_insert(error);
                        return ControlFlow::Break(());
                    }
                };
                summary.add(&outcome);
                let passed = matches!(outcome, Outcome::Passed(_));
                if !passed {
                    progress.print(&failure::describe(&job, &outcome, job.output.as_deref()));
                }
                progress.step(passed);
                if summary.violated + summary.broken >= FAILURES_MAX {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            },
        );
        let elapsed = progress.finish();
        if let Some(error) = first_error {
            return Err(error);
        }
        if summary.seeds() < total {
            println!("stopped after {} failures", summary.violated + summary.broken);
        }
        Ok((summary, elapsed))
    }

    fn job(&self, seed: u64) -> Job {
        let name = match &self.mutant {
            Some(mutant) => format!("{mutant}-{seed}"),
            None => seed.to_string(),
        };
        Job {
            origin: Origin::Seed(seed),
            mutant: self.mutant.clone(),
            trace: Trace::Off,
            output: Some(self.failures.join(name)),
        }
    }
}

/// Runs one job and, if it fails, leaves all that is known about it in its folder.
pub fn run_recorded(simulator: &Simulator, job: &Job, limit: Duration) -> Result<Outcome, Error> {
    if let Some(folder) = &job.output
        && folder.exists()
    {
        // An older failure of this seed must not be taken for this run's.
        std::fs::remove_dir_all(folder).map_err(Error::file("removing", folder))?;
    }
    let outcome = simulator.simulate(job, limit)?;
    if !matches!(outcome, Outcome::Passed(_)) {
        failure::record(job, &outcome)?;
    }
    Ok(outcome)
}
