//! Random choices that a seed replays.

use proptest::prelude::RngExt as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// A source of choices. The same seed gives the same choices, on every machine.
pub(crate) struct Dice {
    rng: TestRng,
}

impl Dice {
    /// The choices of one round of a seed: any round can be replayed without the others.
    pub(crate) fn new(seed: u64, round: u64) -> Dice {
        let mut bytes = [0; 32];
        let numbers = seed.to_le_bytes().into_iter().chain(round.to_le_bytes());
        bytes.iter_mut().zip(numbers).for_each(|(byte, number)| *byte = number);
        Dice { rng: TestRng::from_seed(RngAlgorithm::ChaCha, &bytes) }
    }

    /// A number from 0 to `count` - 1.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        self.rng.random_range(0..count)
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// One of them.
    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from.get(self.below(from.len())).cloned().unwrap()
    }

    /// Each of them, so many times in a hundred.
    pub(crate) fn some<T: Clone>(&mut self, from: &[T], chance: usize) -> Vec<T> {
        from.iter().filter(|_| self.percent(chance)).cloned().collect()
    }

    /// So many different ones, or all if there are fewer.
    pub(crate) fn several<T: Clone>(&mut self, from: &[T], count: usize) -> Vec<T> {
        let mut left = from.to_vec();
        while left.len() > count {
            left.remove(self.below(left.len()));
        }
        left
    }
}
