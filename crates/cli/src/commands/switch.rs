//! `portolan switch`: another backend, without a connection noticing.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, ValueEnum};
use portolan_agent::config::{BackendKind, DEFAULT_CONTROL_SOCKET};
use portolan_agent::control::{Answer, Request, query};

use crate::draining_text;
use crate::output::print;

/// Change the backend of the running agent, without interrupting a connection.
///
/// The new backend is made complete, then takes all new connections in one step; those
/// that are established stay where they are until they end, for as long as --drain-timeout
/// of the agent says. `portolan dump` shows what is left. If the new backend cannot be
/// made, the old one goes on, and the exit code is 1. So it is at once while the agent has
/// not begun its first sync, for want of the API server for example: the answer says what it
/// waits for, and the command is to be given again after that.
///
/// The last word counts: this command, or a change of `backend` in the agent's configuration
/// file, whichever came later. When the agent is started again, its --backend and its file
/// count, which can change it in the same way.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The backend
    #[arg(value_enum)]
    backend: Backend,

    /// Where the agent listens
    #[arg(long, value_name = "PATH", default_value = DEFAULT_CONTROL_SOCKET)]
    control_socket: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Backend {
    Nftables,
    Ipvs,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let to = match arguments.backend {
        Backend::Nftables => BackendKind::Nftables,
        Backend::Ipvs => BackendKind::Ipvs,
    };
    let answer = query(&arguments.control_socket, Request::Switch(to))?;
    let Answer::Switched { from, draining } = answer else {
        bail!("the agent answered another question");
    };
    let (to, before) = (to.name(), from.name());
    let mut text = if to == before {
        format!("new connections go through {to} already\n")
    } else {
        format!("new connections go through {to} now, and no longer through {before}\n")
    };
    text.extend(draining.as_ref().map(draining_text::line));
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
