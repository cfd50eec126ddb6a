//! Whether everything is in the kernel.
//!
//! A start is over when nothing more is committed *and* what is there is complete. That is
//! judged by the kernel's listing: one frontend each for every ClusterIP, protocol and
//! port, and of an arm whose maps of endpoints are known, every endpoint.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Context as _;
use portolan_lab::Namespace;
use portolan_netlink::ipvs::Ipvs;
use portolan_netlink::nftables::{Connection, Data, Family};

use crate::cluster::Frontends;

/// The families that have a table.
const FAMILIES: [Family; 2] = [Family::Ip, Family::Ip6];

/// Where an arm keeps its frontends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contents {
    /// Elements of a map in a table that both families have.
    Map { table: &'static str, map: &'static str },
    /// The agent's table: elements of a map, whose endpoints are in others.
    Table { table: &'static str, map: &'static str, endpoints: EndpointMaps },
    /// Rules of a chain of iptables, whose programs write to nf_tables.
    Chain { table: &'static str, chain: &'static str },
    /// Virtual servers.
    VirtualServers,
}

/// The names of maps whose values begin with the addresses of endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndpointMaps {
    pub(crate) names: &'static [&'static str],
    /// How the names of further ones begin.
    pub(crate) prefix: &'static str,
}

/// What an arm makes frontends of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// ClusterIPs and load balancers' addresses in one place.
    Everything,
    /// Addresses of load balancers may be elsewhere.
    ClusterIps,
}

/// The endpoints in the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Endpoints {
    pub(crate) addresses: HashSet<IpAddr>,
    /// One for each frontend that leads to one.
    pub(crate) elements: usize,
}

impl EndpointMaps {
    fn has(self, name: &str) -> bool {
        self.names.contains(&name) || name.starts_with(self.prefix)
    }
}

impl Contents {
    /// Whether the kernel has a cluster's frontends: all of them, and nothing else where they
    /// are by themselves.
    pub(crate) fn are_complete(
        self,
        namespace: &Namespace,
        frontends: Frontends,
        written: Written,
    ) -> anyhow::Result<bool> {
        let expected = match written {
            Written::Everything => frontends.cluster_ips + frontends.load_balancers,
            Written::ClusterIps => frontends.cluster_ips,
        };
        let count = namespace.run(|| self.count()).context("cannot list what the kernel has")?;
        Ok(match self.endpoints(namespace)? {
            Some(endpoints) => count == expected && endpoints.elements == frontends.endpoints,
            // NodePorts and addresses of load balancers may be among them.
            None => count >= expected,
        })
    }

    /// The endpoints of ClusterIPs and load balancers, of an arm whose maps are known.
    pub(crate) fn endpoints(self, namespace: &Namespace) -> anyhow::Result<Option<Endpoints>> {
        let Contents::Table { table, endpoints, .. } = self else { return Ok(None) };
        let list = || -> anyhow::Result<Endpoints> {
            let mut found = Endpoints::default();
            let mut connection = Connection::open()?;
            for family in FAMILIES {
                let maps = connection.sets(family, table)?;
                for map in maps.iter().filter(|map| endpoints.has(&map.name)) {
                    let addresses = &mut found.addresses;
                    found.elements += connection.elements(family, table, &map.name, &mut |it| {
                        addresses.extend(it.data.and_then(|data| address(family, &data)));
                    })?;
                }
            }
            Ok(found)
        };
        Ok(Some(namespace.run(list).context("cannot list the endpoints that the kernel has")?))
    }

    fn count(self) -> anyhow::Result<usize> {
        let mut count = 0;
        match self {
            Contents::Map { table, map } | Contents::Table { table, map, .. } => {
                let mut connection = Connection::open()?;
                for family in FAMILIES {
                    count += connection.elements(family, table, map, &mut |_| {})?;
                }
            }
            Contents::Chain { table, chain } => {
                let mut connection = Connection::open()?;
                for family in FAMILIES {
                    let rules = connection.rules(family, table)?;
                    count += rules.iter().filter(|rule| rule.chain == chain).count();
                }
            }
            Contents::VirtualServers => count = Ipvs::open()?.servers()?.len(),
        }
        Ok(count)
    }
}

impl Endpoints {
    /// What is wrong with what the kernel has, if it should have these.
    pub(crate) fn unlike(&self, expected: &Endpoints) -> Option<String> {
        let some = |left: &Endpoints, right: &Endpoints| {
            let mut all: Vec<_> = left.addresses.difference(&right.addresses).collect();
            all.sort_unstable();
            (all.len(), all.first().map(ToString::to_string).unwrap_or_default())
        };
        let (missing, lacks) = some(expected, self);
        let (stale, keeps) = some(self, expected);
        if missing > 0 || stale > 0 {
            return Some(format!(
                "the kernel lacks {missing} endpoints ({lacks}) and has {stale} that are gone \
                 ({keeps})"
            ));
        }
        (self.elements != expected.elements).then(|| {
            format!("the kernel has {} endpoints instead of {}", self.elements, expected.elements)
        })
    }
}

/// The address that a value begins with.
fn address(family: Family, data: &Data<'_>) -> Option<IpAddr> {
    let Data::Bytes(bytes) = data else { return None };
    match family {
        Family::Ip6 => Some(Ipv6Addr::from(*bytes.first_chunk::<16>()?).into()),
        _ => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maps_of_endpoints_are_known_by_their_names() {
        let maps = EndpointMaps { names: &["endpoints"], prefix: "endpoints-part-" };
        let names = ["endpoints", "endpoints-part-7", "local-endpoints", "endpoints-of-others"];
        assert_eq!(names.map(|name| maps.has(name)), [true, true, false, false]);
    }

    #[test]
    fn what_the_kernel_lacks_or_has_too_much_is_named() {
        let of = |addresses: &[[u8; 4]], elements| Endpoints {
            addresses: addresses.iter().map(|it| IpAddr::from(*it)).collect(),
            elements,
        };
        let (a, b) = ([10, 128, 0, 1], [10, 128, 0, 2]);
        for (kernel, cluster, expected) in [
            (of(&[a, b], 3), of(&[a, b], 3), None),
            (of(&[a], 1), of(&[a, b], 2), Some("lacks 1 endpoints (10.128.0.2) and has 0")),
            (of(&[a, b], 2), of(&[a], 1), Some("has 1 that are gone (10.128.0.2)")),
            (of(&[a, b], 2), of(&[a, b], 3), Some("has 2 endpoints instead of 3")),
        ] {
            let found = kernel.unlike(&cluster);
            assert_eq!(found.is_some(), expected.is_some(), "{found:?}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()));
        }
    }
}
