//! From a plan to the virtual servers that it wants.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use portolan_core::{
    Action, Destination, EndpointAddress, Family, Frontend, Pool, PortPlan, Protocol, ServicePlan,
    Traffic,
};
use portolan_netlink::ipvs::{Server, ServerKey};

use crate::schedulers::Scheduler;

/// A virtual server as a Service wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The virtual server.
    pub(crate) server: Server,
    /// Where new connections go, with equal probability. Sorted; empty where they are refused
    /// or dropped, and where there is a virtual server only for those that it has.
    pub(crate) destinations: Arc<[SocketAddr]>,
    /// Where connections may stay besides, if they may not stay anywhere. Sorted.
    pub(crate) may_stay: Arc<[SocketAddr]>,
    /// Connections end if their endpoint is in neither: flows of UDP, and TCP where the
    /// Service asks for it.
    pub(crate) ends_elsewhere: bool,
    /// The Service and its port, for people.
    pub(crate) comment: Arc<str>,
    /// Whether the address is one that takes NodePorts. A Service that has the address for
    /// itself comes first.
    pub(crate) is_node_port: bool,
}

/// What the virtual servers of a plan depend on besides the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The addresses that take NodePorts, of both families. Sorted.
    pub(crate) node_ports: Vec<IpAddr>,
    /// The scheduler of Services that do not choose one.
    pub(crate) scheduler: Scheduler,
}

/// Hands out the virtual servers that a plan wants.
pub(crate) fn wanted(plan: &ServicePlan, settings: &Settings, emit: &mut dyn FnMut(Wanted)) {
    let nowhere: Arc<[SocketAddr]> = Arc::new([]);
    let scheduler = match plan.ipvs_scheduler {
        Some(scheduler) => &Scheduler::of_service(scheduler),
        None => &settings.scheduler,
    };
    for port in &plan.ports {
        let pools = [Pool::Cluster, Pool::Local].map(|pool| addresses(port.pool(pool)));
        let may_stay = addresses(&port.serving);
        let comment: Arc<str> = match &*port.name {
            "" => plan.name.to_string().into(),
            name => format!("{}:{name}", plan.name).into(),
        };
        for frontend in &port.frontends {
            let [cluster, local] = &pools;
            let destinations = match pool(frontend) {
                Some(Pool::Cluster) => cluster,
                Some(Pool::Local) => local,
                None => &nowhere,
            };
            for ip in frontend_addresses(frontend, port.family, &settings.node_ports) {
                emit(Wanted {
                    server: server(port, SocketAddr::new(ip, frontend.port), scheduler),
                    destinations: Arc::clone(destinations),
                    may_stay: Arc::clone(&may_stay),
                    ends_elsewhere: port.needs_serving(),
                    comment: Arc::clone(&comment),
                    is_node_port: frontend.destination == Destination::NodePort,
                });
            }
        }
    }
}

/// The pool whose endpoints are the destinations. Where both sides of a frontend are
/// balanced it is that of the outside; our maps balance the inside.
const fn pool(frontend: &Frontend) -> Option<Pool> {
    match frontend.traffic {
        Traffic::Everyone(Action::Balance(pool))
        | Traffic::ByOrigin { outside: Action::Balance(pool), .. }
        | Traffic::ByOrigin { inside: Action::Balance(pool), .. } => Some(pool),
        _ => None,
    }
}

fn frontend_addresses<'a>(
    frontend: &Frontend,
    family: Family,
    node_ports: &'a [IpAddr],
) -> impl Iterator<Item = IpAddr> + use<'a> {
    let own = frontend.destination.address();
    let node = match own {
        Some(_) => &[][..],
        None => node_ports,
    };
    own.into_iter().chain(node.iter().copied().filter(move |ip| Family::of(*ip) == family))
}

fn server(port: &PortPlan, address: SocketAddr, scheduler: &Scheduler) -> Server {
    Server {
        key: ServerKey::Address { protocol: port.protocol.number(), address },
        scheduler: scheduler.name.clone(),
        flags: scheduler.flags,
        persistence: port.affinity.map(|affinity| affinity.timeout_seconds),
    }
}

fn addresses(endpoints: &[EndpointAddress]) -> Arc<[SocketAddr]> {
    endpoints.iter().map(|endpoint| SocketAddr::from(*endpoint)).collect()
}

/// Whether connections of a protocol outlive their Service.
pub(crate) const fn has_connections(key: &ServerKey) -> bool {
    match key {
        ServerKey::Address { protocol, .. } => *protocol != Protocol::Udp.number(),
        ServerKey::Mark { .. } => true,
    }
}
