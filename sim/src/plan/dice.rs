//! The generator that plans and clients draw from.

use std::ops::RangeInclusive;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A stream of random choices that a seed determines, on every machine.
///
/// The numbers are those that `rand` and `rand_chacha` give. A test holds them, so that an update that
/// changes them is noticed: after it a seed gives another plan, and the clients of a kept plan, who draw
/// as they go, ask for other things. What a plan *says* stays.
#[derive(Clone, Debug)]
pub struct Dice {
    generator: ChaCha8Rng,
}

impl Dice {
    /// The choices of `seed`. Each `stream` of a seed is independent of its others.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self { generator }
    }

    /// A number in `range`, each equally likely.
    pub fn range(&mut self, range: RangeInclusive<u64>) -> u64 {
        self.generator.random_range(range)
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.range(0..=99) < percent
    }

    /// One of `choices`, each equally likely.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// The position of one of `weights`, each as likely as it is heavy.
    pub fn weighted(&mut self, weights: &[u64]) -> usize {
        let total: u64 = weights.iter().sum();
        let mut left = self.range(0..=total - 1);
        for (position, weight) in weights.iter().enumerate() {
            if left < *weight {
                return position;
            }
            left -= weight;
        }
        unreachable!("the draw is less than the sum of the weights")
    }

    /// Puts `items` into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }

    /// A random 64-bit number.
    pub fn number(&mut self) -> u64 {
        self.range(0..=u64::MAX)
    }

    fn index(&mut self, length: usize) -> usize {
        self.range(0..=length as u64 - 1) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_choices_that_it_gave_before() {
        let mut dice = Dice::new(7, 1);
        let numbers = [dice.number(), dice.range(0..=9), dice.range(50..=1_000_000), dice.number()];
        assert_eq!(numbers, [18_301_176_669_829_311_175, 0, 721_626, 9_741_831_564_152_063_589]);
        assert_ne!(Dice::new(7, 2).number(), Dice::new(7, 1).number());
    }
}
