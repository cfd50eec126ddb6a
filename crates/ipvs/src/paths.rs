//! What makes the kernel deliver packets for services locally, where IPVS takes them.
//!
//! A rule sends packets with our mark to a table of ours, and that table says of the
//! service networks, and of each address outside of them, that it is local. No address is
//! bound to the node: whatever else arrives for these addresses, on whatever port, goes
//! where it would go without us. Networks rather than everything, because the kernel may
//! look the sender of a marked packet up in the same tables
//! (`net.ipv4.conf.all.src_valid_mark`), where it must not look like this node.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use portolan_netlink::NetlinkError;
use portolan_netlink::route::{LocalRoute, Operation, PolicyRule, Routing};
use tracing::warn;

use crate::options::IpvsOptions;

/// What [`Paths::remove`] removes, for people.
pub(crate) const PATHS: &str = "routing rules and routes";

/// The rule and the routes.
#[derive(Debug)]
pub(crate) struct Paths {
    routing: Routing,
    rules: Vec<PolicyRule>,
    /// Those that this kernel does not take: it lacks the family.
    refused_rules: Vec<PolicyRule>,
    /// Those of an earlier process for another mark, which its connections may still have.
    former_rules: Vec<PolicyRule>,
    table: u32,
    mark: u32,
    /// The service networks.
    networks: Vec<IpNet>,
    /// How many virtual servers an address has.
    addresses: BTreeMap<IpAddr, usize>,
    /// What the kernel has.
    routes: BTreeSet<IpNet>,
}

impl Paths {
    /// Opens the conversation; changes nothing.
    pub(crate) fn of(options: &IpvsOptions) -> Result<Paths, NetlinkError> {
        let mark = 1 << (options.mark_bit & 31);
        let (priority, table) = (options.rule_priority, options.route_table);
        let rule = |v6| PolicyRule { v6, priority, mark, mask: mark, table };
        Ok(Paths {
            routing: Routing::open()?,
            rules: [false, true].map(rule).to_vec(),
            refused_rules: Vec::new(),
            former_rules: Vec::new(),
            table,
            mark,
            networks: Vec::new(),
            addresses: BTreeMap::new(),
            routes: BTreeSet::new(),
        })
    }

    /// Bytes of all changes that were sent so far.
    pub(crate) const fn bytes_sent(&self) -> u64 {
        self.routing.bytes_sent()
    }

    /// Makes the rules what they should be, and finds out which routes there are. Rules for
    /// other marks stay until [`Paths::forget_former_marks`].
    pub(crate) fn create(&mut self) -> Result<(), NetlinkError> {
        let there = self.routing.rules()?;
        let missing = self.rules.iter().filter(|rule| !there.contains(rule));
        let others = there.iter().filter(|rule| !self.rules.contains(rule));
        let superfluous = others.filter(|rule| !self.is_former(rule));
        let operations: Vec<Operation> = missing
            .map(|rule| Operation::AddRule(*rule))
            .chain(superfluous.map(|rule| Operation::DeleteRule(*rule)))
            .collect();
        let refused = self.execute(&operations)?;
        self.refused_rules = at(&refused, &operations)
            .into_iter()
            .filter_map(|operation| match operation {
                Operation::AddRule(rule) => Some(rule),
                _ => None,
            })
            .collect();
        let routes = self.routing.routes(self.table)?;
        self.routes = routes.into_iter().map(|route| route.network).collect();
        Ok(())
    }

    /// Finds out which marks an earlier process gave; changes nothing.
    pub(crate) fn look_for_former_marks(&mut self) -> Result<(), NetlinkError> {
        let there = self.routing.rules()?;
        self.former_rules = there.into_iter().filter(|rule| self.is_former(rule)).collect();
        Ok(())
    }

    /// Whether a rule leads what has another mark than ours to our table.
    fn is_former(&self, rule: &PolicyRule) -> bool {
        rule.table == self.table && rule.mark == rule.mask && rule.mark != self.mark
    }

    /// Our mark: one bit.
    pub(crate) const fn mark(&self) -> u32 {
        self.mark
    }

    /// The marks of those rules, all in one: an earlier process had another bit. 0 if there
    /// are none.
    pub(crate) fn former_marks(&self) -> u32 {
        self.former_rules.iter().fold(0, |marks, rule| marks | rule.mark)
    }

    /// No packet gets those marks any more. Rules that the kernel does not delete are
    /// remembered.
    pub(crate) fn forget_former_marks(&mut self) -> Result<(), NetlinkError> {
        let rules = self.former_rules.iter().copied();
        let operations: Vec<Operation> = rules.map(Operation::DeleteRule).collect();
        let refused = self.execute(&operations)?;
        self.keep_former(&refused);
        Ok(())
    }

    /// Of the rules of an earlier process only these are still there.
    fn keep_former(&mut self, indices: &BTreeSet<usize>) {
        self.former_rules = at(indices, &self.former_rules);
    }

    /// Whether the kernel has the rules, and the routes as we know them.
    pub(crate) fn is_undisturbed(&mut self) -> Result<bool, NetlinkError> {
        let rules = self.routing.rules()?;
        let taken = self.rules.iter().filter(|rule| !self.refused_rules.contains(rule));
        if !taken.into_iter().all(|rule| rules.contains(rule)) {
            return Ok(false);
        }
        let routes: BTreeSet<IpNet> =
            self.routing.routes(self.table)?.into_iter().map(|route| route.network).collect();
        Ok(routes == self.routes)
    }

