//! `portolan run`: the agent.

use std::fs;
use std::pin::pin;
use std::process::ExitCode;

use clap::Args;
use portolan_agent::config::{BackendKind, Config, Loaded, Settings, SourceConfig};
use portolan_agent::{OpenBackend, alone, signals};
use portolan_ipvs::{Dataplane, Mode};
use portolan_watch::{
    DirectoryConfig, KubeConfig, SourceEvent, WatchError, WatchFailures, kube_client,
    run_directory, run_kube,
};
use tokio::sync::mpsc;

use crate::logging::{self, LoggingArguments};
use crate::node_arguments::{NodeArguments, given, ipvs_options, nft_options};

/// Events between source and agent. A source that is further ahead waits.
const EVENTS_UNDERWAY: usize = 1024;

/// Serve the Services of a cluster on this node.
///
/// Follows Services and EndpointSlices and keeps the kernel as they say. Needs the
/// capability CAP_NET_ADMIN. SIGTERM and SIGINT end it and leave the rules in place:
/// established and new connections go on, and the next start adopts what it finds.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where Services and EndpointSlices come from: `kube`, or `dir:PATH` for a directory
    /// of YAML or JSON files, which is followed [default: kube]
    #[arg(long)]
    source: Option<String>,

    /// What balances connections: nftables, or ipvs behind a table of nftables. Connections
    /// that are established stay where they are when another one is chosen: by a restart, by
    /// `portolan switch`, or, without this flag, by the configuration file while the agent
    /// runs [default: nftables]
    #[arg(long, visible_alias = "proxy-mode")]
    backend: Option<String>,

    /// Credentials and address of the API server [default: those that the cluster gives
    /// to its pods]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<String>,

    /// Address of the API server; wins over the kubeconfig. Must not be a ClusterIP, which
    /// this agent has yet to serve
    #[arg(long, value_name = "URL")]
    master: Option<String>,

    /// Name that the certificate of the API server must have, if not the host of its
    /// address
    #[arg(long, value_name = "NAME")]
    tls_server_name: Option<String>,

    /// Where the health server listens; empty for no health server
    /// [default: 0.0.0.0:10256]
    #[arg(long, value_name = "ADDRESS")]
    healthz_bind_address: Option<String>,

    /// Where the metrics server listens: /metrics for Prometheus, without authentication;
    /// empty for no metrics server [default: 127.0.0.1:10249]
    #[arg(long, value_name = "ADDRESS")]
    metrics_bind_address: Option<String>,

    /// Where `portolan dump` and `portolan switch` find this agent; empty for no control socket
    /// [default: /run/portolan/control.sock]
    #[arg(long, value_name = "PATH")]
    control_socket: Option<String>,

    /// Scheduler of Services that do not choose one with the annotation
    /// portolan.dev/ipvs-scheduler: rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, fo, ovf,
    /// mh, which hashes the client's port too, or twos [default: rr]
    #[arg(long, value_name = "NAME", help_heading = "IPVS")]
    ipvs_scheduler: Option<String>,

    /// How long silent TCP connections are kept; 0 leaves the kernel's setting [default: 0]
    #[arg(long, value_name = "DURATION", help_heading = "IPVS")]
    ipvs_tcp_timeout: Option<String>,

    /// The same after a FIN
    #[arg(long, value_name = "DURATION", help_heading = "IPVS")]
    ipvs_tcpfin_timeout: Option<String>,

    /// The same for flows of UDP
    #[arg(long, value_name = "DURATION", help_heading = "IPVS")]
    ipvs_udp_timeout: Option<String>,

    /// How long connections may stay with an endpoint that gets no new ones any more (it is
    /// gone, terminates or is not ready), or with a backend that was left, from when the agent
    /// knows of it [default: 15m]
    #[arg(long, value_name = "DURATION", help_heading = "IPVS")]
    drain_timeout: Option<String>,

    /// Has no effect: virtual servers that Portolan did not make are always left alone
    #[arg(long, value_name = "CIDRS", help_heading = "IPVS")]
    ipvs_exclude_cidrs: Option<String>,

    /// Has no effect: no address is bound to the node that it could answer ARP for
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", help_heading = "IPVS")]
    ipvs_strict_arp: Option<bool>,

    #[command(flatten)]
    node: NodeArguments,

    #[command(flatten)]
    logging: LoggingArguments,
}

