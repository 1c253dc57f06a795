//! The greatest number that was known at each moment.

/// A number that only grows, with its past.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    /// In the order of time; the numbers grow strictly.
    steps: Vec<(u64, u64)>,
}

impl Timeline {
    /// `number` became known at `time_ns`. Times do not go back.
    pub(super) fn reach(&mut self, time_ns: u64, number: u64) {
        let (last_time, last) = self.steps.last().copied().unwrap_or_default();
        assert!(last_time <= time_ns, "observations arrive in the order of time");
        if number > last || self.steps.is_empty() {
            self.steps.push((time_ns, number));
        }
    }

    /// The greatest number that was known before `time_ns`, and since when.
    pub(super) fn before(&self, time_ns: u64) -> Option<(u64, u64)> {
        let count = self.steps.partition_point(|(time, _)| *time < time_ns);
        self.steps[..count].last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_remembers_what_was_known_when() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.before(100), None);
        timeline.reach(10, 5);
        timeline.reach(20, 3);
        timeline.reach(30, 9);
        assert_eq!(timeline.before(10), None);
        assert_eq!(timeline.before(11), Some((10, 5)));
        assert_eq!(timeline.before(30), Some((10, 5)));
        assert_eq!(timeline.before(31), Some((30, 9)));
    }
}
