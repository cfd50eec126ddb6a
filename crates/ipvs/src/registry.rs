//! Which virtual servers are ours.
//!
//! IPVS keeps no word of who made a virtual server, and other programs (keepalived) make
//! theirs. So a set in a table of ours has those that we made, from before the server is
//! added until after it is deleted. It is kept by the kernel, as IPVS is: both outlive the
//! agent, and neither outlives the machine.
//!
//! Rules beside the set keep from these servers what the table does not hand over.

mod element;
mod guard;
mod mending;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use portolan_netlink::NetlinkError;
use portolan_netlink::ipvs::ServerKey;
use portolan_netlink::nftables::{
    Batch, Connection, ElementOperation, Family, Receipt, Set, clip_comment,
};

use self::element::{Element, SET, decode, encode, has_servers};
use crate::options::IpvsOptions;

/// The set of our virtual servers, in both families.
#[derive(Debug)]
pub(crate) struct Registry {
    connection: Connection,
    table: String,
    /// Of connections that the table hands over.
    mark: u32,
    /// Of those that an earlier process handed over, or 0.
    former_marks: u32,
    bytes_sent: u64,
    /// Transactions since they were last asked for.
    transactions: u32,
}

impl Registry {
    /// Opens the conversation; changes nothing.
    pub(crate) fn of(options: &IpvsOptions) -> Result<Registry, NetlinkError> {
        Ok(Registry {
            connection: Connection::open()?,
            table: options.registry.clone(),
            mark: 1 << (options.mark_bit & 31),
            former_marks: 0,
            bytes_sent: 0,
            transactions: 0,
        })
    }

    /// How many transactions took effect since this was last asked: each raises the
    /// generation of the ruleset by one. None changes nothing, which would not raise it.
    pub(crate) const fn take_transactions(&mut self) -> u32 {
        std::mem::replace(&mut self.transactions, 0)
    }

    /// Bytes of all transactions that were sent so far.
    pub(crate) const fn bytes_sent(&self) -> u64 {
        self.bytes_sent
    }

    /// The rules that [`Registry::create`] makes let in what has one of these marks, too.
    pub(crate) const fn let_in(&mut self, former_marks: u32) {
        self.former_marks = former_marks;
    }

    /// Whether there is such a table in one of the families.
    pub(crate) fn is_there(&mut self) -> Result<bool, NetlinkError> {
        Ok(self.exists(Family::Ip)? || self.exists(Family::Ip6)?)
    }

    fn exists(&mut self, family: Family) -> Result<bool, NetlinkError> {
        Ok(self.connection.tables(family)?.iter().any(|table| table.name == self.table))
    }

    /// All that are ours, whether or not they were really made.
    pub(crate) fn servers(&mut self) -> Result<BTreeSet<ServerKey>, NetlinkError> {
        let mut servers = BTreeSet::new();
        for family in Family::ALL {
            let elements = self.elements(family)?;
            servers.extend(elements.into_iter().filter_map(|(key, _)| decode(family, &key)));
        }
        Ok(servers)
    }

    /// The set of that name, whoever declared it.
    fn found(&mut self, family: Family) -> Result<Option<Set>, NetlinkError> {
        let sets = self.connection.sets(family, &self.table)?;
        Ok(sets.into_iter().find(|set| set.name == SET))
    }

    /// Those of a family as they are written, with their comments. What others declared
    /// otherwise may have elements that look like servers and are none.
    fn elements(&mut self, family: Family) -> Result<Vec<Element>, NetlinkError> {
        let mut elements = Vec::new();
        if !self.found(family)?.is_some_and(|set| has_servers(family, &set)) {
            return Ok(elements);
        }
        self.connection.elements(family, &self.table, SET, &mut |element| {
            if decode(family, element.key).is_some() {
                elements.push((element.key.to_vec(), element.comment.map(str::to_owned)));
            }
        })?;
        Ok(elements)
    }

    /// These become ours.
    pub(crate) fn add(&mut self, servers: &[(ServerKey, String)]) -> Result<(), NetlinkError> {
        let elements = servers.iter().map(|(key, comment)| (*key, Some(comment.as_str())));
        self.write(ElementOperation::Add, elements)
    }

    /// These are no longer ours.
    pub(crate) fn delete(&mut self, servers: &[ServerKey]) -> Result<(), NetlinkError> {
        self.write(ElementOperation::Delete, servers.iter().map(|key| (*key, None)))
    }

    fn write<'a>(
        &mut self,
        operation: ElementOperation,
        servers: impl Iterator<Item = (ServerKey, Option<&'a str>)>,
    ) -> Result<(), NetlinkError> {
        let mut by_family = [Vec::new(), Vec::new()];
        for (key, comment) in servers {
            if let Some((v6, bytes)) = encode(&key) {
                let [v4_elements, v6_elements] = &mut by_family;
                let elements = if v6 { v6_elements } else { v4_elements };
                elements.push((bytes, comment.map(clip_comment)));
            }
        }
        let mut batch = Batch::new(None);
        for (family, elements) in Family::ALL.into_iter().zip(by_family) {
            let mut writer = batch.elements(family, &self.table, SET, operation);
            for (key, comment) in elements {
                writer.push(&key, None, comment);
            }
        }
        self.commit(&mut batch)
    }

    /// Deletes the tables. Returns which, as nft names them.
    pub(crate) fn remove(&mut self) -> Result<Vec<String>, NetlinkError> {
        let (deleted, receipt) = self.connection.delete_tables(&self.table)?;
        if !deleted.is_empty() {
            self.sent(receipt);
        }
        Ok(deleted.iter().map(|family| format!("table {family} {}", self.table)).collect())
    }

    fn commit(&mut self, batch: &mut Batch) -> Result<(), NetlinkError> {
        if !batch.is_empty() {
            let receipt = self.connection.commit(batch)?;
            self.sent(receipt);
        }
        Ok(())
    }

    /// A transaction took effect.
    const fn sent(&mut self, receipt: Receipt) {
        self.bytes_sent = self.bytes_sent.saturating_add(receipt.bytes as u64);
        self.transactions = self.transactions.saturating_add(1);
    }
}
