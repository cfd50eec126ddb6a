//! `portolan`: a kube-proxy replacement.

mod commands;
#[cfg(feature = "demo")]
mod demo;
mod draining_text;
mod explain_text;
mod kernel_table;
mod layout;
mod logging;
mod loopback_text;
mod memory;
mod node_arguments;
mod offline;
mod output;
mod plan_table;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    memory::keep_little();
    match commands::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            output::complain(format_args!("portolan: {}", portolan_agent::chain(&*error)));
            ExitCode::FAILURE
        }
    }
}
