//! `portolan dump`: what is served now.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use portolan_agent::config::DEFAULT_CONTROL_SOCKET;
use portolan_agent::control::{Answer, Dump, Request, Status, query};
use portolan_core::ObjectName;
use portolan_nft::{NftOptions, inspect};
use serde::Serialize;

use crate::draining_text;
use crate::kernel_table::kernel_table;
use crate::layout::plural;
use crate::loopback_text;
use crate::output::print;
use crate::plan_table::plan_table;

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

/// Which Services were asked for.
struct Filter<'a> {
    namespace: Option<&'a str>,
    services: &'a [String],
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

/// How the agent is, the table, and what is wrong.
pub(super) fn text(dump: &Dump) -> String {
    let mut text = format!("{}\n", headline(&dump.status));
    if let Some(error) = &dump.status.last_error {
        text.push_str(&format!(
            "{} failed in a row, the last one because: {error}\n",
            plural(dump.status.failures as usize, "sync", "syncs")
        ));
    }
    text.extend(dump.status.draining.as_ref().map(draining_text::line));
    text.push_str(&flows(&dump.status));
    if let Some(loopback) = &dump.loopback {
        text.push_str(&format!("{}\n", loopback_text::summary(loopback)));
    }
    let plans = dump.services.iter().map(AsRef::as_ref);
    text.push_str(&format!("\n{}", plan_table(plans, dump.loopback.as_ref())));
    if !dump.problems.is_empty() {
        text.push_str("\nNot served as written:\n");
        for problem in &dump.problems {
            text.push_str(&format!("  {problem}\n"));
        }
    }
    text
}

/// What became of stale flows, if anything did.
fn flows(status: &Status) -> String {
    let mut text = String::new();
    if let Ok(deleted @ 1..) = usize::try_from(status.flows_deleted) {
        let flows = plural(deleted, "stale flow", "stale flows");
        text.push_str(&format!("{flows} deleted since the agent started\n"));
    }
    if let Some(error) = &status.flow_error {
        text.push_str(&format!("stale flows cannot be deleted: {error}\n"));
    }
    text
}

pub(super) fn headline(status: &Status) -> String {
    let sync = match &status.last_sync {
        Some(last_sync) => format!("last sync {last_sync:.0}"),
        None => "not synced yet".to_owned(),
    };
    format!(
        "node {}, {}, {sync}, {}, {}",
        status.node_name,
        status.backend,
        plural(status.service_count, "Service", "Services"),
        plural(status.endpoint_count, "endpoint", "endpoints"),
    )
}

impl Filter<'_> {
    fn wants(&self, namespace: &str, name: &str) -> bool {
        self.namespace.is_none_or(|wanted| wanted == namespace)
            && (self.services.is_empty()
                || self.services.iter().any(|wanted| matches(wanted, namespace, name)))
    }

    fn check(&self, found: impl Iterator<Item = ObjectName>) -> anyhow::Result<()> {
        let found: Vec<ObjectName> = found.collect();
        let is_found = |wanted: &&String| {
            found.iter().any(|found| matches(wanted, &found.namespace, &found.name))
        };
        let missing: Vec<&str> =
            self.services.iter().filter(|it| !is_found(it)).map(String::as_str).collect();
        let within = self.namespace.map(|namespace| format!(" in namespace {namespace}"));
        let within = within.unwrap_or_default();
        match missing.as_slice() {
            [] if found.is_empty() && self.namespace.is_some() => {
                bail!("no Service{within} is served here")
            }
            [] => Ok(()),
            [one] => bail!("no Service {one}{within} is served here"),
            many => bail!("no Services {}{within} are served here", many.join(", ")),
        }
    }
}

fn matches(wanted: &str, namespace: &str, name: &str) -> bool {
    match wanted.split_once('/') {
        Some(wanted) => wanted == (namespace, name),
        None => wanted == name,
    }
}

#[cfg(test)]
mod tests {
    use portolan_agent::control::LoopbackReport;

    use super::*;

    #[test]
    fn services_are_chosen_by_namespace_by_name_or_by_both() {
        let services = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let cases: [(Option<&str>, Vec<String>, [bool; 3]); 5] = [
            (None, services(&[]), [true, true, true]),
            (Some("shop"), services(&[]), [true, true, false]),
            (None, services(&["web"]), [true, false, true]),
            (None, services(&["shop/web", "api"]), [true, true, false]),
            (Some("other"), services(&["web"]), [false, false, true]),
        ];
        for (namespace, services, expected) in cases {
            let filter = Filter { namespace, services: &services };
            let wanted = [("shop", "web"), ("shop", "api"), ("other", "web")]
                .map(|(namespace, name)| filter.wants(namespace, name));
            assert_eq!(wanted, expected, "{namespace:?} {services:?}");
        }
    }

    #[test]
    fn a_service_that_is_not_there_is_named() {
        let services = ["shop/web".to_owned(), "api".to_owned()];
        let filter = Filter { namespace: None, services: &services };
        let error = filter.check([ObjectName::new("shop", "web")].into_iter()).unwrap_err();
        assert_eq!(error.to_string(), "no Service api is served here");
    }

    #[test]
    fn all_that_is_missing_is_named_with_its_namespace() {
        let told = |namespace, services: &[&str]| {
            let services: Vec<String> = services.iter().map(|it| (*it).to_owned()).collect();
            let filter = Filter { namespace, services: &services };
            filter.check([].into_iter()).err().map(|error| error.to_string())
        };
        assert_eq!(told(None, &[]), None, "there may be none");
        for (namespace, services, text) in [
            (None, &["a", "b"][..], "no Services a, b are served here"),
            (Some("shop"), &[], "no Service in namespace shop is served here"),
            (Some("shop"), &["a"], "no Service a in namespace shop is served here"),
            (Some("shop"), &["a", "b"], "no Services a, b in namespace shop are served here"),
        ] {
            assert_eq!(told(namespace, services).as_deref(), Some(text));
        }
    }

    #[test]
    fn the_text_starts_with_how_the_agent_is_and_ends_with_what_is_wrong() {
        let problem = "{\"place\":null,\"cause\":{\"Other\":\"shop.yaml: not YAML\"}}";
        let status = Status {
            node_name: "worker-1".to_owned(),
            backend: "nftables".to_owned(),
            service_count: 1,
            endpoint_count: 2,
            failures: 3,
            last_error: Some("the kernel refused".to_owned()),
            flows_deleted: 12,
            flow_error: Some("no connection tracking".to_owned()),
            last_sync: Some("2026-05-04T08:04:00.25Z".parse().unwrap()),
            ..Status::default()
        };
        let problems = vec![serde_json::from_str(problem).unwrap()];
        let loopback = Some(LoopbackReport {
            connections: 1,
            accepted: 20,
            over_limit: 3,
            unreachable: 4,
            flows: 2,
            flows_begun: 60,
            flows_displaced: 7,
            datagrams_dropped: 8,
            ..LoopbackReport::default()
        });
        insta::assert_snapshot!(text(&Dump { status, problems, services: Vec::new(), loopback }));
    }
}
