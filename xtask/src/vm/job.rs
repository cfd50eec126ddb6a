//! What the runner outside and the first process inside the machine tell each other.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Where the machine finds its [`Job`].
pub const JOB: &str = "/job";

/// The serial port on which the machine sends a line for each [`Finished`]. The console is
/// another one, so that nothing a test prints is taken for its result.
pub const RESULTS: &str = "/dev/ttyS1";

/// The name under which the machine reports, last of all, whether its kernel has warned:
/// as zero, or as those bits of `kernel.tainted` that say so.
pub const HEALTH: &str = "no warning of the kernel";

/// All that a machine does, as a file in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Kernel modules to load, in this order.
    pub modules: Vec<PathBuf>,
    /// Environment variables of the programs.
    pub variables: Vec<(String, String)>,
    /// Programs to run, one after the other.
    pub programs: Vec<Program>,
}

/// A test program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The package and the name of the test, for people.
    pub name: String,
    /// What to execute.
    pub path: PathBuf,
    /// Where: the directory of the package, as under Cargo.
    pub directory: PathBuf,
    /// For the test harness.
    pub arguments: Vec<String>,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// The program's [`Program::name`], or [`HEALTH`].
    pub name: String,
    /// Its exit status; none if a signal ended it or it could not be started.
    pub code: Option<i32>,
    /// How long it ran, in milliseconds of the machine's clock.
    pub milliseconds: u64,
}

impl Finished {
    /// The results in what the machine sent.
    ///
    /// # Errors
    /// When a line is not one.
    pub fn parse(text: &str) -> Result<Vec<Finished>> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines
            .map(|line| {
                serde_json::from_str(line)
                    .with_context(|| format!("the machine sent no result but {line:?}"))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_as_a_terminal_sends_them() {
        let finished = Finished { name: "a/b".to_owned(), code: Some(101), milliseconds: 7 };
        let line = serde_json::to_string(&finished).unwrap();
        let results = Finished::parse(&format!("{line}\r\n{line}\r\n")).unwrap();
        assert_eq!(results, [finished.clone(), finished]);
    }

    #[test]
    fn half_a_result_is_refused() {
        assert!(Finished::parse("{\"name\":\"a/b\",\"co").is_err());
    }
}
