//! What many seeds came to, added up.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::sim::contract::{Outcome, Report};

/// What became of the faults of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct FaultCounts {
    installed: u64,
    skipped: u64,
    indeterminate: u64,
}

/// Totals over many seeds.
#[derive(Debug, Default)]
pub struct Summary {
    /// Seeds in which every property held.
    pub passed: u64,
    /// Seeds in which a property was violated.
    pub violated: u64,
    /// Seeds of which nothing is known because the harness broke.
    pub broken: u64,
    virtual_seconds: f64,
    virtual_seconds_min: Option<f64>,
    operations: u64,
    operations_min: Option<u64>,
    resident_kib_max: u64,
    faults: BTreeMap<String, FaultCounts>,
    coverage: BTreeMap<String, u64>,
}

/// So many seeds together have to meet everything that the simulator counts.
const SEEDS_THAT_MEET_ALL: u64 = 100;

impl Summary {
    /// Counts one seed.
    pub fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed(report) => {
                self.passed += 1;
                // Only runs that went to their end say how much a run does at least.
                self.virtual_seconds_min = Some(
                    self.virtual_seconds_min
                        .map_or(report.virtual_seconds, |least| least.min(report.virtual_seconds)),
                );
                self.operations_min =
                    Some(self.operations_min.map_or(report.operations, |least| least.min(report.operations)));
                self.add_report(report);
            }
            Outcome::Violated(report) => {
                self.violated += 1;
                self.add_report(report);
            }
            Outcome::Broken { .. } => self.broken += 1,
        }
    }

    fn add_report(&mut self, report: &Report) {
        self.virtual_seconds += report.virtual_seconds;
        self.operations += report.operations;
        self.resident_kib_max = self.resident_kib_max.max(report.resident_kib_max);
        for (event, count) in &report.coverage {
            *self.coverage.entry(event.clone()).or_default() += count;
        }
        for (kind, count) in &report.faults {
            self.faults.entry(kind.clone()).or_default().installed += count;
        }
        for (kind, count) in &report.faults_skipped {
            self.faults.entry(kind.clone()).or_default().skipped += count;
        }
        for (kind, count) in &report.faults_indeterminate {
            self.faults.entry(kind.clone()).or_default().indeterminate += count;
        }
    }

    /// Seeds that ran.
    pub fn seeds(&self) -> u64 {
        self.passed + self.violated + self.broken
    }

    /// Whether every seed that ran passed.
    pub fn all_passed(&self) -> bool {
        self.passed == self.seeds()
    }

    /// What should have been met by now and never was: the clients that are there for it prove nothing.
    pub fn never_met(&self) -> Vec<&str> {
        if self.seeds() < SEEDS_THAT_MEET_ALL {
            return Vec::new();
        }
        let never = self.coverage.iter().filter(|(_, count)| **count == 0);
        never.map(|(event, _)| event.as_str()).collect()
    }

    /// The totals in words.
    pub fn describe(&self, elapsed: Duration) -> impl fmt::Display + '_ {
        Described { summary: self, elapsed }
    }
}

struct Described<'a> {
    summary: &'a Summary,
    elapsed: Duration,
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = self.summary;
        let seconds = self.elapsed.as_secs_f64();
        let rate = summary.seeds() as f64 / seconds.max(f64::MIN_POSITIVE);
        writeln!(f, "{} seeds in {seconds:.1} s, {rate:.1} seeds/s", summary.seeds())?;
        writeln!(
            f,
            "virtual time {:.0} s, at least {:.1} s a seed",
            summary.virtual_seconds,
            summary.virtual_seconds_min.unwrap_or(0.0)
        )?;
        writeln!(
            f,
            "{} operations, at least {} a seed",
            summary.operations,
            summary.operations_min.unwrap_or(0)
        )?;
        writeln!(f, "largest process {:.0} MiB resident", summary.resident_kib_max as f64 / 1024.0)?;
        write!(f, "faults installed (skipped, came otherwise than planned):")?;
        if summary.faults.is_empty() {
            write!(f, " none")?;
        }
        for (kind, FaultCounts { installed, skipped, indeterminate }) in &summary.faults {
            write!(f, " {kind} {installed}")?;
            if skipped + indeterminate > 0 {
                write!(f, " ({skipped}, {indeterminate})")?;
            }
        }
        writeln!(f)?;
        write!(f, "met in the store:")?;
        for (event, count) in &summary.coverage {
            write!(f, " {event} {count},")?;
        }
        writeln!(f, " and no more")?;
        for event in summary.never_met() {
            writeln!(f, "NEVER MET in {} seeds: {event}", summary.seeds())?;
        }
        write!(f, "sim: {} passed, {} failed", summary.passed, summary.violated + summary.broken)?;
        if summary.broken > 0 {
            write!(f, " (in {} the harness broke)", summary.broken)?;
        }
        Ok(())
    }
}
