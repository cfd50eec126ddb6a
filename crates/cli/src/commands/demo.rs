//! `portolan demo`: what Portolan does, on this machine and without a cluster.

use std::process::ExitCode;

use clap::Args;

use crate::demo;

/// Show what Portolan does, without root and without a cluster.
///
/// Makes network namespaces for a node, its pods, the pods of another node and an outside
/// client, runs the real agent on a directory of YAML, sends real packets, and prints what
/// happens. The exit code is 0 only if all of it happened as expected.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Stay afterwards, to look around: says how to enter the namespaces
    #[arg(long)]
    keep: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    demo::run(arguments.keep)
}
