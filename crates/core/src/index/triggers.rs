//! When changes of EndpointSlices began, for whoever measures how long they take.

use crate::model::Family;

/// More than this says nothing more about the node.
const MOST: usize = 10_000;

/// Times that were not taken yet.
#[derive(Debug, Default)]
pub(super) struct Triggers(Vec<(Family, i64)>);

impl Triggers {
    pub(super) fn note(&mut self, family: Family, time: Option<i64>) {
        if let Some(time) = time.filter(|_| self.0.len() < MOST) {
            self.0.push((family, time));
        }
    }

    pub(super) fn take(&mut self) -> Vec<(Family, i64)> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_cannot_be_reached_for_long_does_not_fill_the_memory() {
        let mut triggers = Triggers::default();
        for time in 0..=10_000 {
            triggers.note(Family::V4, Some(time));
        }
        assert_eq!(triggers.take().len(), MOST);
        assert!(triggers.take().is_empty());
    }
}
