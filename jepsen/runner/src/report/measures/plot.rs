//! Requests over time, as they are plotted.

use serde::Serialize;

use super::Outcomes;
use crate::history::{Outcome, Sample};

/// How many bars and points a plot has at most.
const SLICES_MAX: u64 = 240;
/// The shortest time that one of them stands for, in nanoseconds.
const SLICE_NS_MIN: u64 = 250_000_000;

/// What happened in equal slices of time, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Plot {
    /// How long a slice is, in nanoseconds.
    pub slice: u64,
    /// Requests that ended in it.
    pub outcomes: Vec<Outcomes>,
    /// The latency of those that were answered, in nanoseconds: half were faster, 99 of 100 were faster, the slowest.
    pub latencies: Vec<Option<[u64; 3]>>,
}

impl Plot {
    /// What is plotted of a run of this length, in nanoseconds.
    pub(super) fn new(samples: &[Sample], length: u64) -> Self {
        let slice = length.div_ceil(SLICES_MAX).max(SLICE_NS_MIN);
        let slices = length.div_ceil(slice) as usize;
        let mut outcomes = vec![Outcomes::default(); slices];
        let mut latencies = vec![Vec::new(); slices];
        for sample in samples {
            let place = (sample.ended / slice) as usize;
            // Answers that come after the end belong to no slice.
            let Some(counted) = outcomes.get_mut(place) else { continue };
            counted.count(sample.outcome);
            if sample.outcome == Outcome::Ok {
                latencies[place].push(sample.ended - sample.began);
            }
        }
        let quantiles = |mut latencies: Vec<u64>| {
            latencies.sort_unstable();
            let slowest = *latencies.last()?;
            let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
            Some([at(50), at(99), slowest])
        };
        Self { slice, outcomes, latencies: latencies.into_iter().map(quantiles).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn write(ended: u64) -> Sample {
        Sample { began: ended - 1, ended, node: 1, is_write: true, outcome: Outcome::Ok }
    }

    #[test]
    fn requests_are_plotted_in_the_slice_in_which_they_ended() {
        let plot = Plot::new(&[write(SECOND / 8), write(SECOND * 3 / 8)], SECOND / 2);
        let one = Outcomes { ok: 1, ..Outcomes::default() };
        assert_eq!(plot.outcomes, [one, one]);
        assert_eq!(plot.latencies, [Some([1, 1, 1]); 2]);
    }
}
