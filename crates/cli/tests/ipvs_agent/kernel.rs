//! All that agents put into the kernel, to be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use portolan_ipvs::IpvsOptions;
use portolan_netlink::ipvs::{Ipvs, Server};
use portolan_netlink::nftables::{Connection, Family};
use portolan_netlink::route::Routing;

use crate::foreign::Foreign;
use crate::node::Node;

/// The name of the table that remembers which virtual servers are ours.
const REGISTER: &str = "portolan-ipvs";

/// What the kernel of a node has.
#[derive(Debug, PartialEq)]
pub(crate) struct Kernel {
    /// By family and name.
    pub(crate) tables: BTreeMap<String, Contents>,
    pub(crate) servers: BTreeMap<String, VirtualServer>,
    rules: BTreeSet<String>,
    routes: BTreeSet<String>,
}

/// A table: chains with their rules, declarations of sets with their elements.
#[derive(Debug, PartialEq)]
pub(crate) struct Contents {
    chains: BTreeMap<String, Vec<String>>,
    sets: BTreeMap<String, BTreeSet<String>>,
}

/// A virtual server, with the weights of its destinations.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VirtualServer {
    server: Server,
    weights: BTreeMap<SocketAddr, u32>,
    connections: u32,
}

impl Kernel {
    /// All there is, by whomever.
    pub(crate) fn read(node: &Node) -> Kernel {
        node.run(|| {
            let mut routing = Routing::open().unwrap();
            let rules = routing.rules().unwrap();
            let routes = routing.routes(IpvsOptions::default().route_table).unwrap();
            Kernel {
                tables: tables(),
                servers: servers(),
                rules: rules.iter().map(|it| format!("{it:?}")).collect(),
                routes: routes.iter().map(|it| format!("{it:?}")).collect(),
            }
        })
    }

    /// Without what others made, and without how many use it.
    pub(crate) fn ours(node: &Node) -> Kernel {
        let mut kernel = Kernel::read(node);
        Foreign::without(&mut kernel);
        kernel.servers.values_mut().for_each(|server| server.connections = 0);
        kernel
    }

    /// Nothing of IPVS.
    pub(crate) fn has_ipvs(&self) -> bool {
        self.tables.keys().any(|name| name.ends_with(REGISTER))
            || !(self.servers.is_empty() && self.rules.is_empty() && self.routes.is_empty())
    }

    /// As it was before anything was let go of that another state has of IPVS.
    pub(crate) fn draining_all_of(mut self, ipvs: &Kernel) -> Kernel {
        self.servers.clone_from(&ipvs.servers);
        let servers = self.servers.values_mut();
        servers.flat_map(|it| it.weights.values_mut()).for_each(|weight| *weight = 0);
        self.routes.clone_from(&ipvs.routes);
        self
    }

    /// As `clean` is, where connections that drain are let go of one after the other.
    pub(crate) fn is_no_more_than(&self, clean: &Kernel, when: &str) {
        let rest = |kernel: &Kernel| {
            let tables = kernel.tables.iter().filter(|(name, _)| !name.ends_with(REGISTER));
            format!("{:#?}", tables.collect::<Vec<_>>())
        };
        assert_eq!(rest(self), rest(clean), "{when}");
        assert_eq!(self.rules, clean.rules, "{when}");
        assert!(self.routes.is_subset(&clean.routes), "{when}: {:?}", self.routes);
        for (key, server) in &self.servers {
            let clean = clean.servers.get(key);
            let clean = clean.unwrap_or_else(|| panic!("{when}: {key} should not be there"));
            assert_eq!(server.server, clean.server, "{when}");
            for (address, weight) in &server.weights {
                assert_eq!(clean.weights.get(address), Some(weight), "{when}: {key} {address}");
            }
        }
        assert_eq!(self.registered(), self.servers.len(), "{when}: the register is another");
    }

    fn registered(&self) -> usize {
        let registers = self.tables.iter().filter(|(name, _)| name.ends_with(REGISTER));
        registers.flat_map(|(_, table)| table.sets.values()).map(BTreeSet::len).sum()
    }
}

fn tables() -> BTreeMap<String, Contents> {
    let mut connection = Connection::open().unwrap();
    let mut found = BTreeMap::new();
    for family in [Family::Ip, Family::Ip6] {
        for table in connection.tables(family).unwrap() {
            let contents = contents(&mut connection, family, &table.name);
            found.insert(format!("{family} {}", table.name), contents);
        }
    }
    found
}

fn contents(connection: &mut Connection, family: Family, table: &str) -> Contents {
    let mut chains = BTreeMap::new();
    for chain in connection.chains(family, table).unwrap() {
        chains.insert(chain.name.clone(), vec![format!("{chain:?}")]);
    }
    for listed in connection.rules(family, table).unwrap() {
        chains.entry(listed.chain).or_default().push(format!("{:?}", listed.rule));
    }
    let mut sets = BTreeMap::new();
    for set in connection.sets(family, table).unwrap() {
        let mut elements = BTreeSet::new();
        let mut visit = |element: portolan_netlink::nftables::ElementView<'_>| {
            elements.insert(format!("{element:?}"));
        };
        connection.elements(family, table, &set.name, &mut visit).unwrap();
        sets.insert(set.name, elements);
    }
    Contents { chains, sets }
}

fn servers() -> BTreeMap<String, VirtualServer> {
    let mut ipvs = Ipvs::open().unwrap();
    let mut found = BTreeMap::new();
    for server in ipvs.servers().unwrap() {
        let states = ipvs.destinations(&server.key).unwrap();
        let weight = |it: &portolan_netlink::ipvs::DestinationState| {
            (it.destination.address, it.destination.weight)
        };
        let weights = states.iter().map(weight).collect();
        let connections = states.iter().map(|it| it.active + it.inactive).sum();
        found.insert(server.key.to_string(), VirtualServer { server, weights, connections });
    }
    found
}
