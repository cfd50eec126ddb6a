//! `portolan cleanup`: leave nothing behind.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use portolan_agent::config::DEFAULT_CONTROL_SOCKET;
use portolan_agent::route_localnet_warning;
use portolan_ipvs::IpvsOptions;
use portolan_nft::{NftOptions, cleanup};

use crate::output::{complain, print};

/// Remove everything that Portolan put into the kernel, and nothing else.
///
/// Needs CAP_NET_ADMIN. Services are no longer served for new connections; those that are
/// established go on. Stop the agent before, or it puts everything back. The kernel's
/// net.ipv4.conf.all.route_localnet is not changed, but warned about if it is set.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where a running agent would listen
    #[arg(long, value_name = "PATH", default_value = DEFAULT_CONTROL_SOCKET)]
    control_socket: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if UnixStream::connect(&arguments.control_socket).is_ok() {
        complain(format_args!(
            "an agent is running at {}: it will put back what is removed now",
            arguments.control_socket.display()
        ));
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
