//! How a relay treats packets.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// What happens to each packet on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// How long every packet takes at least.
    pub delay: Duration,
    /// What is added to that, anything up to this.
    pub jitter: Duration,
    /// How many of a thousand packets are held back for another [`Self::detour`], so that later ones overtake them.
    pub detours_per_mille: u32,
    /// How long a detour takes.
    pub detour: Duration,
    /// How many of a thousand packets arrive twice.
    pub repeated_per_mille: u32,
}

impl Conditions {
    /// After how long a packet arrives; twice, if it is repeated.
    pub fn arrivals(&self, random: &mut ChaCha8Rng) -> (Duration, Option<Duration>) {
        let first = self.one_way(random);
        let again = self.strikes(self.repeated_per_mille, random).then(|| self.one_way(random));
        (first, again)
    }

    fn one_way(&self, random: &mut ChaCha8Rng) -> Duration {
        let jitter = self.jitter.mul_f64(random.random::<f64>());
        let detour = if self.strikes(self.detours_per_mille, random) { self.detour } else { Duration::ZERO };
        self.delay + jitter + detour
    }

    fn strikes(&self, per_mille: u32, random: &mut ChaCha8Rng) -> bool {
        per_mille > 0 && random.random_range(0..1000) < per_mille
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn packets_take_what_the_conditions_say() {
        let conditions = Conditions {
            delay: Duration::from_millis(50),
            jitter: Duration::from_millis(10),
            detours_per_mille: 200,
            detour: Duration::from_millis(100),
            repeated_per_mille: 100,
        };
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let arrivals: Vec<_> = (0..10_000).map(|_| conditions.arrivals(&mut random)).collect();
        let late = arrivals.iter().filter(|(first, _)| *first >= Duration::from_millis(150)).count();
        let twice = arrivals.iter().filter(|(_, again)| again.is_some()).count();
        assert!(arrivals.iter().all(|(first, _)| (50..=160).contains(&first.as_millis())));
        assert!((1_800..2_200).contains(&late), "{late} detours");
        assert!((900..1_100).contains(&twice), "{twice} repeated");
    }

    #[test]
    fn no_conditions_are_no_delay() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(Conditions::default().arrivals(&mut random), (Duration::ZERO, None));
    }
}
