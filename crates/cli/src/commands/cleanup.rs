//! `portolan cleanup`: leave nothing behind.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use portolan_agent::config::DEFAULT_CONTROL_SOCKET;
use portolan_agent::{Claim, Sole, claim, route_localnet_warning};
use portolan_ipvs::IpvsOptions;
use portolan_nft::{NftOptions, cleanup};

use crate::output::{complain, print};

/// Remove everything that Portolan put into the kernel, and nothing else.
///
/// Needs CAP_NET_ADMIN. Services are no longer served for new connections; those that are
/// established go on, but for those that IPVS has, which end. Stop the agent before: it would
/// put everything back, so the exit code is 1 and nothing is removed while one runs in this
/// network namespace, or listens at the control socket. The kernel's
/// net.ipv4.conf.all.route_localnet is not changed, but warned about if it is set.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where a running agent would listen
    #[arg(long, value_name = "PATH", default_value = DEFAULT_CONTROL_SOCKET)]
    control_socket: PathBuf,

    /// Remove everything although an agent runs
    #[arg(long)]
    force: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (agent, _sole) = running(arguments)?;
    match agent {
        Some(agent) if arguments.force => {
            complain(format_args!("{agent}: it will put back what is removed now"));
        }
        Some(agent) => bail!(
            "{agent} and would put back what is removed: stop it first (its DaemonSet, its unit or \
             its process), or give --force"
        ),
        None => {}
    }
    // The rules that lead clients there go first.
    let mut deleted = cleanup(&NftOptions::default().table)?;
    deleted.extend(portolan_ipvs::cleanup(&IpvsOptions::default())?);
    let mut text: String = deleted.iter().map(|object| format!("deleted {object}\n")).collect();
    if text.is_empty() {
        text.push_str("nothing to delete\n");
    }
    print(&text)?;
    if let Some(warning) = route_localnet_warning() {
        complain(format_args!("{warning}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The agent that runs, in words. If there is none, none starts to work while the claim is
/// kept.
fn running(arguments: &Arguments) -> anyhow::Result<(Option<String>, Option<Sole>)> {
    let claim = claim().context("cannot find out whether an agent runs; --force does without");
    let sole = match claim {
        Ok(Claim::Agent(holder)) => {
            let agent = format!("an agent runs in this network namespace ({holder})");
            return Ok((Some(agent), None));
        }
        Ok(Claim::Granted(sole)) => Some(sole),
        // An agent does not wait for it either.
        Ok(Claim::Stranger(_)) => None,
        Err(_) if arguments.force => None,
        Err(error) => return Err(error),
    };
    // One that could not claim the namespace, or works in another one.
    let listens = UnixStream::connect(&arguments.control_socket).is_ok();
    let agent = || format!("an agent listens at {}", arguments.control_socket.display());
    Ok((listens.then(agent), sole))
}
