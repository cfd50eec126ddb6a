//! The named sets and maps of a table: what they are keyed by and what they hold.

use std::sync::LazyLock;

use portolan_core::{Family, Pool};
use portolan_netlink::nftables::{Field, Set, SetData};

use crate::chain_name::EntryKind;
use crate::partition::Parts;

/// A set or map of our table. Every family's table has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Container {
    /// Addresses of services: any port that no service has is rejected.
    ClusterIps,
    /// Addresses of this node that take NodePorts; used if they are listed.
    NodePortIps,
    /// `endpoint . endpoint` for endpoints that may run here and call themselves.
    Hairpin,
    /// `address . protocol . port . clients` of a load balancer's address with source ranges.
    SourceRanges,
    /// Frontend → the chain that serves it.
    Verdicts(EntryKind),
    /// Frontend and slot → an endpoint. [`Pool::Local`] is for clients that the `Local`
    /// policy confines to this node, [`Pool::Cluster`] for all others. The last is the number
    /// of the part; see [`Parts`].
    Endpoints(EntryKind, Pool, u16),
    /// Client and frontend → the client's seat. The rules fill it.
    Affinity(EntryKind, Pool),
    /// Frontend and seat → the same seat, if it is taken; and frontend and slot, counted from
    /// [`FIRST_SLOT`] → the seat of the slot's endpoint.
    Seats(EntryKind, Pool),
    /// Frontend and seat → an endpoint.
    SeatedEndpoints(EntryKind, Pool),
}

/// The number of the first slot in [`Container::Seats`]; seats have lower numbers.
pub(crate) const FIRST_SLOT: u32 = 1 << 24;

/// How many clients of each kind of frontend are remembered; further ones are balanced without
/// affinity. The kernel takes the size as a hint for its first buckets, of which only the
/// lower 16 bits remain (include/linux/rhashtable-types.h, `nelem_hint`): an empty map with
/// a multiple of 65,536 takes a few kilobytes, but one of 65,535 two megabytes. Measured on
/// Linux 5.10, 6.1, 6.12 and 7.2: all our empty tables together take 1.4 MB.
const REMEMBERED_CLIENTS: u32 = 1 << 18;

/// What the parts of the map of endpoints but the first are called.
static PARTS: LazyLock<Vec<String>> =
    LazyLock::new(|| Parts::ALL.numbers().map(|part| format!("endpoints-part-{part}")).collect());

const KINDS: [EntryKind; 2] = [EntryKind::Address, EntryKind::NodePort];

impl Container {
    /// All containers of a table with these parts, in the order in which they are written and
    /// listed.
    pub(crate) fn all(parts: Parts) -> impl Iterator<Item = Container> {
        use Container::{Affinity, Endpoints, SeatedEndpoints, Seats, Verdicts};
        let pools = [Pool::Cluster, Pool::Local];
        let balanced = KINDS.into_iter().flat_map(move |kind| {
            let endpoints = pools.into_iter().flat_map(move |pool| {
                let is_divided = (kind, pool) == (EntryKind::Address, Pool::Cluster);
                let parts = if is_divided { parts } else { Parts::ONE };
                parts.numbers().map(move |part| Endpoints(kind, pool, part))
            });
            std::iter::once(Verdicts(kind)).chain(endpoints)
        });
        let sticky = KINDS.into_iter().flat_map(move |kind| {
            pools.into_iter().flat_map(move |pool| {
                [Affinity(kind, pool), Seats(kind, pool), SeatedEndpoints(kind, pool)]
            })
        });
        let sets = [
            Container::ClusterIps,
            Container::NodePortIps,
            Container::Hairpin,
            Container::SourceRanges,
        ];
        sets.into_iter().chain(balanced).chain(sticky)
    }

