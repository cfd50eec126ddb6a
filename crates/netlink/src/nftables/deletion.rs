//! Deleting tables that others may delete, too.

use super::{Batch, Connection, Family, Receipt};
use crate::NetlinkError;

/// How often tables are listed. Two families can vanish one after the other; more is needed
/// only where others make such tables meanwhile.
const ATTEMPTS: u32 = 5;

impl Connection {
    /// Deletes the tables of this name in all families, in one transaction. Returns the
    /// families in which it did; no transaction is sent if none has such a table. One that
    /// others delete meanwhile is gone, which is no error.
    pub fn delete_tables(&mut self, name: &str) -> Result<(Vec<Family>, Receipt), NetlinkError> {
        self.delete_listed(name, |connection| connection.families_with(name))
    }

    fn delete_listed(
        &mut self,
        name: &str,
        mut list: impl FnMut(&mut Connection) -> Result<Vec<Family>, NetlinkError>,
    ) -> Result<(Vec<Family>, Receipt), NetlinkError> {
        let mut attempts = ATTEMPTS;
        loop {
            attempts = attempts.saturating_sub(1);
            let there = list(self)?;
            let mut batch = Batch::new(None);
            there.iter().for_each(|family| batch.delete_table(*family, name));
            match self.commit(&mut batch) {
                Err(NetlinkError::Refused(refusal)) if refusal.is_missing() && attempts > 0 => {}
                committed => return Ok((there, committed?)),
            }
        }
    }

    /// The families in which there is a table of this name.
    fn families_with(&mut self, name: &str) -> Result<Vec<Family>, NetlinkError> {
        let mut families = Vec::new();
        for family in Family::ALL {
            if self.tables(family)?.iter().any(|table| table.name == name) {
                families.push(family);
            }
        }
        Ok(families)
    }
}

#[cfg(test)]
mod tests {
    use portolan_lab::namespaced;

    use super::*;
    use crate::nftables::Table;

    fn make(connection: &mut Connection, families: &[Family]) {
        let mut batch = Batch::new(None);
        let table = Table { name: "ours".to_owned(), ..Table::default() };
        families.iter().for_each(|family| batch.add_table(*family, &table));
        connection.commit(&mut batch).unwrap();
    }

    #[test]
    fn tables_that_others_delete_after_they_were_listed_are_gone_all_the_same() {
        let name = "nftables::deletion::tests::\
                    tables_that_others_delete_after_they_were_listed_are_gone_all_the_same";
        namespaced(name, || {
            let (mut connection, mut other) =
                (Connection::open().unwrap(), Connection::open().unwrap());
            for gone in [&[][..], &[Family::Ip], &[Family::Ip6], &Family::ALL] {
                make(&mut connection, &Family::ALL);
                let mut left: Vec<Family> = gone.to_vec();
                let (deleted, receipt) = connection
                    .delete_listed("ours", |connection| {
                        let listed = connection.families_with("ours")?;
                        let mut batch = Batch::new(None);
                        left.drain(..).for_each(|family| batch.delete_table(family, "ours"));
                        other.commit(&mut batch)?;
                        Ok(listed)
                    })
                    .unwrap();
                let ours: Vec<Family> =
                    Family::ALL.into_iter().filter(|family| !gone.contains(family)).collect();
                assert_eq!(deleted, ours, "those that others deleted are not ours to report");
                assert_eq!(receipt.bytes > 0, !ours.is_empty());
                assert_eq!(connection.families_with("ours").unwrap(), []);
            }
        });
    }
}
