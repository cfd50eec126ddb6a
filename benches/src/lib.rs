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
mod observe;
mod process;
mod processors;
mod progress;
mod report;
mod scenarios;
mod session;
mod statistics;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, setsockopt, socket, sockopt,
};
use portolan_netlink::ipvs::Ipvs;

pub use self::allocations::CountingAllocator;
pub use self::arguments::Arguments;
use self::arms::Arm;
pub use self::arms::{Backend, Mode};
pub use self::cluster::Shares;
use self::figures::Figures;
use self::observe::Contents;
use self::progress::Progress;
pub use self::report::Report;
use self::report::{Baseline, compare, plot, table};
use self::scenarios::Run;
use self::scenarios::names::OF_EVERY_RUN;
use self::scenarios::plan::{Plan, fits};

/// Any size will do.
const SOME_BYTES: usize = 64 * 1024;

/// Measures, prints and writes what the arguments say. The exit code is 1 if a comparison
/// found something worse.
///
/// # Errors
///
/// What could not be measured, or is not as it has to be.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let report = match &arguments.from {
        Some(path) => Report::read(path)?,
        None => {
            let report = measure(arguments)?;
            report.write(&arguments.json)?;
            report
        }
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

/// Measures everything. The process must be in namespaces of its own.
///
/// # Errors
///
/// What could not be measured, or is not as it has to be.
pub fn measure(arguments: &Arguments) -> anyhow::Result<Report> {
    let progress = Progress::new(arguments.no_progress);
    let arms = arms(arguments)?;
    if let Some(most) = arguments.services.iter().max()
        && arguments.backend == Backend::Nftables
        && !may_send_anything()?
    {
        progress.say("whether the kernel takes a transaction of this size from this user");
        fits(&arguments.load(*most))?;
    }
    let mut figures = Figures::default();
    for services in &arguments.services {
        let load = arguments.load(*services);
        for run in 0..arguments.runs.max(1) {
            for arm in &arms {
                let (load, figures, progress) = (&load, &mut figures, &progress);
                Run { arm, run, load, figures, progress }.measure()?;
            }
        }
        // `cargo xtask vm --bench` does so for IPVS, which has no floor.
        if arguments.backend == Backend::Nftables {
            let (load, runs, figures) = (&load, arguments.runs, &mut figures);
            Plan { load, runs, figures, progress: &progress }.measure()?;
        }
    }
    let typed = std::env::args().skip(1).collect();
    let report = Report::new(&figures, typed, progress.elapsed_seconds());
    for scenario in OF_EVERY_RUN.into_iter().filter(|it| arguments.wants(it)) {
        ensure!(report.has(scenario), "{scenario:?} gave no figure");
    }
    Ok(report)
}

/// Whether this process may raise the size of a send buffer above `net.core.wmem_max`.
fn may_send_anything() -> anyhow::Result<bool> {
    let (family, kind) = (AddressFamily::Netlink, SockType::Raw);
    let socket = socket(family, kind, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkNetFilter)?;
    Ok(setsockopt(&socket, sockopt::SndBufForce, &SOME_BYTES).is_ok())
}

fn arms(arguments: &Arguments) -> anyhow::Result<Vec<Arm>> {
    let mut arms = vec![Arm::portolan(&agent(arguments)?, arguments.backend)];
    if let Some(program) = &arguments.kube_proxy {
        let (mode, path) = (arguments.kube_proxy_mode, &arguments.kube_proxy_path);
        arms.push(Arm::kube_proxy(program, mode, path, &arguments.kube_proxy_flag));
    }
    if arms.iter().any(|arm| arm.contents == Contents::VirtualServers) {
        has_ipvs()?;
    }
    Ok(arms)
}

/// Before anything is measured: else the first arm would be waited for in vain.
fn has_ipvs() -> anyhow::Result<()> {
    Ipvs::open()
        .and_then(|mut ipvs| ipvs.info())
        .context("IPVS cannot be measured here: it takes a kernel that has it, and root")?;
    Ok(())
}

/// The agent: named, or beside this program, where cargo puts both.
fn agent(arguments: &Arguments) -> anyhow::Result<PathBuf> {
    let path = match &arguments.portolan {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("portolan"),
    };
    ensure!(
        path.is_file(),
        "there is no agent {}: build it with `cargo build --release -p portolan`, or name it with \
         --portolan",
        path.display()
    );
    path.canonicalize().context("cannot find the agent")
}
