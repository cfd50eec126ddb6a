//! Handing connections to IPVS.
//!
//! IPVS takes what is delivered locally, and what this node sends. A bit of the packet mark
//! makes a routing rule deliver locally what is for a service, whatever address that has; the
//! same bit of the connection's mark says so for its later packets. So no address has to be
//! bound to the node, and nothing else that listens on it can be reached through one.

use portolan_core::Pool;
use portolan_netlink::nftables::{ChainKind, Hook};

use super::serving::balance;
use super::{Chain, FamilySettings, loopback};
use crate::Ipvs;
use crate::chain_name::{Draw, EntryKind};
use crate::statement::Statement;

/// The chain that hands connections over.
const HAND_OVER: &str = "hand-over";

/// After connection tracking (-200) and before routing. No nft has a name here.
const CARRY_PRIORITY: i32 = -130;

/// After IPVS has translated what this node sends (`ip_vs_ops4`: -98). No nft has a name here.
const REROUTE_PRIORITY: i32 = -85;

impl FamilySettings {
    /// The chains that exist because IPVS has connections, or gets them.
    pub(super) fn ipvs_chains(&self) -> Vec<Chain> {
        match self.ipvs {
            Ipvs::Unused => Vec::new(),
            Ipvs::Draining => vec![self.carry(), self.reroute()],
            Ipvs::Serving => vec![self.carry(), self.reroute(), self.hand_over()],
        }
    }

    /// Later packets of connections that IPVS has.
    fn carry(&self) -> Chain {
        let place = (Hook::Prerouting, CARRY_PRIORITY);
        let rule = vec![self.with_ipvs(), Statement::Forth, Statement::Mark(self.ipvs_mark)];
        Chain::base("ipvs-connections", ChainKind::Filter, place, vec![rule])
    }

    /// What this node sends to an endpoint that is itself. IPVS translates it and leaves it on
    /// the way to the service's address (`ip_vs_nat_xmit`, v6.1), which leads out of the node.
    /// A chain of this kind finds the way anew for packets whose mark it changes, so it flips
    /// one that nobody asks for any more.
    fn reroute(&self) -> Chain {
        let place = (Hook::Output, REROUTE_PRIORITY);
        let rule = vec![
            self.with_ipvs(),
            Statement::Forth,
            Statement::DestinationIsLocal,
            Statement::Unmark(self.ipvs_mark),
        ];
        Chain::base("ipvs-endpoints-here", ChainKind::Route, place, vec![rule])
    }

    fn hand_over(&self) -> Chain {
        let bit = self.ipvs_mark;
        let rule = vec![Statement::MarkConnection(bit), Statement::Mark(bit), Statement::Accept];
        Chain { name: HAND_OVER.to_owned(), base: None, rules: vec![rule] }
    }

    /// The end of a connection that goes to one of a pool's endpoints.
    pub(super) fn deliver(&self, kind: EntryKind, pool: Pool, draw: Draw) -> Vec<Vec<Statement>> {
        let balance = || balance(kind, pool, draw);
        if self.ipvs != Ipvs::Serving {
            return vec![vec![balance()]];
        }
        let mut rules = vec![vec![Statement::Goto(HAND_OVER.to_owned())]];
        if self.localhost_node_ports && kind == EntryKind::NodePort {
            // No virtual server has these addresses.
            let net = loopback::loopback(self.family);
            rules.insert(0, vec![Statement::Destination { net, negated: false }, balance()]);
        }
        rules
    }

    /// Endpoints that call themselves through IPVS.
    pub(super) fn handed_over(&self) -> Option<Statement> {
        (self.ipvs != Ipvs::Unused).then(|| self.with_ipvs())
    }

    /// IPVS has the connection.
    fn with_ipvs(&self) -> Statement {
        Statement::ConnectionMarked(self.ipvs_mark | self.former_ipvs_marks)
    }
}
