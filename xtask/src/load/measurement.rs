//! What all clients of one run measure together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use hdrhistogram::Histogram;

use crate::load_report::LoadReport;
use crate::target::RequestError;

/// The slowest operation that is told apart from slower ones.
const LATENCY_US_MAX: u64 = 600_000_000;

/// What all clients share: they run on one thread.
pub struct Measurement {
    /// Operations that end before this are not counted.
    start: Instant,
    /// Operations that end after this are not counted, and no further one is sent.
    end: Instant,
    /// Whether it has ended before that.
    is_ended: Arc<AtomicBool>,
    started_unix_ms: u64,
    latencies_us: Histogram<u64>,
    /// The slowest operation that ended in each second since the start.
    slowest_us: Vec<u64>,
    errors: u64,
    first_error: Option<String>,
    refusals: u64,
    abrupt_refusals: u64,
}

impl Measurement {
    /// Of the time from `start` to `end`.
    pub fn new(start: Instant, end: Instant) -> Measurement {
        let latencies_us = Histogram::new_with_max(LATENCY_US_MAX, 3).expect("three digits of a valid range");
        Measurement {
            start,
            end,
            is_ended: Arc::default(),
            started_unix_ms: unix_ms(start),
            latencies_us,
            slowest_us: Vec::new(),
            errors: 0,
            first_error: None,
            refusals: 0,
            abrupt_refusals: 0,
        }
    }

    /// Whether no further operation is to be sent.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.end || self.is_ended.load(Ordering::Relaxed)
    }

    /// Ends the measurement before its time once it is set.
    pub fn early_end(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_ended)
    }

    /// Counts an operation that ended just now.
    pub fn record(&mut self, began: Instant, result: &Result<(), RequestError>) {
        let now = Instant::now();
        if now < self.start || now > self.end {
            return;
        }
        match result {
            Ok(()) => {
                let latency_us = u64::try_from((now - began).as_micros()).unwrap_or(u64::MAX);
                self.latencies_us.saturating_record(latency_us);
                self.note_slowest((now - self.start).as_secs() as usize, latency_us);
            }
            Err(RequestError::Refused { retry_after, .. }) => {
                self.refusals += 1;
                self.abrupt_refusals += u64::from(retry_after.is_none());
            }
            Err(error) => {
                self.errors += 1;
                self.first_error.get_or_insert_with(|| error.to_string());
            }
        }
    }

    fn note_slowest(&mut self, second: usize, latency_us: u64) {
        if self.slowest_us.len() <= second {
            self.slowest_us.resize(second + 1, 0);
        }
        self.slowest_us[second] = self.slowest_us[second].max(latency_us);
    }

    /// The report of `seconds` of measuring.
    pub fn report(&self, seconds: f64, generator_cpu_seconds: f64) -> LoadReport {
        let latencies_us = &self.latencies_us;
        LoadReport {
            operations: latencies_us.len(),
            errors: self.errors,
            first_error: self.first_error.clone(),
            refusals: self.refusals,
            abrupt_refusals: self.abrupt_refusals,
            started_unix_ms: self.started_unix_ms,
            seconds,
            rate: latencies_us.len() as f64 / seconds,
            p50_us: latencies_us.value_at_quantile(0.5),
            p99_us: latencies_us.value_at_quantile(0.99),
            p999_us: latencies_us.value_at_quantile(0.999),
            max_us: latencies_us.max(),
            slowest_us: self.slowest_us.clone(),
            generator_cpu_seconds,
        }
    }
}

/// A moment by the clock on the wall.
fn unix_ms(moment: Instant) -> u64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let ahead = moment.saturating_duration_since(Instant::now());
    u64::try_from((since_epoch + ahead).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn successes_failures_and_refusals_are_told_apart() {
        let now = Instant::now();
        let mut measurement = Measurement::new(now, now + Duration::from_secs(60));
        let refused = |retry_after| RequestError::Refused { status: 429, retry_after };
        measurement.record(now, &Ok(()));
        measurement.record(now, &Err(refused(Some(Duration::from_secs(1)))));
        measurement.record(now, &Err(refused(None)));
        measurement.record(now, &Err(RequestError::Answer("500".to_owned())));
        let report = measurement.report(1.0, 0.0);
        assert_eq!((report.operations, report.refusals, report.abrupt_refusals, report.errors), (1, 2, 1, 1));
        assert_eq!(report.slowest_us.len(), 1);
        assert!(!measurement.is_over());
    }

    #[test]
    fn what_ends_outside_of_the_measured_time_is_not_counted() {
        let now = Instant::now();
        let mut later = Measurement::new(now + Duration::from_secs(60), now + Duration::from_secs(120));
        later.record(now, &Ok(()));
        assert_eq!(later.report(1.0, 0.0).operations, 0);
        let past = Measurement::new(now, now);
        assert!(past.is_over());
    }
}