    /// The name in the kernel.
    pub(crate) fn name(self) -> &'static str {
        use EntryKind::{Address, NodePort};
        use Pool::{Cluster, Local};
        match self {
            Container::ClusterIps => "cluster-ips",
            Container::NodePortIps => "node-port-ips",
            Container::Hairpin => "hairpin",
            Container::SourceRanges => "source-ranges",
            Container::Verdicts(Address) => "services",
            Container::Verdicts(NodePort) => "node-ports",
            Container::Endpoints(Address, Cluster, 0) => "endpoints",
            Container::Endpoints(Address, Cluster, part) => {
                PARTS.get(usize::from(part)).map_or("endpoints-part", String::as_str)
            }
            Container::Endpoints(Address, Local, _) => "local-endpoints",
            Container::Endpoints(NodePort, Cluster, _) => "node-port-endpoints",
            Container::Endpoints(NodePort, Local, _) => "node-port-local-endpoints",
            Container::Affinity(Address, Cluster) => "affinity",
            Container::Affinity(Address, Local) => "local-affinity",
            Container::Affinity(NodePort, Cluster) => "node-port-affinity",
            Container::Affinity(NodePort, Local) => "node-port-local-affinity",
            Container::Seats(Address, Cluster) => "affinity-seats",
            Container::Seats(Address, Local) => "local-affinity-seats",
            Container::Seats(NodePort, Cluster) => "node-port-affinity-seats",
            Container::Seats(NodePort, Local) => "node-port-local-affinity-seats",
            Container::SeatedEndpoints(Address, Cluster) => "affinity-endpoints",
            Container::SeatedEndpoints(Address, Local) => "local-affinity-endpoints",
            Container::SeatedEndpoints(NodePort, Cluster) => "node-port-affinity-endpoints",
            Container::SeatedEndpoints(NodePort, Local) => "node-port-local-affinity-endpoints",
        }
    }

    /// The container of a name, if it is one of ours.
    #[cfg(test)]
    pub(crate) fn from_name(name: &str) -> Option<Container> {
        Container::all(Parts::ALL).find(|container| container.name() == name)
    }

    /// What the container is for, as its comment in the kernel says.
    pub(crate) const fn purpose(self) -> &'static str {
        match self {
            Container::ClusterIps => "addresses of services; their undefined ports are rejected",
            Container::NodePortIps => "addresses of this node that take NodePorts",
            Container::Hairpin => "endpoints that may call themselves through a service",
            Container::SourceRanges => "frontend and the clients that may use it",
            Container::Verdicts(EntryKind::Address) => "frontend to the chain that serves it",
            Container::Verdicts(EntryKind::NodePort) => "NodePort to the chain that serves it",
            Container::Endpoints(EntryKind::Address, Pool::Cluster, _) => {
                "frontend and slot to endpoint"
            }
            Container::Endpoints(EntryKind::NodePort, Pool::Cluster, _) => {
                "NodePort and slot to endpoint"
            }
            Container::Affinity(_, Pool::Cluster) => "client and frontend to seat",
            Container::Seats(_, Pool::Cluster) => "frontend and seat, or slot from 100:0, to seat",
            Container::SeatedEndpoints(_, Pool::Cluster) => "frontend and seat to endpoint",
            Container::Endpoints(_, Pool::Local, _)
            | Container::Affinity(_, Pool::Local)
            | Container::Seats(_, Pool::Local)
            | Container::SeatedEndpoints(_, Pool::Local) => {
                "the same for clients confined to this node"
            }
        }
    }

    /// Elements that the container has room for from the start. A declared size makes the
    /// kernel use a fixed hash table: faster to fill, and its dumps are exact.
    pub(crate) const fn minimum_size(self) -> u32 {
        match self {
            Container::Affinity(..) => REMEMBERED_CLIENTS,
            Container::NodePortIps | Container::Seats(..) | Container::SeatedEndpoints(..) => 256,
            Container::ClusterIps
            | Container::Hairpin
            | Container::SourceRanges
            | Container::Verdicts(EntryKind::NodePort) => 1024,
            Container::Endpoints(EntryKind::Address, Pool::Cluster, _) => 8192,
            Container::Verdicts(EntryKind::Address) | Container::Endpoints(..) => 2048,
        }
    }

    /// Whether values are endpoints, and keys end in the number of a slot or seat.
    pub(crate) const fn holds_endpoints(self) -> bool {
        matches!(self, Container::Endpoints(..) | Container::SeatedEndpoints(..))
    }

    /// Whether elements belong to no single service.
    pub(crate) const fn is_shared(self) -> bool {
        matches!(self, Container::ClusterIps | Container::Hairpin | Container::NodePortIps)
    }

    /// Whether the rules fill the container. Its elements are neither ours to change nor
    /// read: they live through restarts, and as long as their clients come back.
    pub(crate) const fn is_dynamic(self) -> bool {
        matches!(self, Container::Affinity(..))
    }

    /// How frontends are found in the container, if its keys have one.
    pub(crate) const fn entry_kind(self) -> Option<EntryKind> {
        match self {
            Container::ClusterIps | Container::NodePortIps | Container::Hairpin => None,
            Container::SourceRanges => Some(EntryKind::Address),
            Container::Verdicts(kind)
            | Container::Endpoints(kind, _, _)
            | Container::Affinity(kind, _)
            | Container::Seats(kind, _)
            | Container::SeatedEndpoints(kind, _) => Some(kind),
        }
    }

    /// The fields of a key.
    pub(crate) fn key(self, family: Family) -> Vec<Field> {
        let address = address_field(family);
        let mut fields = match self.entry_kind() {
            None if self == Container::Hairpin => vec![address, address],
            None => vec![address],
            Some(EntryKind::Address) => vec![address, Field::Protocol, Field::Port],
            Some(EntryKind::NodePort) => vec![Field::Protocol, Field::Port],
        };
        match self {
            Container::SourceRanges => fields.push(address),
            Container::Endpoints(..) => fields.push(Field::Slot),
            Container::Affinity(..) => fields.insert(0, address),
            Container::Seats(..) | Container::SeatedEndpoints(..) => fields.push(Field::Priority),
            _ => {}
        }
        fields
    }

    /// What a value is; `None` for sets.
    pub(crate) fn data(self, family: Family) -> Option<SetData> {
        Some(match self {
            Container::Verdicts(_) => SetData::Verdict,
            Container::Endpoints(..) | Container::SeatedEndpoints(..) => {
                SetData::Fields(vec![address_field(family), Field::Port])
            }
            Container::Affinity(..) | Container::Seats(..) => {
                SetData::Fields(vec![Field::Priority])
            }
            _ => return None,
        })
    }

    /// The declaration in the kernel.
    pub(crate) fn declaration(self, family: Family, size: u32) -> Set {
        Set {
            name: self.name().to_owned(),
            key: self.key(family),
            data: self.data(family),
            size: Some(size),
            interval: self == Container::SourceRanges,
            dynamic: self.is_dynamic(),
            timeout: self.is_dynamic(),
            comment: Some(self.purpose().to_owned()),
            ..Set::default()
        }
    }

    /// Whether a set of the kernel is declared as this container is, whatever its size.
    pub(crate) fn is_declared_by(self, family: Family, set: &Set) -> bool {
        set.size.is_some_and(|size| set.is_declared_as(&self.declaration(family, size)))
    }

    /// Whether it is one of the maps that endpoints are divided into.
    pub(crate) const fn is_part(self) -> bool {
        matches!(self, Container::Endpoints(EntryKind::Address, Pool::Cluster, _))
    }
}

/// The field type of an address of a family.
pub(crate) fn address_field(family: Family) -> Field {
    match family {
        Family::V4 => Field::Ipv4Address,
        Family::V6 => Field::Ipv6Address,
    }
}

/// A size with room for `count` elements and for as many again, so that growing is rare.
pub(crate) fn size_for(container: Container, count: usize) -> u32 {
    let wanted = u32::try_from(count.saturating_mul(2)).unwrap_or(u32::MAX / 2);
    wanted.max(container.minimum_size()).checked_next_power_of_two().unwrap_or(1 << 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lead_back() {
        for container in Container::all(Parts::ALL) {
            assert_eq!(Container::from_name(container.name()), Some(container));
        }
        assert_eq!(Container::from_name("someone-elses"), None);
    }

    #[test]
    fn a_size_has_room_to_replace_everything_at_once() {
        for (count, size) in [(0, 8192), (4096, 8192), (4097, 16384), (100_000, 262_144)] {
            assert_eq!(
                size_for(Container::Endpoints(EntryKind::Address, Pool::Cluster, 0), count),
                size,
                "{count} elements"
            );
        }
    }
}
