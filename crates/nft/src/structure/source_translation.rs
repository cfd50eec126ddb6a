//! Giving connections a source address of this node.

use portolan_core::Protocol;

use super::{Chain, FamilySettings};
use crate::container::Container;
use crate::statement::Statement;

/// The chain that gives connections a source address of this node.
const MASQUERADE: &str = "masquerade-connection";

impl FamilySettings {
    /// Whose source is translated: what is marked, and endpoints that call themselves.
    pub(super) fn postrouting(&self) -> Vec<Vec<Statement>> {
        let go = || Statement::Goto(MASQUERADE.to_owned());
        let marked = vec![Statement::Marked(self.mark), Statement::Unmark(self.mark), go()];
        let reached_endpoint = [Some(Statement::Translated), self.handed_over()];
        let calls_itself = reached_endpoint
            .into_iter()
            .flatten()
            .map(|reached| vec![reached, Statement::PairIn(Container::Hairpin), go()]);
        [marked].into_iter().chain(calls_itself).collect()
    }

    /// Unprivileged source ports stay out of the NodePort range: a connection of ours that
    /// had a NodePort as its source port would make answers look like requests to it.
    /// Privileged ones stay privileged, as the kernel's own choice keeps them (NFS asks for
    /// that): net/netfilter/nf_nat_core.c, `nf_nat_l4proto_unique_tuple`, v6.1.
    pub(super) fn masquerade(&self) -> Chain {
        let protocols = Protocol::ALL.into_iter().filter(|_| self.source_ports.is_some());
        let mut rules: Vec<Vec<Statement>> = protocols
            .map(|protocol| {
                let port = Statement::SourcePortAbove1023(protocol);
                vec![port, Statement::Masquerade(self.source_ports)]
            })
            .collect();
        rules.push(vec![Statement::Masquerade(None)]);
        Chain { name: MASQUERADE.to_owned(), base: None, rules }
    }
}
