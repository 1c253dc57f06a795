//! The part of a run in which faults strike.

use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::cluster::Cluster;
use crate::convergence::bring_back;
use crate::error::HarnessError;
use crate::fault::{Fault, FaultState};
use crate::history::Conviction;
use crate::nemesis::Nemesis;
use crate::say::say;
use crate::schedule::{Candidate, Round, Schedule};
use crate::workload::Workloads;

/// How often something may be tried again when faults are healed: what cannot be done at once may be in a moment.
const POLL: Duration = Duration::from_millis(100);

/// The nemeses at work.
pub struct Harm<'a> {
    cluster: &'a Cluster,
    nemeses: &'a mut [Box<dyn Nemesis>],
    schedule: Schedule,
    random: ChaCha8Rng,
    faults: Vec<Fault>,
    failures: Vec<String>,
    /// What the store should have done and has not.
    convictions: Vec<Conviction>,
}

/// What came of it.
pub struct Outcome {
    /// All faults, in the order in which they began.
    pub faults: Vec<Fault>,
    /// Where the harness failed, each in a sentence.
    pub failures: Vec<String>,
    /// What the store should have done and has not.
    pub convictions: Vec<Conviction>,
}

impl<'a> Harm<'a> {
    /// Nobody strikes yet.
    pub fn new(cluster: &'a Cluster, nemeses: &'a mut [Box<dyn Nemesis>], mut random: ChaCha8Rng) -> Self {
        let candidates = nemeses
            .iter()
            .map(|nemesis| Candidate { spheres: nemesis.spheres(), duration: nemesis.duration() });
        // Of its own, so that the order does not depend on what nemeses draw, which depends on what they find.
        let schedule = Schedule::new(candidates.collect(), ChaCha8Rng::from_rng(&mut random));
        Self {
            cluster,
            nemeses,
            schedule,
            random,
            faults: Vec::new(),
            failures: Vec::new(),
            convictions: Vec::new(),
        }
    }

    /// Lets them strike, round by round, until the run is that old or something has failed.
    pub async fn go_on_until(&mut self, end: Duration, working: &Workloads) {
        while self.is_well() {
            let Some(round) = self.schedule.next_round() else { break };
            let needed = 2 * round.stagger + round.duration + round.pause;
            if self.cluster.clock().elapsed() + needed > end {
                break;
            }
            self.play(&round).await;
            let (all, answered) = working.counts();
            say(format_args!(
                "{:6.1} s: {answered} of {all} requests answered",
                self.cluster.clock().elapsed().as_secs_f64()
            ));
        }
        while self.is_well() && self.cluster.clock().elapsed() < end {
            tokio::time::sleep(POLL).await;
        }
    }

    /// Heals what is still there, and says what came of it.
    pub async fn finish(mut self) -> Outcome {
        let all: Vec<_> = (0..self.nemeses.len()).collect();
        let first_open = self.faults.iter().position(|fault| fault.healed.is_none());
        self.heal(&all, first_open.unwrap_or(self.faults.len())).await;
        Outcome { faults: self.faults, failures: self.failures, convictions: self.convictions }
    }

    fn is_well(&self) -> bool {
        self.failures.is_empty() && self.convictions.is_empty()
    }

    async fn play(&mut self, round: &Round) {
        let first_fault = self.faults.len();
        for (place, &striker) in round.strikers.iter().enumerate() {
            if place > 0 {
                tokio::time::sleep(round.stagger).await;
            }
            self.strike(striker).await;
        }
        let is_there = |fault: &Fault| !matches!(fault.state, FaultState::Skipped { .. });
        if self.faults[first_fault..].iter().any(is_there) {
            tokio::time::sleep(round.duration).await;
        }
        for (place, &striker) in round.healers.iter().enumerate() {
            if place > 0 {
                tokio::time::sleep(round.stagger).await;
            }
            self.heal(&[striker], first_fault).await;
        }
        tokio::time::sleep(round.pause).await;
        // A node may have ended of a fault just after that was healed.
        if let Err(error) = bring_back(self.cluster).await {
            say(format_args!("the harness failed: {error}"));
            self.failures.push(error.to_string());
        }
    }

    async fn strike(&mut self, striker: usize) {
        let nemesis = &mut self.nemeses[striker];
        let began = self.cluster.clock().now();
        match nemesis.strike(self.cluster, &mut self.random).await {
            Ok(strike) => {
                let seconds = Duration::from_nanos(began).as_secs_f64();
                say(format_args!(
                    "{seconds:6.1} s: {}: {} ({})",
                    nemesis.name(),
                    strike.action,
                    describe(&strike.state)
                ));
                self.faults.push(Fault {
                    nemesis: nemesis.name(),
                    action: strike.action,
                    nodes: strike.nodes,
                    began,
                    healed: None,
                    state: strike.state,
                });
            }
            Err(error) => self.note(striker, "strike", &error),
        }
    }

    /// Heals what they have done, all of it even if some cannot be.
    async fn heal(&mut self, strikers: &[usize], first_fault: usize) {
        for &striker in strikers {
            if let Err(error) = self.nemeses[striker].heal(self.cluster).await {
                self.note(striker, "heal", &error);
            }
            let (name, now) = (self.nemeses[striker].name(), self.cluster.clock().now());
            for fault in self.faults[first_fault..].iter_mut().filter(|fault| fault.nemesis == name) {
                fault.healed.get_or_insert(now);
            }
        }
    }

    fn note(&mut self, striker: usize, doing: &str, error: &HarnessError) {
        let line = format!("{} could not {doing}: {error}", self.nemeses[striker].name());
        match error {
            HarnessError::Late { property, .. } => {
                say(format_args!("the store was too late: {line}"));
                self.convictions.push(Conviction {
                    when: self.cluster.clock().now(),
                    property: *property,
                    what: line,
                });
            }
            _ => {
                say(format_args!("the harness failed: {line}"));
                self.failures.push(line);
            }
        }
    }
}

fn describe(state: &FaultState) -> String {
    match state {
        FaultState::Installed => "seen".into(),
        FaultState::Skipped { why } => format!("skipped: {why}"),
        FaultState::Indeterminate { why } => format!("nobody knows: {why}"),
    }
}
