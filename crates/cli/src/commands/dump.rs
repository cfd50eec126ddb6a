//! `portolan dump`: what is served now.

mod filter;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use portolan_agent::config::DEFAULT_CONTROL_SOCKET;
use portolan_agent::control::{Answer, Request, query};
use portolan_core::ObjectName;
use portolan_nft::{NftOptions, inspect};
use serde::Serialize;

use self::filter::Filter;
pub(super) use self::text::headline;
use self::text::text;
use crate::kernel_table::kernel_table;
use crate::output::print;

/// Print what the agent on this node serves.
///
/// Asks the running agent through its control socket; with --kernel, reads the nftables
/// tables instead, which works without an agent and needs CAP_NET_ADMIN. The exit code is
/// 1 if a SERVICE that was asked for is not there, or none in the NAMESPACE.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only these Services, by NAME or NAMESPACE/NAME
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,

    /// Only Services of this namespace
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,

    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// Read the kernel instead of asking the agent
    #[arg(long)]
    kernel: bool,

    /// Where the agent listens
    #[arg(long, value_name = "PATH", default_value = DEFAULT_CONTROL_SOCKET,
          conflicts_with = "kernel")]
    control_socket: PathBuf,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Table,
    Json,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let filter =
        Filter { namespace: arguments.namespace.as_deref(), services: &arguments.services };
    let text = match arguments.kernel {
        true => from_kernel(&filter, arguments.format)?,
        false => from_agent(arguments, &filter)?,
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn from_agent(arguments: &Arguments, filter: &Filter<'_>) -> anyhow::Result<String> {
    let Answer::Dump(mut dump) = query(&arguments.control_socket, Request::Dump)? else {
        bail!("the agent answered another question");
    };
    dump.services.retain(|plan| filter.wants(&plan.name.namespace, &plan.name.name));
    if let Some(loopback) = &mut dump.loopback {
        loopback.ports.retain(|it| filter.wants(&it.service.namespace, &it.service.name));
    }
    filter.check(dump.services.iter().map(|plan| plan.name.clone()))?;
    match arguments.format {
        Format::Json => json(&dump),
        Format::Table => Ok(text(&dump)),
    }
}

fn from_kernel(filter: &Filter<'_>, format: Format) -> anyhow::Result<String> {
    let table = NftOptions::default().table;
    let Some(mut kernel) = inspect(&table)? else {
        bail!("the kernel has no table {table}: no agent has run in this network namespace");
    };
    kernel.frontends.retain(|frontend| {
        let (namespace, name) = named_by(frontend.comment.as_deref());
        filter.wants(namespace, name)
    });
    filter.check(kernel.frontends.iter().map(|frontend| {
        let (namespace, name) = named_by(frontend.comment.as_deref());
        ObjectName::new(namespace, name)
    }))?;
    match format {
        Format::Json => json(&kernel),
        Format::Table => Ok(kernel_table(&kernel).to_string()),
    }
}

/// Namespace and name of the Service in a comment `namespace/name:port`.
fn named_by(comment: Option<&str>) -> (&str, &str) {
    let service = comment.unwrap_or_default().split(':').next().unwrap_or_default();
    service.split_once('/').unwrap_or(("", service))
}

pub(super) fn json(value: &impl Serialize) -> anyhow::Result<String> {
    let mut text = serde_json::to_string_pretty(value).context("cannot write JSON")?;
    text.push('\n');
    Ok(text)
}
