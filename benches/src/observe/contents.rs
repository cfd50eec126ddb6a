//! Whether everything is in the kernel.
//!
//! A start is over when nothing more is committed *and* what is there is complete. That is
//! judged by the kernel's listing: one frontend each for every ClusterIP, protocol and
//! port.

use anyhow::Context as _;
use portolan_lab::Namespace;
use portolan_netlink::ipvs::Ipvs;
use portolan_netlink::nftables::{Connection, Family};

use crate::cluster::Frontends;

/// Where an arm keeps its frontends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contents {
    /// Elements of a map in a table that both families have.
    Map { table: &'static str, map: &'static str },
    /// Rules of a chain of iptables, whose programs write to nf_tables.
    Chain { table: &'static str, chain: &'static str },
    /// Virtual servers.
    VirtualServers,
}

/// What an arm makes frontends of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// ClusterIPs and load balancers' addresses in one place.
    Everything,
    /// Addresses of load balancers may be elsewhere.
    ClusterIps,
}

impl Contents {
    /// Whether the kernel has a cluster's frontends.
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
        Ok(namespace.run(|| self.count()).context("cannot list what the kernel has")? >= expected)
    }

    fn count(self) -> anyhow::Result<usize> {
        let mut count = 0;
        match self {
            Contents::Map { table, map } => {
                let mut connection = Connection::open()?;
                for family in [Family::Ip, Family::Ip6] {
                    count += connection.elements(family, table, map, &mut |_| {})?;
                }
            }
            Contents::Chain { table, chain } => {
                let mut connection = Connection::open()?;
                for family in [Family::Ip, Family::Ip6] {
                    let rules = connection.rules(family, table)?;
                    count += rules.iter().filter(|rule| rule.chain == chain).count();
                }
            }
            Contents::VirtualServers => count = Ipvs::open()?.servers()?.len(),
        }
        Ok(count)
    }
}
