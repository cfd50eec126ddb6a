use std::net::IpAddr;

use ipnet::IpNet;

use super::{EndpointSlice, Scenario};
use crate::{Server, TopologySpec};

impl Scenario {
    /// The hosts and servers that all phases take together.
    ///
    /// Every endpoint has its servers, whether or not it may be chosen. So has every
    /// destination of a packet, as if a Service's address were a pod on another node:
    /// thus a packet that is let through by mistake is answered, and seen, instead of
    /// being lost in a silence that looks like a drop.
    #[must_use]
    pub fn topology(&self) -> TopologySpec {
        let mut spec =
            TopologySpec { node_addresses: self.node_networks(), ..TopologySpec::default() };
        for slice in self.phases.iter().flat_map(|phase| &phase.endpoint_slices) {
            self.add_endpoints(&mut spec, slice);
        }
        for packet in self.phases.iter().flat_map(|phase| &phase.packets) {
            let (address, protocol, port) = (packet.destination, packet.protocol, packet.port);
            self.add_source(&mut spec, packet.source);
            if !self.is_known(&spec, address) {
                spec.remote_pods.insert(address);
            }
            spec.servers.insert(Server { address, protocol, port });
        }
        spec
    }

    /// The node's addresses outside its loopback, in networks of the usual size.
    fn node_networks(&self) -> Vec<IpNet> {
        let addresses = self.config.node_addresses.iter();
        addresses
            .filter(|address| !address.is_loopback())
            .filter_map(|address| {
                IpNet::new(*address, if address.is_ipv4() { 24 } else { 64 }).ok()
            })
            .collect()
    }

    fn add_endpoints(&self, spec: &mut TopologySpec, slice: &EndpointSlice) {
        for endpoint in &slice.endpoints {
            if endpoint.node == self.config.node_name {
                spec.pods.insert(vec![endpoint.ip]);
            } else {
                spec.remote_pods.insert(endpoint.ip);
            }
            spec.servers.extend(slice.ports.iter().map(|port| Server {
                address: endpoint.ip,
                protocol: port.protocol,
                port: port.port,
            }));
        }
    }

    /// A sender that is neither the node nor an endpoint is one of the node's pods if its
    /// address is a private one, and a client if it is public.
    fn add_source(&self, spec: &mut TopologySpec, source: IpAddr) {
        let private = match source {
            IpAddr::V4(v4) => v4.is_private(),
            IpAddr::V6(v6) => v6.is_unique_local(),
        };
        if self.is_known(spec, source) {
            return;
        }
        if private {
            spec.pods.insert(vec![source]);
        } else {
            spec.clients.insert(source);
        }
    }

    fn is_known(&self, spec: &TopologySpec, address: IpAddr) -> bool {
        self.config.node_addresses.contains(&address)
            || spec.pods.contains(&vec![address])
            || spec.remote_pods.contains(&address)
            || spec.clients.contains(&address)
    }
}
