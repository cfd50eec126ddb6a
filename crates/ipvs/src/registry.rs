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
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use portolan_netlink::NetlinkError;
use portolan_netlink::ipvs::ServerKey;
use portolan_netlink::nftables::{
    Batch, Connection, ElementOperation, Family, Receipt, Table, clip_comment,
};
use tracing::debug;

use self::element::{Element, SET, decode, encode, set};
use self::guard::Guard;
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

    /// Makes what is not there of the tables, their sets and rules, whatever others have made
    /// of them.
    pub(crate) fn create(&mut self) -> Result<(), NetlinkError> {
        if self.is_dormant()? {
            // A transaction that switches a table on may neither add nor delete base chains
            // (`nf_tables_addchain`, `nf_tables_updtable`, v6.9).
            return self.make_anew();
        }
        match self.mend() {
            Err(NetlinkError::Refused(refusal)) => {
                debug!(%refusal, "the register of virtual servers is made anew");
                self.make_anew()
            }
            mended => mended,
        }
    }

    /// Makes what is not there. Others may have made what does not let itself be deleted.
    fn mend(&mut self) -> Result<(), NetlinkError> {
        let mut batch = Batch::new(None);
        for family in Family::ALL {
            if !self.exists(family)? {
                batch.add_table(family, &self.declaration());
            }
            if !self.has_set(family)? {
                batch.add_set(family, &self.table, &set(family));
            }
            let guard = guard(family, &self.table, self.mark | self.former_marks);
            if !guard.is_there(&mut self.connection)? {
                guard.delete_all(&mut self.connection, &mut batch)?;
                guard.write(&mut batch);
            }
        }
        self.commit(&mut batch)
    }

    /// Deletes the tables and makes them again, with the servers that they have, in one
    /// transaction.
    fn make_anew(&mut self) -> Result<(), NetlinkError> {
        let mut batch = Batch::new(None);
        for family in Family::ALL {
            let servers = self.elements(family)?;
            if self.exists(family)? {
                batch.delete_table(family, &self.table);
            }
            batch.add_table(family, &self.declaration());
            batch.add_set(family, &self.table, &set(family));
            guard(family, &self.table, self.mark | self.former_marks).write(&mut batch);
            let mut writer = batch.elements(family, &self.table, SET, ElementOperation::Add);
            for (key, comment) in servers {
                writer.push(&key, None, comment.as_deref());
            }
        }
        self.commit(&mut batch)
    }

    fn declaration(&self) -> Table {
        let comment = Some("virtual servers of IPVS that Portolan made".to_owned());
        Table { name: self.table.clone(), comment, dormant: false }
    }

    /// Whether the kernel has the rules and heeds them. Without the set it has none.
    pub(crate) fn is_guarded(&mut self) -> Result<bool, NetlinkError> {
        for family in Family::ALL {
            let guard = guard(family, &self.table, self.mark | self.former_marks);
            if !guard.is_there(&mut self.connection)? {
                return Ok(false);
            }
        }
        Ok(!self.is_dormant()?)
    }

    /// Whether there is such a table in one of the families.
    pub(crate) fn is_there(&mut self) -> Result<bool, NetlinkError> {
        Ok(self.exists(Family::Ip)? || self.exists(Family::Ip6)?)
    }

    fn exists(&mut self, family: Family) -> Result<bool, NetlinkError> {
        Ok(self.connection.tables(family)?.iter().any(|table| table.name == self.table))
    }

    /// Whether one of the tables is there and switched off (`flags dormant`).
    fn is_dormant(&mut self) -> Result<bool, NetlinkError> {
        let is_dormant = |table: Table| table.name == self.table && table.dormant;
        let [v4, v6] = Family::ALL.map(|family| self.connection.tables(family));
        Ok(v4?.into_iter().chain(v6?).any(is_dormant))
    }

    /// Whether there is a table with the set.
    fn has_set(&mut self, family: Family) -> Result<bool, NetlinkError> {
        Ok(self.connection.sets(family, &self.table)?.iter().any(|set| set.name == SET))
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

    /// Those of a family as they are written, with their comments.
    fn elements(&mut self, family: Family) -> Result<Vec<Element>, NetlinkError> {
        let mut elements = Vec::new();
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

const fn guard(family: Family, table: &str, marks: u32) -> Guard<'_> {
    Guard { family, table, servers: SET, marks }
}
