//! The relay over real sockets, each test in a network namespace of its own. Endpoints are
//! ports of `::1` too.

mod limits;
mod ports;
mod tcp;
mod udp;

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use portolan_core::{EndpointAddress, ObjectName};
use portolan_lab::namespaced;

use super::limits::Limits;
use super::node_port::{NodePort, Target, Transport};
use super::*;

const PORT: u16 = 30_080;
/// Long enough for any machine; nothing waits for so long unless it fails.
const PATIENCE: Duration = Duration::from_secs(30);

const TCP: NodePort = NodePort { transport: Transport::Tcp, port: PORT };
const UDP: NodePort = NodePort { transport: Transport::Udp, port: PORT };

/// A relay set, with all that can be seen of it.
struct Scene {
    relays: RelaySet,
    shared: Arc<Shared>,
}

impl Scene {
    fn new() -> Scene {
        Scene::with(Limits::new(100, 100, 1000))
    }

    fn with(limits: Limits) -> Scene {
        let shared = Arc::new(Shared::new(Arc::new(Board::new(Arc::default())), limits));
        Scene { relays: RelaySet::new(Arc::clone(&shared)), shared }
    }

    async fn take_in(&mut self, news: Announced<Targets>) {
        self.relays.take_in(news).await;
        // Relays start on tasks of their own, and all that can run do so now.
        tokio::task::yield_now().await;
    }

    /// Takes in that this is what `web` has on a NodePort.
    async fn serve(&mut self, node_port: NodePort, endpoints: &[EndpointAddress]) {
        self.serve_with(node_port, endpoints, None).await;
    }

    async fn serve_with(
        &mut self,
        node_port: NodePort,
        endpoints: &[EndpointAddress],
        affinity: Option<Duration>,
    ) {
        let target = target("web", endpoints, affinity).map(|target| match node_port.transport {
            Transport::Tcp => Target { serving: None, ..target },
            Transport::Udp => target,
        });
        self.take_in(changed([("web", target.map(|it| [(node_port, it)].into()))])).await;
    }

    fn report(&self) -> LoopbackReport {
        self.shared.board.report()
    }

    /// Waits until the report is so.
    async fn until(&self, what: &str, is_so: impl Fn(&LoopbackReport) -> bool) {
        for _ in 0..PATIENCE.as_millis() {
            if is_so(&self.report()) {
                return;
            }
            settle().await;
        }
        panic!("{what}: still not in {:?}", self.report());
    }
}

/// `None` without endpoints, as in plans.
fn target(
    service: &str,
    endpoints: &[EndpointAddress],
    affinity: Option<Duration>,
) -> Option<Target> {
    let mut endpoints = endpoints.to_vec();
    endpoints.sort_unstable();
    let service = ObjectName::new("shop", service);
    let serving = Some(endpoints.clone());
    (!endpoints.is_empty()).then_some(Target { service, endpoints, serving, affinity })
}

fn changed<const N: usize>(services: [(&str, Option<Targets>); N]) -> Announced<Targets> {
    let named = services.into_iter().map(|(name, it)| (ObjectName::new("shop", name), it));
    Announced { complete: false, by_service: named.collect() }
}

fn localhost(port: u16) -> SocketAddr {
    SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port)
}

/// Lets everything that can go on do so, in real time.
async fn settle() {
    std::thread::sleep(Duration::from_millis(1));
    tokio::task::yield_now().await;
}

/// Runs a test of `module` in namespaces of its own.
fn isolated(test: &str, body: impl Future<Output = ()>) {
    run(test, false, async {
        tokio::time::timeout(PATIENCE, body).await.expect("something never came");
    });
}

/// The same with a clock that runs ahead when nothing is left to do.
fn isolated_and_paused(test: &str, body: impl Future<Output = ()>) {
    run(test, true, body);
}

fn run(test: &str, paused: bool, body: impl Future<Output = ()>) {
    namespaced(&format!("loopback_relay::tests::{test}"), || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(paused).build().unwrap();
        runtime.block_on(body);
    });
}
