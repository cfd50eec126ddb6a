//! Logs, on standard error.

use std::io::{self, IsTerminal};

use anyhow::Context;
use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct LoggingArguments {
    /// Form of the log lines
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,

    /// What is logged: error, warn, info or debug; or per module, as in
    /// `info,portolan_agent=debug`
    #[arg(
        long,
        value_name = "LEVEL",
        env = "PORTOLAN_LOG",
        hide_env_values = true,
        default_value = "info"
    )]
    log_level: String,

    /// Log more: debug, which has a line for each Service that a sync changes. Given twice,
    /// libraries say what they trace. Wins over --log-level
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum LogFormat {
    #[default]
    Text,
    Json,
}

/// What goes wrong between kube and the API server, the source tells better; kube itself
/// logs whole answers. A directive for the same target that comes later wins.
const QUIET: &str = "kube_client=off,kube_runtime=off";

/// Installs the logger of this process.
pub(crate) fn start(arguments: &LoggingArguments) -> anyhow::Result<()> {
    let level = match arguments.verbose {
        0 => arguments.log_level.as_str(),
        1 => "debug",
        _ => "trace",
    };
    let filter = filter(level)?;
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

/// A word that is no level would be taken for a module, and mute everything else.
fn filter(level: &str) -> anyhow::Result<EnvFilter> {
    let wrong = |part: &str| {
        format!(
            "--log-level (or PORTOLAN_LOG): {part:?} is not a level; the levels are off, error, \
             warn, info, debug and trace, for a single module as in info,portolan_nft=trace"
        )
    };
    let words = level.split(',').filter(|part| !part.contains(['=', '[']));
    for word in words {
        let level = Some(word.trim()).filter(|word| !word.is_empty());
        level.and_then(|level| level.parse::<LevelFilter>().ok()).with_context(|| wrong(word))?;
    }
    EnvFilter::builder().parse(format!("{QUIET},{level}")).with_context(|| wrong(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_refused_with_the_levels() {
        for level in ["inof", "", "info,portolan_nft", "debug,inof", "loud=very"] {
            let error = filter(level).unwrap_err().to_string();
            assert!(error.contains("--log-level"), "{level:?}: {error}");
            assert!(error.contains("warn, info, debug"), "{level:?}: {error}");
        }
    }

    #[test]
    fn kube_is_quiet_unless_it_is_asked_for() {
        for level in ["off", "INFO", "info", "debug", "info,portolan_nft=trace", "trace"] {
            let filter = filter(level).unwrap().to_string();
            assert!(filter.contains("kube_client=off"), "{level}: {filter}");
            assert!(filter.contains("kube_runtime=off"), "{level}: {filter}");
        }
        let asked = filter("info,kube_client=warn").unwrap().to_string();
        assert!(asked.contains("kube_client=warn"), "{asked}");
        assert!(!asked.contains("kube_client=off"), "{asked}");
    }
}
