//! The command line.

mod cleanup;
#[cfg(feature = "demo")]
mod demo;
mod dump;
mod explain;
mod render;
mod run;
mod switch;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

const EXIT_CODES: &str = "The exit code is 2 if an option is unknown, lacks its value or has one of the \
     wrong form, 1 if anything else goes wrong, and 0 if nothing does.";

/// A kube-proxy replacement: serves Kubernetes Services with nftables or IPVS.
#[derive(Debug, Parser)]
#[command(name = "portolan", version, max_term_width = 100, after_long_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Arguments>),
    Render(Box<render::Arguments>),
    Dump(dump::Arguments),
    Explain(Box<explain::Arguments>),
    Switch(switch::Arguments),
    Cleanup(cleanup::Arguments),
    #[cfg(feature = "demo")]
    Demo(demo::Arguments),
}

impl Cli {
    /// Does what was asked for. An error means exit code 1.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Run(arguments) => run::run(&arguments),
            Command::Render(arguments) => render::run(&arguments),
            Command::Dump(arguments) => dump::run(&arguments),
            Command::Explain(arguments) => explain::run(&arguments),
            Command::Switch(arguments) => switch::run(&arguments),
            Command::Cleanup(arguments) => cleanup::run(&arguments),
            #[cfg(feature = "demo")]
            Command::Demo(arguments) => demo::run(&arguments),
        }
    }
}
