//! `portolan demo`: a small cluster in network namespaces, the real agent, real packets.
//!
//! ```text
//!  story ─ questions ─▶ traffic ─▶ judge ─▶ report
//!     └─── scenes (deployment, broken_file, restart) ─▶ stage: network, agent, manifests
//! ```
//!
//! [`story`] is the table of contents. Nothing outside of the process and one temporary
//! directory is touched, and all of it ends with the process.

mod agent;
mod agent_log;
mod broken_file;
mod clients;
mod deployment;
mod hosts;
mod interrupt;
mod judge;
mod keep;
mod manifests;
mod network;
mod question;
mod report;
mod restart;
mod stage;
mod story;
mod traffic;

use std::process::ExitCode;
use std::time::Instant;

use self::hosts::{CLUSTER_CIDR, NODE_NAME};
use self::interrupt::{EXIT_CODE, Interrupt, Interrupted};
use self::report::{ReaderLeft, Report};
use self::stage::Stage;
use crate::output::complain;

/// Lines of the agent's log that are shown when something went wrong.
const LOG_LINES_SHOWN: usize = 60;

/// The hosts, as [`hosts`] has them.
const INTRODUCTION: [&str; 7] = [
    "",
    "    outside client           demo-node                  ┌─ pods on this node",
    "    203.0.113.2      ─────   192.168.50.10       ───────┤  10.244.1.0/24  fd00:10:244:1::/64",
    "    2001:db8:113::2          fd00:192:168:50::10        └─ pods on another node",
    "                                                           10.244.2.0/24  fd00:10:244:2::/64",
    "",
    "    All of it is in network namespaces of this process, and ends with it.",
];

/// Shows everything. The exit code is 0 only if all of it happened as expected.
///
/// Must be called before this process starts a thread.
pub(crate) fn run(keep: bool) -> anyhow::Result<ExitCode> {
    portolan_lab::enter_or_explain()?;
    match perform(keep) {
        Err(error) if error.is::<Interrupted>() => {
            complain(format_args!("portolan: {error}"));
            Ok(ExitCode::from(EXIT_CODE))
        }
        Err(error) if ReaderLeft::is_behind(&error) => Ok(ExitCode::SUCCESS),
        result => result,
    }
}

fn perform(keep: bool) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let interrupt = Interrupt::catch()?;
    let mut report = Report::on_stdout();
    report.heading("Portolan demo: the real agent and real packets, without root or a cluster")?;
    report.lines(&INTRODUCTION)?;
    let mut stage = Stage::build(report, interrupt)?;
    let well = conclude(story::tell(&mut stage), &mut stage, started)?;
    let program = std::env::args().next().unwrap_or_else(|| "portolan".to_owned());
    match keep {
        true => keep::stay(&mut stage, &program)?,
        false => say_how_to_look_closer(&mut stage.report, &program)?,
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sums up; where something went wrong, with what the agent has to say about it.
fn conclude(told: anyhow::Result<()>, stage: &mut Stage, started: Instant) -> anyhow::Result<bool> {
    if let Err(error) = &told {
        if error.is::<Interrupted>() {
            return told.map(|()| false);
        }
        let finding = report::Finding {
            subject: "the demo cannot go on".to_owned(),
            differences: vec![format!("{error:#}")],
            ..report::Finding::default()
        };
        stage.report.finding(&finding)?;
    }
    let well = stage.report.sum_up(started.elapsed())?;
    if !well {
        let log = stage.agent.log.text()?;
        let lines: Vec<&str> = log.lines().collect();
        let shown = lines.get(lines.len().saturating_sub(LOG_LINES_SHOWN)..).unwrap_or_default();
        stage.report.heading("The log of the agent")?;
        stage.report.lines(shown)?;
    }
    Ok(well)
}

/// What the agent of the demo, and who looks closer, has to know of the node.
fn node_arguments() -> [&'static str; 4] {
    ["--node-name", NODE_NAME, "--cluster-cidr", CLUSTER_CIDR]
}

fn say_how_to_look_closer(report: &mut Report, program: &str) -> anyhow::Result<()> {
    report.heading("To look closer")?;
    report.lines(&[
        format!(
            "    {program} render --source dir:examples/cluster {}",
            node_arguments().join(" ")
        ),
        "        the same rules as text, without touching a kernel".to_owned(),
        format!("    {program} demo --keep"),
        "        stays, and says how to enter the namespaces: nft list ruleset, portolan dump"
            .to_owned(),
        "    cargo xtask test".to_owned(),
        "        every test of the project, those with real packets included".to_owned(),
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use portolan_core::Family;

    use super::hosts::Host;
    use super::*;

    #[test]
    fn the_introduction_shows_the_addresses_that_are_used() {
        let introduction = INTRODUCTION.concat();
        for host in [Host::Node, Host::Outside] {
            for family in Family::BOTH {
                assert!(introduction.contains(&host.address(family).to_string()), "{host:?}");
            }
        }
        for network in ["10.244.1.0/24", "fd00:10:244:1::/64", "10.244.2.0/24"] {
            assert!(introduction.contains(network), "{network}");
        }
    }
}
