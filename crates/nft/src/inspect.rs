//! What our tables do, read from the kernel alone.

use std::collections::BTreeSet;
use std::net::IpAddr;

use portolan_core::{EndpointAddress, Family, Pool, Protocol};
use portolan_netlink::nftables::Connection;
use serde::Serialize;

use crate::chain_name::EntryKind;
use crate::container::Container;
use crate::element::{Value, draws, has_affinity};
use crate::error::NftError;
use crate::key::{Key, parse_address};
use crate::observe::{observe, seated_endpoint, slot_endpoint};
use crate::observed_elements::ObservedElements;
use crate::table::ObservedTable;

/// A frontend as the kernel has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct KernelFrontend {
    /// The family of the table.
    pub family: Family,
    /// The destination address; `None` for a NodePort.
    pub address: Option<IpAddr>,
    /// The protocol.
    pub protocol: Protocol,
    /// The port, host byte order.
    pub port: u16,
    /// The Service and port that the element's comment names.
    pub comment: Option<String>,
    /// The chain that serves it, or `drop`.
    pub verdict: String,
    /// Where connections go: of everyone, or of pods and this node. Sorted.
    pub endpoints: Vec<EndpointAddress>,
    /// Where connections go of clients that the `Local` policy confines to this node. Sorted.
    pub local_endpoints: Vec<EndpointAddress>,
    /// How many slots the chain counts on that have no endpoint: connections that draw one
    /// are dropped. Always zero unless someone edits the table.
    pub empty_slots: usize,
}

/// What one family's table holds besides frontends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KernelTable {
    /// The frontends, sorted.
    pub frontends: Vec<KernelFrontend>,
    /// Addresses of services: their undefined ports are rejected.
    pub cluster_ips: BTreeSet<IpAddr>,
    /// Addresses that take NodePorts, where they are listed.
    pub node_port_ips: BTreeSet<IpAddr>,
    /// Endpoints that may call themselves.
    pub hairpin: BTreeSet<IpAddr>,
}

/// Reads a table of both families; `None` if neither exists. Needs CAP_NET_ADMIN.
pub fn inspect(table: &str) -> Result<Option<KernelTable>, NftError> {
    let mut connection = Connection::open()?;
    let mut found = None;
    for family in Family::BOTH {
        if let Some(observed) = observe(&mut connection, family, table)? {
            read(family, &observed, found.get_or_insert_default());
        }
    }
    if let Some(found) = &mut found {
        found.frontends.sort_unstable();
    }
    Ok(found)
}

fn read(family: Family, observed: &ObservedTable, found: &mut KernelTable) {
    for kind in [EntryKind::Address, EntryKind::NodePort] {
        let verdicts = observed.elements.get(&Container::Verdicts(kind));
        for (key, element) in verdicts.into_iter().flat_map(ObservedElements::without_slots) {
            if let Some(mut frontend) = frontend(family, kind, key, element.value, observed) {
                frontend.comment = element.comment.as_deref().map(str::to_owned);
                found.frontends.push(frontend);
            }
        }
    }
    let addresses = |container| {
        let elements = observed.elements.get(&container).into_iter();
        let keys = elements.flat_map(ObservedElements::without_slots).map(|(key, _)| key);
        keys.filter_map(|key| first_address(family, key)).collect::<Vec<IpAddr>>()
    };
    found.cluster_ips.extend(addresses(Container::ClusterIps));
    found.node_port_ips.extend(addresses(Container::NodePortIps));
    found.hairpin.extend(addresses(Container::Hairpin));
}

fn first_address(family: Family, key: &Key) -> Option<IpAddr> {
    let length = match family {
        Family::V4 => 4,
        Family::V6 => 16,
    };
    parse_address(key.as_bytes().get(..length)?)
}

fn frontend(
    family: Family,
    kind: EntryKind,
    key: &Key,
    value: Value,
    observed: &ObservedTable,
) -> Option<KernelFrontend> {
    let parsed = key.parse_frontend(kind == EntryKind::Address)?;
    let mut frontend = KernelFrontend {
        family,
        address: parsed.address,
        protocol: parsed.protocol,
        port: parsed.port,
        comment: None,
        verdict: match value {
            Value::Chain(chain) => chain.to_string(),
            Value::Drop => "drop".to_owned(),
            _ => "unknown".to_owned(),
        },
        endpoints: Vec::new(),
        local_endpoints: Vec::new(),
        empty_slots: 0,
    };
    let [inside, outside] = draws(value);
    for (pool, draw) in [(Pool::Cluster, inside), (Pool::Local, outside)] {
        let (count, part) = draw.map_or((0, 0), |draw| (draw.slots, draw.part));
        let endpoints = match pool {
            Pool::Cluster => &mut frontend.endpoints,
            Pool::Local => &mut frontend.local_endpoints,
        };
        let container = if has_affinity(value) {
            Container::SeatedEndpoints(kind, pool)
        } else {
            Container::Endpoints(kind, pool, part)
        };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        // Chains of others may count on any number of slots.
        let held = observed.elements.get(&container).map_or(0, ObservedElements::len);
        let in_slot = |slot| match container {
            Container::Endpoints(..) => slot_endpoint(observed, key, container, slot),
            _ => seated_endpoint(observed, key, kind, pool, slot).map(|(endpoint, _)| endpoint),
        };
        endpoints.extend((0u32..).take(count.min(held)).filter_map(in_slot));
        frontend.empty_slots += count - endpoints.len();
    }
    frontend.endpoints.sort_unstable();
    frontend.local_endpoints.sort_unstable();
    Some(frontend)
}
