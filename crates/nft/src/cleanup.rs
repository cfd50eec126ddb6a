//! Removing what is ours.

use portolan_core::Family;
use portolan_netlink::nftables::{Batch, Connection};

use crate::error::NftError;
use crate::lower::kernel_family;
use crate::text::protocol;

/// Deletes our table in both families, in one transaction. Returns what was deleted, as
/// nft names it (`table ip portolan`); nothing if there was nothing. Connections that are
/// established live on, for the kernel tracks them apart from the table.
pub fn cleanup(table: &str) -> Result<Vec<String>, NftError> {
    let mut connection = Connection::open()?;
    let mut batch = Batch::new(None);
    let mut deleted = Vec::new();
    for family in Family::BOTH {
        let kernel = kernel_family(family);
        if connection.tables(kernel)?.iter().any(|listed| listed.name == table) {
            batch.delete_table(kernel, table);
            deleted.push(format!("table {} {table}", protocol(family)));
        }
    }
    if !batch.is_empty() {
        connection.commit(&mut batch)?;
    }
    Ok(deleted)
}
