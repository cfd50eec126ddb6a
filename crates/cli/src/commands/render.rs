//! `portolan render`: what the kernel would be told.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use portolan_agent::config::{Given, Settings, SourceConfig};
use portolan_agent::{Config, environment};
use portolan_core::Index;
use portolan_nft::{Ruleset, render};
use portolan_watch::read_directory;

use crate::node_arguments::{NodeArguments, nft_options};

/// Print the nftables ruleset for a directory of manifests.
///
/// Touches no kernel and needs no privilege. What cannot be used is said on standard
/// error, and the rest is rendered; the exit code is 1 only if nothing could be read.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The directory, as dir:PATH
    #[arg(long)]
    source: String,

    /// The text that `nft -f` loads, or JSON as `nft -j list ruleset` prints it, for reading
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    #[command(flatten)]
    node: NodeArguments,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let source = Some(Given::new(arguments.source.clone(), "--source"));
    let (config, warnings) = arguments.node.resolve(Settings { source, ..Settings::default() })?;
    let SourceConfig::Directory(path) = &config.source else {
        bail!("--source: render reads a directory; a right value is dir:/etc/portolan/services");
    };
    for warning in warnings {
        eprintln!("{warning}");
    }
    let ruleset = ruleset(&config, path)?;
    let text = match arguments.format {
        Format::Text => ruleset.to_string(),
        Format::Json => format!("{:#}\n", ruleset.json().context("cannot write JSON")?),
    };
    io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

fn ruleset(config: &Config, path: &Path) -> anyhow::Result<Ruleset> {
    let snapshot = read_directory(path, &config.node_name)?;
    for problem in &snapshot.problems {
        eprintln!("{problem}");
    }
    let mut index = Index::new(config.node_name.as_str());
    for update in snapshot.updates {
        index.apply(update);
    }
    index.take_changes();
    for problem in index.problems() {
        eprintln!("{problem}");
    }
    let counts = index.counts();
    if !snapshot.problems.is_empty() && counts.services + counts.endpoint_slices == 0 {
        bail!("nothing in {} could be read", path.display());
    }
    let environment = environment(config, index.node(), index.service_cidrs())
        .context("cannot read the addresses of this machine's interfaces")?;
    Ok(render(index.plans(), &environment, &nft_options(config)))
}
