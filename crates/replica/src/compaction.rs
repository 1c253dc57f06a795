//! When which revisions are compacted by themselves.
//!
//! By count it is plain what to give up. By age it is not, since the history knows no times: so every
//! replica notes now and then which revision it has reached. A node that has just started knows of no past,
//! and if it leads, lets everything grow older than it should by as long as it has been up at most.

use std::collections::VecDeque;
use std::time::Duration;

use quorate_environment::Moment;
use quorate_kv::{Setting, Summary};

/// How finely ages are told apart: in this part of the age at which revisions are compacted.
const SAMPLES_IN_AGE: u32 = 64;
/// Compaction by count waits until it can give up this part of the revisions that are kept, so that not
/// every write is followed by one.
const COUNT_SLACK: u64 = 64;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct CompactionPolicy {
    /// When this replica had reached which revision, in order; each revision at most once.
    samples: VecDeque<(Moment, u64)>,
}

impl CompactionPolicy {
    /// Notes the state at `now`. To be called often.
    pub(crate) fn note(&mut self, now: Moment, state: &Summary) {
        let Some(age_max) = age_max(state) else {
            self.samples.clear();
            return;
        };
        let is_due = self.samples.back().is_none_or(|(at, revision)| {
            *revision < state.revision && now.saturating_since(*at) >= age_max / SAMPLES_IN_AGE
        });
        if is_due {
            self.samples.push_back((now, state.revision));
        }
        // Of those that are old enough only the newest counts.
        while self.samples.get(1).is_some_and(|(at, _)| now.saturating_since(*at) >= age_max) {
            self.samples.pop_front();
        }
    }

    /// The revision to compact now, if it is time for one.
    pub(crate) fn due(&self, now: Moment, state: &Summary) -> Option<u64> {
        let by_age = self.by_age(now, state);
        let by_count = by_count(state);
        let is_due = by_age > state.compacted_revision || by_count >= count_due_from(state);
        is_due.then_some(by_age.max(by_count))
    }

    /// The oldest revision to keep by age, 0 for all.
    fn by_age(&self, now: Moment, state: &Summary) -> u64 {
        match (age_max(state), self.samples.front()) {
            (Some(age_max), Some((at, revision))) if now.saturating_since(*at) >= age_max => *revision,
            _ => 0,
        }
    }
}

fn age_max(state: &Summary) -> Option<Duration> {
    let age_ms = state.settings.get(Setting::CompactionAgeMs);
    (age_ms > 0).then(|| Duration::from_millis(age_ms))
}

/// The oldest revision to keep by count, 0 for all.
fn by_count(state: &Summary) -> u64 {
    match state.settings.get(Setting::CompactionRevisions) {
        0 => 0,
        kept => (state.revision + 1).saturating_sub(kept),
    }
}

/// How much there has to be given up by count.
fn count_due_from(state: &Summary) -> u64 {
    let slack = state.settings.get(Setting::CompactionRevisions) / COUNT_SLACK;
    state.compacted_revision + slack.max(1)
}

#[cfg(test)]
mod tests {
    use quorate_kv::{SettingChange, Settings};

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_origin(Duration::from_secs(seconds))
    }

    /// A state with these settings: seconds of age, number of revisions.
    fn state(revision: u64, compacted_revision: u64, age: u64, count: u64) -> Summary {
        let change = |setting, value| SettingChange { setting, value };
        let changes =
            [change(Setting::CompactionAgeMs, age * 1000), change(Setting::CompactionRevisions, count)];
        let settings = Settings::DEFAULT.changed(&changes).expect("in bounds");
        Summary { revision, compacted_revision, settings, ..Summary::default() }
    }

    /// A policy that has looked every second while every second one revision was written.
    fn after(seconds: u64, age: u64) -> CompactionPolicy {
        let mut policy = CompactionPolicy::default();
        for second in 0..=seconds {
            policy.note(at(second), &state(second, 0, age, 0));
        }
        policy
    }

    #[test]
    fn revisions_are_given_up_when_they_are_too_old() {
        let policy = after(100, 60);
        assert_eq!(policy.due(at(100), &state(100, 0, 60, 0)), Some(40));
        assert_eq!(policy.due(at(100), &state(100, 40, 60, 0)), None, "they are given up already");
        assert_eq!(after(59, 60).due(at(59), &state(59, 0, 60, 0)), None, "none is old enough");
    }

    #[test]
    fn the_last_revision_grows_old_too() {
        let mut policy = after(10, 60);
        policy.note(at(1000), &state(10, 0, 60, 0));
        assert_eq!(policy.due(at(1000), &state(10, 0, 60, 0)), Some(10));
    }

    #[test]
    fn few_samples_tell_ages_well_enough() {
        let policy = after(10_000, 3600);
        assert!(policy.samples.len() <= SAMPLES_IN_AGE as usize + 2, "{}", policy.samples.len());
        let due = policy.due(at(10_000), &state(10_000, 0, 3600, 0)).expect("some are old");
        assert!((10_000 - 3600 - 60..=10_000 - 3600).contains(&due), "{due}");
    }

    #[test]
    fn as_many_revisions_are_kept_as_the_setting_says() {
        let policy = CompactionPolicy::default();
        assert_eq!(policy.due(at(1), &state(100, 0, 0, 30)), Some(71));
        assert_eq!(policy.due(at(1), &state(100, 71, 0, 30)), None);
        assert_eq!(policy.due(at(1), &state(100, 0, 0, 101)), None);
        assert_eq!(policy.due(at(1), &state(10_063, 10_000 - 6_399, 0, 6_400)), None, "not yet worth it");
        assert_eq!(policy.due(at(1), &state(10_100, 10_000 - 6_399, 0, 6_400)), Some(3_701));
    }

    #[test]
    fn a_setting_of_zero_switches_off() {
        let mut policy = after(100, 60);
        policy.note(at(101), &state(101, 0, 0, 0));
        assert_eq!(policy.due(at(1000), &state(101, 0, 0, 0)), None);
        assert_eq!(policy.due(at(1000), &state(101, 0, 60, 0)), None, "switched on again, it begins anew");
    }
}
