//! One copy of each name that many objects share.

use std::collections::HashSet;
use std::sync::Arc;

/// Names of nodes, zones, namespaces and ports, each kept once: 250,000 endpoints live on
/// a few thousand nodes.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: HashSet<Arc<str>>,
    /// The number of names at which those that nobody else holds are forgotten.
    sweep_at: usize,
}

/// Below this many names a sweep is not worth the walk.
const SMALLEST_SWEEP: usize = 1024;

impl Names {
    /// The shared copy of `name`.
    pub(crate) fn share(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.known.get(name) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.sweep_at.max(SMALLEST_SWEEP) {
            self.known.retain(|name| Arc::strong_count(name) > 1);
            // Twice what is in use, so that sweeps cost a constant share of the inserts.
            self.sweep_at = self.known.len().saturating_mul(2);
        }
        let name: Arc<str> = name.into();
        self.known.insert(Arc::clone(&name));
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_is_shared() {
        let mut names = Names::default();
        assert!(Arc::ptr_eq(&names.share("node-1"), &names.share("node-1")));
        assert!(!Arc::ptr_eq(&names.share("node-1"), &names.share("node-2")));
    }

    #[test]
    fn names_that_nobody_holds_are_forgotten() {
        let mut names = Names::default();
        let held = names.share("held");
        for node in 0..10 * SMALLEST_SWEEP {
            names.share(&format!("node-{node}"));
        }
        assert!(names.known.len() <= 2 * SMALLEST_SWEEP, "{} names", names.known.len());
        assert!(Arc::ptr_eq(&held, &names.share("held")));
    }
}
