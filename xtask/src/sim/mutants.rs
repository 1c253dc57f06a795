//! Proof that the simulator can fail: each bug put back on purpose must be convicted, and of what it does.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::error::Error;
use crate::sim::contract::Outcome;
use crate::sim::failure;
use crate::sim::parallel::for_each_seed;
use crate::sim::progress::Progress;
use crate::sim::simulator::{Job, KnownMutant, Origin, Simulator, Trace};

/// A mutant that survives this many seeds has escaped.
pub const SEEDS_MAX: u64 = 300;

/// What became of one mutant.
#[derive(Debug, PartialEq, Eq)]
pub struct Hunt {
    mutant: String,
    /// The lowest seed that convicted it of a property that it violates, and of which.
    pub conviction: Option<(u64, String)>,
    /// The lowest seed that convicted it of something else, and of what. That proves nothing.
    pub misjudgement: Option<(u64, String)>,
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
    let hunts = hunt_all(simulator, mutants, start, jobs, limit)?;
    Ok(conclude(&hunts))
}

/// Prints what became of all mutants; whether each was convicted of what it does.
pub fn conclude(hunts: &[Hunt]) -> bool {
    let convicted = hunts.iter().filter(|hunt| hunt.conviction.is_some()).count();
    print_table(hunts);
    println!("mutants: {convicted} convicted, {} survived {SEEDS_MAX} seeds", hunts.len() - convicted);
    convicted == hunts.len()
}

/// Hunts each of `mutants` and tells of each as its hunt ends.
pub fn hunt_all(
    simulator: &Simulator,
    mutants: Vec<KnownMutant>,
    start: u64,
    jobs: usize,
    limit: Duration,
) -> Result<Vec<Hunt>, Error> {
    let mut hunts = Vec::new();
    for mutant in mutants {
        let hunt = hunt(simulator, mutant, start, jobs, limit)?;
        println!("{}", describe(&hunt));
        hunts.push(hunt);
    }
    Ok(hunts)
}

fn hunt(
    simulator: &Simulator,
    mutant: KnownMutant,
    start: u64,
    jobs: usize,
    limit: Duration,
) -> Result<Hunt, Error> {
    let KnownMutant { name, properties } = mutant;
    let mut progress = Progress::new(&name, SEEDS_MAX);
    let mut hunt = Hunt { mutant: name.clone(), conviction: None, misjudgement: None, tried: 0, broken: 0 };
    let mut first_error = None;
    let last = start.saturating_add(SEEDS_MAX - 1);
    for_each_seed(
        start..=last,
        jobs,
        |seed| {
            let job = Job {
                origin: Origin::Seed(seed),
                mutant: Some(name.clone()),
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
                    let judgement = if properties.contains(&property) {
                        &mut hunt.conviction
                    } else {
                        &mut hunt.misjudgement
                    };
                    // Seeds end out of order; the lowest is the one that is the same next time.
                    if judgement.as_ref().is_none_or(|(lowest, _)| seed < *lowest) {
                        *judgement = Some((seed, property));
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
    let mutant = &hunt.mutant;
    let replay = |seed: &u64| format!("cargo xtask sim --seed {seed} --mutant {mutant} --trace");
    let mut text = match &hunt.conviction {
        Some((seed, _)) => format!("{mutant}: found by seed {seed} ({})", replay(seed)),
        None => format!("{mutant}: SURVIVED {} seeds", hunt.tried),
    };
    if let Some((seed, property)) = &hunt.misjudgement {
        write!(text, "\n  but seed {seed} convicts it of what it does not do: {property} ({})", replay(seed))
            .expect("writing to a string does not fail");
    }
    text
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
