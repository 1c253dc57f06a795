//! Which faults strike when.
//!
//! All nemeses that were chosen have their turns, in an order that the seed shuffles anew whenever all have had one. In
//! about every third round another one joins in that lays its hands on something else. Whichever of the two came first,
//! either may be healed first: so a node that was killed is started on a disk that is still full, or on one that is not
//! any more. Between rounds the cluster is left alone, so that it can be seen how it recovers.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::nemesis::Sphere;

/// How long the cluster is left alone after each round.
const PAUSE_MILLISECONDS: RangeInclusive<u64> = 2_500..=4_500;
/// In how many of a hundred rounds another one joins in.
const COMBINED_PERCENT: u32 = 35;
/// How long after the first one it strikes, at most.
const STAGGER_MILLISECONDS: RangeInclusive<u64> = 0..=1_200;

/// What the schedule has to know of a nemesis.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What it lays its hands on.
    pub spheres: &'static [Sphere],
    /// How long its faults may last.
    pub duration: RangeInclusive<Duration>,
}

/// One round: strikes, a while, healing, and a pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// Who strikes, by place in the list of candidates: the first at once, the others after [`Self::stagger`].
    pub strikers: Vec<usize>,
    /// The same, in the order in which they are healed: the first at once, the others after [`Self::stagger`].
    pub healers: Vec<usize>,
    /// How long the others wait.
    pub stagger: Duration,
    /// How long the faults last once they are there.
    pub duration: Duration,
    /// How long the cluster is left alone when they are healed.
    pub pause: Duration,
}

/// Rounds without end.
#[derive(Debug)]
pub struct Schedule {
    candidates: Vec<Candidate>,
    random: ChaCha8Rng,
    /// Those whose turn is still to come, the next one last.
    turns: Vec<usize>,
}

impl Schedule {
    /// The schedule of these candidates, all of it decided by the random numbers.
    pub fn new(candidates: Vec<Candidate>, random: ChaCha8Rng) -> Self {
        Self { candidates, random, turns: Vec::new() }
    }

    /// The next round; None if there is nobody to strike.
    pub fn next_round(&mut self) -> Option<Round> {
        let first = self.next_turn()?;
        let mut strikers = vec![first];
        if self.random.random_range(0..100) < COMBINED_PERCENT {
            let alone = self.candidates[first].spheres;
            let goes_with = |other: &usize| may_combine(alone, self.candidates[*other].spheres);
            let others: Vec<_> = (0..self.candidates.len()).filter(goes_with).collect();
            strikers.extend(others.choose(&mut self.random));
        }
        let longest = strikers.iter().map(|&striker| self.candidates[striker].duration.clone());
        let longest = longest.max_by_key(|duration| *duration.end()).expect("somebody strikes");
        let duration = self.random.random_range(longest.start().as_micros()..=longest.end().as_micros());
        let mut healers = strikers.clone();
        healers.shuffle(&mut self.random);
        Some(Round {
            strikers,
            healers,
            stagger: Duration::from_millis(self.random.random_range(STAGGER_MILLISECONDS)),
            duration: Duration::from_micros(u64::try_from(duration).expect("faults are short")),
            pause: Duration::from_millis(self.random.random_range(PAUSE_MILLISECONDS)),
        })
    }

    fn next_turn(&mut self) -> Option<usize> {
        if self.turns.is_empty() {
            self.turns = (0..self.candidates.len()).collect();
            self.turns.shuffle(&mut self.random);
        }
        self.turns.pop()
    }
}

/// Whether two may strike in the same round.
fn may_combine(one: &[Sphere], other: &[Sphere]) -> bool {
    let is_alone = |spheres: &[Sphere]| spheres.contains(&Sphere::Members);
    !is_alone(one) && !is_alone(other) && !one.iter().any(|sphere| other.contains(sphere))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;

    use super::*;

    fn candidates() -> Vec<Candidate> {
        let spheres: [&'static [Sphere]; 6] = [
            &[Sphere::Processes],
            &[Sphere::Processes, Sphere::Room],
            &[Sphere::Room],
            &[Sphere::Network],
            &[Sphere::Disks],
            &[Sphere::Members],
        ];
        let duration = Duration::from_secs(1)..=Duration::from_secs(5);
        spheres.map(|spheres| Candidate { spheres, duration: duration.clone() }).to_vec()
    }

    fn rounds(seed: u64) -> Vec<Round> {
        let mut schedule = Schedule::new(candidates(), ChaCha8Rng::seed_from_u64(seed));
        (0..100).map(|_| schedule.next_round().expect("there are candidates")).collect()
    }

    #[test]
    fn a_seed_is_one_schedule() {
        assert_eq!(rounds(1), rounds(1));
        assert_ne!(rounds(1), rounds(2));
    }

    #[test]
    fn all_have_their_turn_before_one_has_another() {
        for turns in rounds(3).chunks_exact(6) {
            let first: BTreeSet<_> = turns.iter().map(|round| round.strikers[0]).collect();
            assert_eq!(first.len(), 6);
        }
    }

    #[test]
    fn who_strikes_together_does_not_get_in_each_others_way() {
        let candidates = candidates();
        let rounds = rounds(4);
        let together: Vec<_> = rounds.iter().filter(|round| round.strikers.len() > 1).collect();
        assert!(together.len() > 10, "{} rounds are combined", together.len());
        for round in together {
            let spheres: Vec<_> = round.strikers.iter().flat_map(|&who| candidates[who].spheres).collect();
            let different: BTreeSet<_> = spheres.iter().collect();
            assert_eq!(different.len(), spheres.len());
            assert!(!spheres.contains(&&Sphere::Members));
        }
    }

    #[test]
    fn either_is_healed_first() {
        let rounds = rounds(6);
        let (same, other): (Vec<_>, Vec<_>) = rounds
            .iter()
            .filter(|round| round.strikers.len() == 2)
            .partition(|round| round.healers == round.strikers);
        assert!(same.len() > 5 && other.len() > 5, "{} and {}", same.len(), other.len());
        assert!(other.iter().all(|round| round.healers.iter().rev().eq(&round.strikers)));
    }

    #[test]
    fn faults_last_as_long_as_they_may() {
        for round in rounds(5) {
            assert!((1_000..=5_000).contains(&round.duration.as_millis()));
        }
    }

    #[test]
    fn without_nemeses_there_is_no_round() {
        assert_eq!(Schedule::new(Vec::new(), ChaCha8Rng::seed_from_u64(1)).next_round(), None);
    }
}