impl Arguments {
    /// The configuration.
    pub(super) fn load(&self) -> anyhow::Result<Loaded> {
        self.node.load(self.settings())
    }

    fn settings(&self) -> Settings {
        Settings {
            source: given(&self.source, "--source"),
            backend: given(&self.backend, "--backend"),
            kubeconfig: given(&self.kubeconfig, "--kubeconfig"),
            master: given(&self.master, "--master"),
            tls_server_name: given(&self.tls_server_name, "--tls-server-name"),
            healthz_bind_address: given(&self.healthz_bind_address, "--healthz-bind-address"),
            ipvs_scheduler: given(&self.ipvs_scheduler, "--ipvs-scheduler"),
            ipvs_tcp_timeout: given(&self.ipvs_tcp_timeout, "--ipvs-tcp-timeout"),
            ipvs_tcp_fin_timeout: given(&self.ipvs_tcpfin_timeout, "--ipvs-tcpfin-timeout"),
            ipvs_udp_timeout: given(&self.ipvs_udp_timeout, "--ipvs-udp-timeout"),
            drain_timeout: given(&self.drain_timeout, "--drain-timeout"),
            metrics_bind_address: given(&self.metrics_bind_address, "--metrics-bind-address"),
            control_socket: given(&self.control_socket, "--control-socket"),
            ..Settings::default()
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    logging::start(&arguments.logging)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(serve(arguments));
    // A thread that hangs in a system call must not keep the process from its end.
    runtime.shutdown_background();
    result?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(arguments: &Arguments) -> anyhow::Result<()> {
    let mut shutdown = pin!(signals()?);
    let config = arguments.load()?.config;
    check(&config.source).await?;
    let alone = tokio::select! {
        biased;
        () = &mut shutdown => return Ok(()),
        alone = alone(config.healthz) => alone?,
    };
    // What was read before an agent waited may be old.
    let loaded = arguments.load()?;
    let config = &loaded.config;
    let (sender, events) = mpsc::channel(EVENTS_UNDERWAY);
    let failures = WatchFailures::default();
    let kube = KubeConfig { node_name: config.node_name.clone(), failures: failures.clone() };
    let source = source(config.source.clone(), kube, sender);
    let open_backend = backend(config);
    let agent = portolan_agent::run(loaded, alone, events, open_backend, failures, shutdown);
    tokio::select! {
        result = agent => Ok(result?),
        // Without an error it ends only because the agent did.
        Err(error) = source => Err(error),
    }
}

/// Tells at once, and not when another agent has ended, what keeps a source from its start.
async fn check(source: &SourceConfig) -> anyhow::Result<()> {
    match source {
        SourceConfig::Directory(path) => {
            let error = |source| WatchError::Directory { path: path.clone(), source };
            fs::read_dir(path).map_err(error)?;
        }
        SourceConfig::Kube { kubeconfig, master, tls_server_name } => {
            let client =
                kube_client(kubeconfig.as_deref(), master.as_deref(), tls_server_name.as_deref());
            client.await?;
        }
    }
    Ok(())
}

async fn source(
    source: SourceConfig,
    kube: KubeConfig,
    sender: mpsc::Sender<SourceEvent>,
) -> anyhow::Result<()> {
    match source {
        SourceConfig::Directory(path) => {
            let node_name = kube.node_name;
            run_directory(DirectoryConfig { path, node_name }, sender).await?;
        }
        SourceConfig::Kube { kubeconfig, master, tls_server_name } => {
            let client =
                kube_client(kubeconfig.as_deref(), master.as_deref(), tls_server_name.as_deref());
            run_kube(client.await?, kube, sender).await?;
        }
    }
    Ok(())
}

fn backend(config: &Config) -> OpenBackend {
    let (nft, ipvs) = (nft_options(config), ipvs_options(config));
    Box::new(move |kind| {
        let mode = match kind {
            BackendKind::Nftables => Mode::Nftables,
            BackendKind::Ipvs => Mode::Ipvs,
        };
        Ok(Box::new(Dataplane::open(mode, nft.clone(), ipvs.clone())?))
    })
}
