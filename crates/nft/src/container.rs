//! The named sets and maps of a table: what they are keyed by and what they hold.

use portolan_core::Family;
use portolan_netlink::nftables::{Field, Set, SetData};

/// A set or map of our table. Every family's table has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Container {
    /// Addresses of services: any port that no service has is rejected.
    ClusterIps,
    /// Addresses of this node that take NodePorts; used if they are listed.
    NodePortIps,
    /// `endpoint . endpoint` for endpoints that may run here and call themselves.
    Hairpin,
    /// `address . protocol . port` of a frontend → the chain that serves it.
    Services,
    /// `address . protocol . port . slot` of a frontend → an endpoint.
    Endpoints,
    /// The same for clients that the `Local` policy confines to this node.
    LocalEndpoints,
    /// `protocol . port` of a NodePort → the chain that serves it.
    NodePorts,
    /// `protocol . port . slot` of a NodePort → an endpoint.
    NodePortEndpoints,
    /// The same for clients that the `Local` policy confines to this node.
    NodePortLocalEndpoints,
}

impl Container {
    /// All containers, in the order in which they are written and listed.
    pub(crate) const ALL: [Container; 9] = [
        Container::ClusterIps,
        Container::NodePortIps,
        Container::Hairpin,
        Container::Services,
        Container::Endpoints,
        Container::LocalEndpoints,
        Container::NodePorts,
        Container::NodePortEndpoints,
        Container::NodePortLocalEndpoints,
    ];

    /// The name in the kernel.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Container::ClusterIps => "cluster-ips",
            Container::NodePortIps => "node-port-ips",
            Container::Hairpin => "hairpin",
            Container::Services => "services",
            Container::Endpoints => "endpoints",
            Container::LocalEndpoints => "local-endpoints",
            Container::NodePorts => "node-ports",
            Container::NodePortEndpoints => "node-port-endpoints",
            Container::NodePortLocalEndpoints => "node-port-local-endpoints",
        }
    }

    /// The container of a name, if it is one of ours.
    #[cfg(test)]
    pub(crate) fn from_name(name: &str) -> Option<Container> {
        Container::ALL.into_iter().find(|container| container.name() == name)
    }

    /// What the container is for, as its comment in the kernel says.
    pub(crate) const fn purpose(self) -> &'static str {
        match self {
            Container::ClusterIps => "addresses of services; their undefined ports are rejected",
            Container::NodePortIps => "addresses of this node that take NodePorts",
            Container::Hairpin => "endpoints that may call themselves through a service",
            Container::Services => "frontend to the chain that serves it",
            Container::Endpoints => "frontend and slot to endpoint",
            Container::LocalEndpoints => "the same for clients confined to this node",
            Container::NodePorts => "NodePort to the chain that serves it",
            Container::NodePortEndpoints => "NodePort and slot to endpoint",
            Container::NodePortLocalEndpoints => "the same for clients confined to this node",
        }
    }

    /// Elements that the container has room for from the start. A declared size makes the
    /// kernel use a fixed hash table: faster to fill, and its dumps are exact.
    pub(crate) const fn minimum_size(self) -> u32 {
        match self {
            Container::NodePortIps => 256,
            Container::ClusterIps | Container::Hairpin | Container::NodePorts => 1024,
            Container::Services
            | Container::NodePortEndpoints
            | Container::LocalEndpoints
            | Container::NodePortLocalEndpoints => 2048,
            Container::Endpoints => 8192,
        }
    }

    /// Whether values are verdicts: changing one makes the kernel validate the table.
    pub(crate) const fn holds_verdicts(self) -> bool {
        matches!(self, Container::Services | Container::NodePorts)
    }

    /// Whether keys end in a slot number.
    pub(crate) const fn has_slots(self) -> bool {
        matches!(
            self,
            Container::Endpoints
                | Container::LocalEndpoints
                | Container::NodePortEndpoints
                | Container::NodePortLocalEndpoints
        )
    }

    /// Whether keys start with an address.
    pub(crate) const fn by_address(self) -> bool {
        !matches!(
            self,
            Container::NodePorts | Container::NodePortEndpoints | Container::NodePortLocalEndpoints
        )
    }

    /// The fields of a key.
    pub(crate) fn key(self, family: Family) -> Vec<Field> {
        let address = address_field(family);
        let mut fields = match self {
            Container::ClusterIps | Container::NodePortIps => return vec![address],
            Container::Hairpin => return vec![address, address],
            _ if self.by_address() => vec![address, Field::Protocol, Field::Port],
            _ => vec![Field::Protocol, Field::Port],
        };
        if self.has_slots() {
            fields.push(Field::Slot);
        }
        fields
    }

    /// What a value is; `None` for sets.
    pub(crate) fn data(self, family: Family) -> Option<SetData> {
        if self.holds_verdicts() {
            Some(SetData::Verdict)
        } else if self.has_slots() {
            Some(SetData::Fields(vec![address_field(family), Field::Port]))
        } else {
            None
        }
    }

    /// The declaration in the kernel.
    pub(crate) fn declaration(self, family: Family, size: u32) -> Set {
        Set {
            name: self.name().to_owned(),
            key: self.key(family),
            data: self.data(family),
            size: Some(size),
            comment: Some(self.purpose().to_owned()),
            ..Set::default()
        }
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
        for container in Container::ALL {
            assert_eq!(Container::from_name(container.name()), Some(container));
        }
        assert_eq!(Container::from_name("someone-elses"), None);
    }

    #[test]
    fn a_size_has_room_to_replace_everything_at_once() {
        for (count, size) in [(0, 8192), (4096, 8192), (4097, 16384), (100_000, 262_144)] {
            assert_eq!(size_for(Container::Endpoints, count), size, "{count} elements");
        }
    }
}
