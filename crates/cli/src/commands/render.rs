//! `portolan render`: what the kernel would be told.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use portolan_nft::render;

use crate::node_arguments::{NodeArguments, nft_options};
use crate::offline::Offline;
use crate::output::{Format, complain, print};

/// Print the nftables ruleset for a directory of manifests.
///
/// Touches no kernel and needs no privilege. What cannot be used is said on standard
/// error and does not change the exit code: the rest is rendered. The exit code is 1 if a
/// value cannot be used, or if there are files and no object in them could be read.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The directory, as dir:PATH
    #[arg(long)]
    source: String,

    /// The text that `nft -f` loads, or JSON as `nft -j list ruleset` prints it, for reading
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// Whose rules: nftables, or ipvs behind nftables. What a configuration file says of it is
    /// not asked for [default: nftables]
    #[arg(long, visible_alias = "proxy-mode")]
    backend: Option<String>,

    #[command(flatten)]
    node: NodeArguments,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { source, backend, node, .. } = arguments;
    let Offline { config, index, environment, contents } =
        Offline::load("render", source, backend, node)?;
    let ruleset = render(index.plans(), &environment, &nft_options(&config));
    let text = match arguments.format {
        Format::Text => ruleset.to_string(),
        Format::Json => format!("{:#}\n", ruleset.json().context("cannot write JSON")?),
    };
    print(&text)?;
    complain(contents);
    Ok(ExitCode::SUCCESS)
}
