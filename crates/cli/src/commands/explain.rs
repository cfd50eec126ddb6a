//! `portolan explain`: what becomes of a packet, and why.

mod question;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use portolan_agent::config::{BackendKind, DEFAULT_CONTROL_SOCKET};
use portolan_agent::control::{Answer, Reasons, Request, Status, query};
use portolan_core::Printable;
use portolan_core::backend::NodePortAddresses;
use portolan_core::explain::{Explained, NodeView, Question, Unserved};
use serde::Serialize;

use self::question::{Target, Who};
use super::dump::{headline, json};
use crate::explain_text;
use crate::layout::plural;
use crate::node_arguments::NodeArguments;
use crate::offline::Offline;
use crate::output::{Format, print};

/// Explain what becomes of a packet on this node, and why.
///
/// Asks the running agent through its control socket; with --source, reads a directory of
/// manifests instead, which needs neither agent nor privilege. Speaks of the packet that
/// begins a connection or a flow; later ones go where it went. Nothing is sent anywhere, and
/// nothing is guessed: what depends on who asks is said for each kind of client that --from
/// leaves open, and which of several endpoints is drawn is left open always.
///
/// The exit code is 1 if the SERVICE is not there, and 0 whatever becomes of the packet.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where the packet goes, as tcp://10.96.0.10:53 (or udp, sctp; IPv6 addresses in
    /// brackets), or NAMESPACE/NAME for all that a Service has
    #[arg(value_name = "PACKET|SERVICE")]
    target: Target,

    /// Who sends it: an address, or `pod` (of this node, taken to be recognised as one), `node`
    /// (a process in its network) or `outside`, or both as pod=10.244.1.5. Where pods are
    /// recognised by their interface, an address alone does not tell whether it is one's
    #[arg(long, value_name = "WHO")]
    from: Option<Who>,

    /// The interface of this node that it comes in by
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,

    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// Where the agent listens
    #[arg(long, value_name = "PATH", default_value = DEFAULT_CONTROL_SOCKET,
          conflicts_with = "source")]
    control_socket: PathBuf,

    /// Ask no agent, but the manifests in a directory, as dir:PATH. The options below count
    /// only with this one. The addresses of the node are those of its Node object
    #[arg(long)]
    source: Option<String>,

    /// What would serve: nftables or ipvs. What a configuration file says of it is not asked
    /// for [default: nftables]
    #[arg(long, visible_alias = "proxy-mode", requires = "source")]
    backend: Option<String>,

    #[command(flatten)]
    node: NodeArguments,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Output {
    /// How the agent is, if one was asked.
    status: Option<Status>,
    answer: Explained,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let client = question::client(arguments.from, arguments.interface.as_deref())?;
    let question = question::question(&arguments.target, client)?;
    let (preface, output) = match &arguments.source {
        Some(source) => from_directory(arguments, source, &question)?,
        None if arguments.node.are_given() => {
            bail!("options of the node count with --source only: the agent has its own");
        }
        None => from_agent(arguments, question)?,
    };
    if let Explained::Service(service) = &output.answer
        && service.unserved == Some(Unserved::Unknown)
    {
        let name = service.name.to_string();
        bail!("no Service {} is served here: there is none, or it is headless", Printable(&name));
    }
    let text = match arguments.format {
        Format::Text => format!("{preface}\n{}", explain_text::text(&output.answer)),
        Format::Json => json(&output)?,
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn from_agent(arguments: &Arguments, question: Question) -> anyhow::Result<(String, Output)> {
    let request = Request::Explain(Box::new(question));
    let Answer::Explained(reasons) = query(&arguments.control_socket, request)? else {
        bail!("the agent answered another question");
    };
    let Reasons { status, answer } = *reasons;
    Ok((preface(&status), Output { status: Some(status), answer }))
}

/// How the agent is, and what keeps the kernel from being as it says.
fn preface(status: &Status) -> String {
    let mut text = format!("{}\n", headline(status));
    if !status.synced {
        text.push_str("nothing is in the kernel yet, but what an earlier agent left there\n");
    }
    if let Some(error) = &status.last_error {
        text.push_str(&format!(
            "the kernel may not be as told here: {} failed in a row, the last one because: \
             {error}\n",
            plural(status.failures as usize, "sync", "syncs")
        ));
    }
    text
}

fn from_directory(
    arguments: &Arguments,
    source: &str,
    question: &Question,
) -> anyhow::Result<(String, Output)> {
    let Arguments { backend, node, .. } = arguments;
    let Offline { config, index, environment, .. } =
        Offline::load("explain", source, backend, node)?;
    let mut addresses: Vec<IpAddr> = index.node().map_or(Vec::new(), |node| node.addresses.clone());
    for node_ports in [&environment.node_ports_v4, &environment.node_ports_v6] {
        if let NodePortAddresses::Listed(listed) = node_ports {
            addresses.extend(listed);
        }
    }
    addresses.sort_unstable();
    addresses.dedup();
    let is_ipvs = config.backend == BackendKind::Ipvs;
    let view = NodeView {
        environment: &environment,
        addresses: &addresses,
        masquerade_all: config.nftables.masquerade_all,
        ipvs_scheduler: is_ipvs.then_some(config.ipvs.scheduler.as_str()),
    };
    let answer = index.explain(&view, question);
    let addresses: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    let addresses = match addresses.is_empty() {
        true => "no address".to_owned(),
        false => addresses.join(", "),
    };
    let preface = format!(
        "node {}, {}, taken to have {addresses}\n",
        config.node_name,
        config.backend.name()
    );
    Ok((preface, Output { status: None, answer }))
}
