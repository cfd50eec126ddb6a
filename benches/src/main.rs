//! Measures the way from an event to the kernel, beside the bare netlink floor: the same
//! transaction, encoded beforehand, sent by itself.
//!
//! Runs in a network namespace of its own; needs no root and touches nothing else.

mod cluster;
mod connections;
mod measure;
mod runs;

use clap::Parser;
use nix::sched::{CloneFlags, unshare};

/// Measure the nftables backend beside the bare netlink floor.
#[derive(Debug, Parser)]
struct Arguments {
    /// Numbers of services.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 50_000])]
    services: Vec<u32>,
    /// Endpoints of each service.
    #[arg(long, default_value_t = 10)]
    endpoints: u32,
    /// Full synchronisations; the median counts.
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Single changes of each kind.
    #[arg(long, default_value_t = 500)]
    changes: u32,
    /// Connections of each kind; none leaves this part out.
    #[arg(long, default_value_t = 3_000)]
    connections: u32,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    enter_namespace()?;
    runs::headline();
    for services in &arguments.services {
        runs::run(*services, &arguments)?;
        if arguments.connections > 0 {
            connections::run(*services, arguments.connections)?;
        }
    }
    Ok(())
}

/// Root needs no user namespace, and outside of one may send transactions of any size.
fn enter_namespace() -> anyhow::Result<()> {
    if unshare(CloneFlags::CLONE_NEWNET).is_err() {
        portolan_lab::enter_or_explain()?;
    }
    Ok(())
}
