//! The choices of a run.

use std::ops::RangeInclusive;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A stream of random choices that a seed determines. What clients *choose* is the same in every run of a seed; when
/// they choose it, and what they are answered, is not.
#[derive(Clone, Debug)]
pub struct Choices {
    generator: ChaCha8Rng,
}

impl Choices {
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
            items.swap(last, self.range(0..=last as u64) as usize);
        }
    }
}
