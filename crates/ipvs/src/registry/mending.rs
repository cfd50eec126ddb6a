//! Makes the register what it is to be, whatever others have made of it.

use portolan_netlink::NetlinkError;
use portolan_netlink::nftables::{Batch, ElementOperation, Family, Table};
use tracing::debug;

use super::Registry;
use super::element::{SET, is_declared, set};
use super::guard::Guard;

impl Registry {
    /// Makes what is not there of the tables, their sets and rules, whatever others have made
    /// of them.
    pub(crate) fn create(&mut self) -> Result<(), NetlinkError> {
        if self.is_dormant()? {
            // A transaction that switches a table on may neither add nor delete base chains
            // (`nf_tables_addchain`, `nf_tables_updtable`, v6.9).
            return self.make_anew();
        }
        if self.has_other_set()? {
            debug!("the register of virtual servers is made anew: others declared its sets");
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
    pub(super) fn mend(&mut self) -> Result<(), NetlinkError> {
        let mut batch = Batch::new(None);
        for family in Family::ALL {
            if !self.exists(family)? {
                batch.add_table(family, &self.declaration());
            }
            if self.found(family)?.is_none() {
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

    /// Whether the kernel has the rules and heeds them, and the sets that they look into can
    /// take every server. Without its set a family has no rules.
    pub(crate) fn is_guarded(&mut self) -> Result<bool, NetlinkError> {
        for family in Family::ALL {
            let guard = guard(family, &self.table, self.mark | self.former_marks);
            if !guard.is_there(&mut self.connection)? {
                return Ok(false);
            }
        }
        Ok(!self.is_dormant()? && !self.has_other_set()?)
    }

    /// Whether one of the tables is there and switched off (`flags dormant`).
    fn is_dormant(&mut self) -> Result<bool, NetlinkError> {
        let is_dormant = |table: Table| table.name == self.table && table.dormant;
        let [v4, v6] = Family::ALL.map(|family| self.connection.tables(family));
        Ok(v4?.into_iter().chain(v6?).any(is_dormant))
    }

    /// Whether a set of that name is there and declared otherwise than ours.
    fn has_other_set(&mut self) -> Result<bool, NetlinkError> {
        for family in Family::ALL {
            if self.found(family)?.is_some_and(|set| !is_declared(family, &set)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

const fn guard(family: Family, table: &str, marks: u32) -> Guard<'_> {
    Guard { family, table, servers: SET, marks }
}
