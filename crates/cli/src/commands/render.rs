//! `portolan render`: what the kernel would be told.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use portolan_agent::config::{BackendKind, Given, Loaded, Settings, SourceConfig};
use portolan_agent::{Config, environment, missing};
use portolan_core::Index;
use portolan_nft::{Ruleset, render};
use portolan_watch::{Cause, Contents, Notice, read_directory};

use crate::node_arguments::{NodeArguments, given, nft_options};
use crate::output::{complain, print};

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

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let source = Some(Given::new(arguments.source.clone(), "--source"));
    // The mode of kube-proxy's file may be one that is not here.
    let backend = given(&arguments.backend, "--backend")
        .or_else(|| Some(Given::new(BackendKind::default().name().to_owned(), "the default")));
    let settings = Settings { source, backend, ..Settings::default() };
    let Loaded { config, warnings, .. } = arguments.node.load(settings)?;
    let SourceConfig::Directory(path) = &config.source else {
        bail!("--source: render reads a directory; a right value is dir:/etc/portolan/services");
    };
    for warning in warnings.into_iter().chain(config.warnings()) {
        complain(warning);
    }
    let (ruleset, contents) = ruleset(&config, path)?;
    let text = match arguments.format {
        Format::Text => ruleset.to_string(),
        Format::Json => format!("{:#}\n", ruleset.json().context("cannot write JSON")?),
    };
    print(&text)?;
    complain(contents);
    Ok(ExitCode::SUCCESS)
}

/// Whether there is something, but not one object in it. An object that is told to be
/// wrong was read.
fn is_unreadable(problems: &[Notice], index: &Index) -> bool {
    let counts = index.counts();
    let empty = counts.services + counts.endpoint_slices == 0
        && index.node().is_none()
        && index.service_cidrs().is_empty();
    let no_object = |problem: &Notice| matches!(problem.cause, Cause::Other(_));
    empty && !problems.is_empty() && problems.iter().all(no_object)
}

fn ruleset(config: &Config, path: &Path) -> anyhow::Result<(Ruleset, Contents)> {
    let snapshot = read_directory(path, &config.node_name)?;
    for problem in &snapshot.problems {
        complain(problem);
    }
    let mut index = Index::new(config.node_name.as_str());
    for update in snapshot.updates {
        index.apply(update);
    }
    index.take_changes();
    for problem in index.problems() {
        complain(problem);
    }
    if let Some(warning) = &snapshot.without_service {
        complain(warning);
    }
    if is_unreadable(&snapshot.problems, &index) {
        bail!("nothing in {} could be read", path.display());
    }
    for warning in missing(config, index.node(), true) {
        complain(warning);
    }
    let environment = environment(config, index.node(), index.service_cidrs())
        .context("cannot read the addresses of this machine's interfaces")?;
    let ruleset = render(index.plans(), &environment, &nft_options(config));
    Ok((ruleset, snapshot.contents))
}
