//! What was done when, and what clients saw meanwhile.

use std::time::{Duration, SystemTime};

use crate::bench::load_report::LoadReport;
use crate::error::Error;

/// Seconds behind a phase that count as a part of it: a request that it held up ends later.
const AFTERMATH: u64 = 1;

/// A time in which one thing was done.
#[derive(Clone, Debug)]
struct Phase {
    name: &'static str,
    began_unix_ms: u64,
    ended_unix_ms: u64,
}

/// Everything that was done, in order.
#[derive(Clone, Debug, Default)]
pub struct Phases {
    phases: Vec<Phase>,
}

impl Phases {
    /// Does something and notes how long it took.
    pub fn watch(
        &mut self,
        name: &'static str,
        doing: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let began_unix_ms = unix_ms();
        doing()?;
        let ended_unix_ms = unix_ms();
        println!("{:>6.1} s {name}", (ended_unix_ms - began_unix_ms) as f64 / 1000.0);
        self.phases.push(Phase { name, began_unix_ms, ended_unix_ms });
        // What happens next is told apart from what this left behind.
        std::thread::sleep(Duration::from_secs(AFTERMATH + 1));
        Ok(())
    }

    /// Prints when requests were slower than that.
    pub fn print_seconds_above(&self, limit_ms: f64, report: &LoadReport) {
        let began = self.phases.first().map_or(0, |phase| phase.began_unix_ms);
        for (second, slowest_us) in report.slowest_us.iter().enumerate() {
            let slowest_ms = *slowest_us as f64 / 1000.0;
            if slowest_ms > limit_ms {
                let since = (report.started_unix_ms as f64 - began as f64) / 1000.0 + second as f64;
                println!("{slowest_ms:>8.1} ms in the second {since:.1} s after the first phase began");
            }
        }
    }

    /// The slowest request of each phase, in milliseconds.
    pub fn slowest_ms(&self, report: &LoadReport) -> Vec<(&'static str, f64)> {
        let second = |unix_ms: u64| unix_ms.saturating_sub(report.started_unix_ms) / 1000;
        let slowest_of = |phase: &Phase| {
            let seconds = second(phase.began_unix_ms)..=second(phase.ended_unix_ms) + AFTERMATH;
            seconds.filter_map(|second| report.slowest_us.get(second as usize)).max().copied().unwrap_or(0)
        };
        self.phases.iter().map(|phase| (phase.name, slowest_of(phase) as f64 / 1000.0)).collect()
    }
}

fn unix_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_has_the_slowest_of_its_own_seconds_and_the_one_behind() {
        let report: LoadReport = serde_json::from_str(
            r#"{"operations":1,"errors":0,"first_error":null,"refusals":0,"abrupt_refusals":0,
                "started_unix_ms":10000,"seconds":1.0,"rate":1.0,"p50_us":1,"p99_us":1,"p999_us":1,"max_us":1,
                "slowest_us":[1000,5000,2000,9000,3000],"generator_cpu_seconds":0.0}"#,
        )
        .expect("a report");
        let phase = |name, began_unix_ms, ended_unix_ms| Phase { name, began_unix_ms, ended_unix_ms };
        let phases = Phases { phases: vec![phase("first", 10_000, 11_500), phase("second", 14_000, 20_000)] };
        assert_eq!(phases.slowest_ms(&report), [("first", 5.0), ("second", 3.0)]);
    }
}
