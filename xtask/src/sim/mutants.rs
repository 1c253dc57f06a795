//! Proof that the simulator can fail: each bug put back on purpose must be convicted.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::error::Error;
use crate::sim::contract::Outcome;
use crate::sim::failure;
use crate::sim::parallel::for_each_seed;
use crate::sim::progress::Progress;
use crate::sim::simulator::{Job, Origin, Simulator, Trace};

/// A mutant that survives this many seeds has escaped.
pub const SEEDS_MAX: u64 = 300;

/// What became of one mutant.
#[derive(Debug, PartialEq, Eq)]
struct Hunt {
    mutant: String,
    /// The lowest seed that convicted it, and of what.
    conviction: Option<(u64, String)>,
    /// How many seeds were tried.
    tried: u64,
    /// Seeds on which the harness broke: they convict nobody.
    broken: u64,
}

/// Hunts each mutant from `start` on and prints what became of it; whether all were convicted.
pub fn check(simulator: &Simulator, start: u64, jobs: usize, limit: Duration) -> Result<bool, Error> {
    let mutants = simulator.mutants()?;
    if mutants.is_empty() {
        return Err(Error::ChecksFailed(
            "the simulator knows no mutants, so nothing proves that it can fail".to_owned(),
        ));
    }
    let mut hunts = Vec::new();
    for mutant in mutants {
        let hunt = hunt(simulator, mutant, start, jobs, limit)?;
        println!("{}", describe(&hunt));
        hunts.push(hunt);
    }
    let convicted = hunts.iter().filter(|hunt| hunt.conviction.is_some()).count();
    print_table(&hunts);
    println!("mutants: {convicted} convicted, {} survived {SEEDS_MAX} seeds", hunts.len() - convicted);
    Ok(convicted == hunts.len())
}

fn hunt(
    simulator: &Simulator,
    mutant: String,
    start: u64,
    jobs: usize,
    limit: Duration,
) -> Result<Hunt, Error> {
    let mut progress = Progress::new(&mutant, SEEDS_MAX);
    let mut hunt = Hunt { mutant: mutant.clone(), conviction: None, tried: 0, broken: 0 };
    let mut first_error = None;
    let last = start.saturating_add(SEEDS_MAX - 1);
    for_each_seed(
        start..=last,
        jobs,
        |seed| {
            let job = Job {
                origin: Origin::Seed(seed),
                mutant: Some(mutant.clone()),
                trace: Trace::Off,
                output: None,
            };
            let outcome = simulator.simulate(&job, limit);
            (job, outcome)
        },
        |seed, (job, outcome)| {
            hunt.tried += 1;
            match outcome {
                Ok(Outcome::Passed(_)) => {}
                Ok(Outcome::Violated(report)) => {
                    let property = report.property.unwrap_or_default();
                    // Seeds end out of order; the lowest is the one that is the same next time.
                    if hunt.conviction.as_ref().is_none_or(|(lowest, _)| seed < *lowest) {
                        hunt.conviction = Some((seed, property));
                    }
                }
                Ok(broken @ Outcome::Broken { .. }) => {
                    hunt.broken += 1;
                    progress.print(&failure::describe(&job, &broken, None));
                }
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
            progress.step(true);
            if hunt.conviction.is_some() || first_error.is_some() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        },
    );
    progress.finish();
    first_error.map_or(Ok(hunt), Err)
}

fn describe(hunt: &Hunt) -> String {
    match &hunt.conviction {
        Some((seed, _)) => {
            format!(
                "{}: found by seed {seed} (cargo xtask sim --seed {seed} --mutant {} --trace)",
                hunt.mutant, hunt.mutant
            )
        }
        None => format!("{}: SURVIVED {} seeds", hunt.mutant, hunt.tried),
    }
}

fn print_table(hunts: &[Hunt]) {
    let width = hunts.iter().map(|hunt| hunt.mutant.len()).max().unwrap_or(0).max("mutant".len());
    println!("\n{:width$}  {:>8}  {:>5}  {:>6}  property", "mutant", "found at", "tried", "broken");
    for hunt in hunts {
        let (seed, property) = match &hunt.conviction {
            Some((seed, property)) => (seed.to_string(), property.as_str()),
            None => ("-".to_owned(), "SURVIVED"),
        };
        println!("{:width$}  {seed:>8}  {:>5}  {:>6}  {property}", hunt.mutant, hunt.tried, hunt.broken);
    }
    println!();
}
