//! Removing what is ours.

use portolan_netlink::nftables::Connection;

use crate::error::NftError;

/// Deletes our table in both families, in one transaction. Returns what was deleted, as
/// nft names it (`table ip portolan`); nothing if there was nothing, or if others deleted it
/// first. Connections that are established live on, for the kernel tracks them apart from
/// the table.
pub fn cleanup(table: &str) -> Result<Vec<String>, NftError> {
    let (deleted, _) = Connection::open()?.delete_tables(table)?;
    Ok(deleted.iter().map(|family| format!("table {family} {table}")).collect())
}
