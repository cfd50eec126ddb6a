//! What was measured: without it nobody can measure it again.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where `cargo xtask bench` says which commit it has built.
const COMMIT: &str = "PORTOLAN_BENCH_COMMIT";
/// And with which profile of cargo.
const PROFILE: &str = "PORTOLAN_BENCH_PROFILE";

/// Both are empty where nobody said so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Build {
    pub(super) commit: String,
    pub(super) profile: String,
}

impl Build {
    /// Whether it is what the tests' lane `bench` builds: its dependencies are not optimised.
    pub(super) fn is_lane_s(&self) -> bool {
        self.profile == "bench-ci"
    }

    pub(super) fn of_environment() -> Build {
        let said = |name| std::env::var(name).unwrap_or_default();
        Build { commit: said(COMMIT), profile: said(PROFILE) }
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = |text: &str, what| if text.is_empty() { what } else { text.to_owned() };
        let commit = known(&self.commit, "of no known commit".to_owned());
        write!(f, "{commit}, {}", known(&self.profile, "of no known profile".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_told_by_its_commit_and_profile() {
        let build = Build { commit: "1234abc".to_owned(), profile: "release".to_owned() };
        assert_eq!(build.to_string(), "1234abc, release");
        let unknown = Build::default().to_string();
        assert_eq!(unknown, "of no known commit, of no known profile");
    }
}
