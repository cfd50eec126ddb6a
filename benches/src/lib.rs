//! Measures a node: the agent as its users run it, against an API server, seen from the
//! kernel; beside the bare netlink floor and, if there is one, a real kube-proxy.
//!
//! ```text
//!  cluster ─▶ API server ─▶ arm (a process) ─▶ kernel ─▶ observe
//!     │                                                     │
//!     └── what was written, and when ──────▶ scenarios ◀────┘
//!                                               │
//!                                            figures ─▶ table, JSON, plot, comparison
//! ```
//!
//! `README.md` beside this says what is measured from where, and why.

mod allocations;
mod arguments;
mod arms;
mod ask;
mod cluster;
mod feed;
mod figures;
mod freed;
mod measure;
mod observe;
mod process;
mod processors;
mod progress;
mod report;
mod scenarios;
mod scratch;
mod session;
mod statistics;
mod transport;

use std::process::ExitCode;

pub use self::allocations::CountingAllocator;
pub use self::arguments::Arguments;
pub use self::arms::{Backend, Mode};
pub use self::cluster::Shares;
pub use self::measure::measure;
pub use self::report::Report;
use self::report::{Baseline, compare, plot, table};
pub use self::scratch::remove_when_interrupted;

/// Measures, prints and writes what the arguments say. The exit code is 1 if a comparison
/// found something worse.
///
/// # Errors
///
/// What could not be measured, or is not as it has to be.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let report = match &arguments.from {
        Some(path) => Report::read(path)?,
        None => measure(arguments)?,
    };
    print!("{}", table(&report));
    if let Some(path) = &arguments.plot {
        plot(&report, path)?;
    }
    if let Some(path) = &arguments.write_baseline {
        Baseline::of(&report).write(path)?;
    }
    let Some(path) = &arguments.compare else { return Ok(ExitCode::SUCCESS) };
    let comparison = compare(&report, &Baseline::read(path)?);
    print!("\n{}", comparison.text);
    if comparison.failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nworse than {}: {}", path.display(), comparison.failed.join("; "));
    Ok(ExitCode::FAILURE)
}
