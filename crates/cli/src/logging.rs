//! Logs, on standard error.

use std::io::{self, IsTerminal};

use anyhow::Context;
use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct LoggingArguments {
    /// Form of the log lines
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,

    /// What is logged: error, warn, info, debug or trace; or per module, as in
    /// `info,portolan_nft=trace`
    #[arg(
        long,
        value_name = "LEVEL",
        env = "PORTOLAN_LOG",
        hide_env_values = true,
        default_value = "info"
    )]
    log_level: String,

    /// Log more: debug, or trace if given twice. Wins over --log-level
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum LogFormat {
    #[default]
    Text,
    Json,
}

/// kube logs each failed connection as an error, which the source tells better.
const QUIET: &str = "kube_client::client::builder=off";

/// Installs the logger of this process.
pub(crate) fn start(arguments: &LoggingArguments) -> anyhow::Result<()> {
    let level = match arguments.verbose {
        0 => arguments.log_level.as_str(),
        1 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::builder().parse(format!("{QUIET},{level}")).with_context(|| {
        format!("--log-level: {level:?} is not a level; a right value is debug")
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let installed = match arguments.log_format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    installed.map_err(anyhow::Error::from_boxed)
}
