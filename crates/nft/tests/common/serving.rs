//! What our tables do for each frontend, as the plans want it. Not a line of it is the
//! backend's own code.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use portolan_core::backend::NodePortAddresses;
use portolan_core::{
    Action, Destination, EndpointAddress, Environment, Family, ObjectName, PortPlan, Protocol,
    ServicePlan, Traffic, WhenEndpointGone,
};

/// Family, address (none for a NodePort), protocol and port.
pub(crate) type FrontendKey = (Family, Option<IpAddr>, Protocol, u16);

/// What happens to connections to a frontend.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Served {
    /// The comment of its element.
    pub(crate) comment: String,
    /// How connections can end: `drop`, `reject`, or `N of MAP` at one of N slots of a map,
    /// and packets that belong to none: `reset strays`.
    pub(crate) ends: BTreeSet<String>,
    /// The endpoints in each map, one for each slot.
    pub(crate) endpoints: BTreeMap<String, BTreeSet<EndpointAddress>>,
}

/// What the tables of both families do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Serving {
    /// By frontend.
    pub(crate) frontends: BTreeMap<FrontendKey, Served>,
    /// The addresses in the sets, by the set's name.
    pub(crate) addresses: BTreeMap<String, BTreeSet<IpAddr>>,
}

impl Serving {
    /// What plans want.
    pub(crate) fn planned(plans: &[Arc<ServicePlan>], environment: &Environment) -> Serving {
        let mut serving = Serving::default();
        for plan in plans {
            for port in &plan.ports {
                serving.add_port(&plan.name, port);
            }
        }
        for listed in [&environment.node_ports_v4, &environment.node_ports_v6] {
            let NodePortAddresses::Listed(addresses) = listed else { continue };
            serving.addresses("node-port-ips").extend(addresses);
        }
        serving
    }

    /// The addresses of a set.
    pub(crate) fn addresses(&mut self, set: &str) -> &mut BTreeSet<IpAddr> {
        self.addresses.entry(set.to_owned()).or_default()
    }

    fn add_port(&mut self, service: &ObjectName, port: &PortPlan) {
        self.addresses("hairpin").extend(&port.hairpin);
        for frontend in &port.frontends {
            if let Destination::ClusterIp(ip) = frontend.destination {
                self.addresses("cluster-ips").insert(ip);
            }
            let address = frontend.destination.address();
            let kind = if address.is_some() { "" } else { "node-port-" };
            let sides = match frontend.traffic {
                Traffic::Everyone(action) => vec![(action, "endpoints")],
                Traffic::ByOrigin { inside, outside } => {
                    vec![(inside, "endpoints"), (outside, "local-endpoints")]
                }
            };
            let mut served = Served { comment: comment(service, &port.name), ..Served::default() };
            for (action, map) in sides {
                served.add_end(port, action, &format!("{kind}{map}"));
            }
            let rejects = BTreeSet::from(["reject".to_owned()]);
            if port.when_endpoint_gone == WhenEndpointGone::Reset && served.ends != rejects {
                served.ends.insert("reset strays".to_owned());
            }
            let key = (port.family, address, port.protocol, frontend.port);
            assert!(self.frontends.insert(key, served).is_none(), "{key:?} twice");
        }
    }
}

impl Served {
    fn add_end(&mut self, port: &PortPlan, action: Action, map: &str) {
        let end = match action {
            Action::Drop => "drop".to_owned(),
            Action::Reject => "reject".to_owned(),
            Action::Balance(pool) if port.pool(pool).is_empty() => "reject".to_owned(),
            Action::Balance(pool) => {
                let endpoints: BTreeSet<_> = port.pool(pool).iter().copied().collect();
                let end = format!("{} of {map}", endpoints.len());
                self.endpoints.insert(map.to_owned(), endpoints);
                end
            }
        };
        self.ends.insert(end);
    }
}

/// `namespace/name:port`; nft takes 127 bytes.
fn comment(service: &ObjectName, port: &str) -> String {
    let separator = if port.is_empty() { "" } else { ":" };
    let comment = format!("{service}{separator}{port}");
    match comment.get(..124) {
        Some(start) if comment.len() > 127 => format!("{start}..."),
        _ => comment,
    }
}