    /// Whether packets for every virtual server get there: what the kernel refused is
    /// missed where there is a server of that family.
    pub(crate) fn is_complete(&self) -> bool {
        let is_used = |v6: bool| self.addresses.keys().any(|ip| ip.is_ipv6() == v6);
        let is_v6 = |network: &IpNet| matches!(network, IpNet::V6(_));
        !self.refused_rules.iter().any(|rule| is_used(rule.v6))
            && !self.wanted().difference(&self.routes).any(|network| is_used(is_v6(network)))
    }

    /// Takes in the service networks. Returns whether they are others than before.
    pub(crate) fn set_networks(&mut self, networks: &[IpNet]) -> bool {
        let networks = IpNet::aggregate(&networks.to_vec());
        let is_other = networks != self.networks;
        self.networks = networks;
        is_other
    }

    /// Takes in the addresses of all virtual servers.
    pub(crate) fn reset_addresses(&mut self, addresses: impl Iterator<Item = IpAddr>) {
        self.addresses.clear();
        addresses.for_each(|ip| self.use_address(ip));
    }

    /// A virtual server has this address.
    pub(crate) fn use_address(&mut self, ip: IpAddr) {
        *self.addresses.entry(ip).or_default() += 1;
    }

    /// A virtual server had this address.
    pub(crate) fn leave_address(&mut self, ip: IpAddr) {
        if let Some(count) = self.addresses.get_mut(&ip) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.addresses.remove(&ip);
            }
        }
    }

    /// Adds the routes of these addresses that are missing.
    pub(crate) fn lead(&mut self, ips: impl Iterator<Item = IpAddr>) -> Result<(), NetlinkError> {
        let missing: Vec<IpNet> = ips
            .filter(|ip| !self.is_covered(*ip))
            .map(IpNet::from)
            .filter(|network| !self.routes.contains(network))
            .collect();
        self.add(missing)
    }

    /// Deletes the routes of those of these addresses that no virtual server has.
    pub(crate) fn unlead(&mut self, ips: impl Iterator<Item = IpAddr>) -> Result<(), NetlinkError> {
        let unused: Vec<IpNet> = ips
            .filter(|ip| !self.addresses.contains_key(ip))
            .map(IpNet::from)
            .filter(|network| self.routes.contains(network))
            .collect();
        self.delete(unused)
    }

    /// Adds all that are missing; what is too much stays until [`Paths::prune`].
    pub(crate) fn lead_all(&mut self) -> Result<(), NetlinkError> {
        let missing: Vec<IpNet> = self.wanted().difference(&self.routes).copied().collect();
        self.add(missing)
    }

    /// Deletes all that are too much.
    pub(crate) fn prune(&mut self) -> Result<(), NetlinkError> {
        let wanted = self.wanted();
        let superfluous: Vec<IpNet> = self.routes.difference(&wanted).copied().collect();
        self.delete(superfluous)
    }

    /// Deletes the rules and all routes.
    pub(crate) fn remove(&mut self) -> Result<usize, NetlinkError> {
        let rules = self.routing.rules()?.into_iter().map(Operation::DeleteRule);
        let routes = self.routing.routes(self.table)?.into_iter().map(Operation::DeleteRoute);
        let operations: Vec<Operation> = rules.chain(routes).collect();
        self.execute(&operations)?;
        self.routes.clear();
        Ok(operations.len())
    }

    fn wanted(&self) -> BTreeSet<IpNet> {
        let alone = self.addresses.keys().filter(|ip| !self.is_covered(**ip));
        self.networks.iter().copied().chain(alone.map(|ip| IpNet::from(*ip))).collect()
    }

    fn is_covered(&self, ip: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&ip))
    }

    fn add(&mut self, networks: Vec<IpNet>) -> Result<(), NetlinkError> {
        let table = self.table;
        let operation = |network| Operation::AddRoute(LocalRoute { network, table });
        let operations: Vec<Operation> = networks.iter().copied().map(operation).collect();
        let refused = self.execute(&operations)?;
        let added = networks.into_iter().enumerate().filter(|(index, _)| !refused.contains(index));
        self.routes.extend(added.map(|(_, network)| network));
        Ok(())
    }

    fn delete(&mut self, networks: Vec<IpNet>) -> Result<(), NetlinkError> {
        let table = self.table;
        let operation = |network| Operation::DeleteRoute(LocalRoute { network, table });
        let operations: Vec<Operation> = networks.iter().copied().map(operation).collect();
        self.execute(&operations)?;
        networks.iter().for_each(|network| {
            self.routes.remove(network);
        });
        Ok(())
    }

    /// What is refused is reported and left: it concerns single addresses. Returns which.
    fn execute(&mut self, operations: &[Operation]) -> Result<BTreeSet<usize>, NetlinkError> {
        if operations.is_empty() {
            return Ok(BTreeSet::new());
        }
        let failures = self.routing.execute(operations)?;
        for failure in &failures {
            warn!("{}: services at these addresses are not served", failure.refusal);
        }
        Ok(failures.into_iter().map(|failure| failure.index).collect())
    }
}

/// Those that have these indices.
fn at<T: Copy>(indices: &BTreeSet<usize>, all: &[T]) -> Vec<T> {
    indices.iter().filter_map(|index| all.get(*index)).copied().collect()
}
