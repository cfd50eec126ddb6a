//! Which virtual servers are ours.
//!
//! IPVS keeps no word of who made a virtual server, and other programs (keepalived) make
//! theirs. So a set in a table of ours has those that we made, from before the server is
//! added until after it is deleted. It is kept by the kernel, as IPVS is: both outlive the
//! agent, and neither outlives the machine.
//!
//! Rules beside the set keep from these servers what the table does not hand over.

mod guard;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use portolan_netlink::NetlinkError;
use portolan_netlink::ipvs::ServerKey;
use portolan_netlink::nftables::{
    Batch, Connection, ElementOperation, Family, Field, Receipt, Set, Table, clip_comment,
};

use self::guard::Guard;
use crate::options::IpvsOptions;

const SET: &str = "virtual-servers";
/// What the set has room for. Kernels of old allocate all of it at once.
const SIZE: u32 = 1 << 18;

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

    /// Makes what is not there of the tables, their sets and rules.
    pub(crate) fn create(&mut self) -> Result<(), NetlinkError> {
        let mut batch = Batch::new(None);
        for family in Family::ALL {
            // Adding a table that exists switches it on.
            if !self.is_awake(family)? {
                let comment = Some("virtual servers of IPVS that Portolan made".to_owned());
                let table = Table { name: self.table.clone(), comment, dormant: false };
                batch.add_table(family, &table);
            }
            if !self.has_set(family)? {
                batch.add_set(family, &self.table, &set(family));
            }
            let guard = guard(family, &self.table, self.mark | self.former_marks);
            if !guard.is_there(&mut self.connection)? {
                guard.write(&mut self.connection, &mut batch)?;
            }
        }
        self.commit(&mut batch)
    }

    /// Whether the kernel has the rules and heeds them. Without the set it has none.
    pub(crate) fn is_guarded(&mut self) -> Result<bool, NetlinkError> {
        for family in Family::ALL {
            let guard = guard(family, &self.table, self.mark | self.former_marks);
            if !guard.is_there(&mut self.connection)? || !self.is_awake(family)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether there is such a table in one of the families.
    pub(crate) fn is_there(&mut self) -> Result<bool, NetlinkError> {
        Ok(self.exists(Family::Ip)? || self.exists(Family::Ip6)?)
    }

    fn exists(&mut self, family: Family) -> Result<bool, NetlinkError> {
        Ok(self.connection.tables(family)?.iter().any(|table| table.name == self.table))
    }

    /// Whether the table is there and not switched off (`flags dormant`).
    fn is_awake(&mut self, family: Family) -> Result<bool, NetlinkError> {
        let tables = self.connection.tables(family)?;
        Ok(tables.iter().any(|table| table.name == self.table && !table.dormant))
    }

    /// Whether there is a table with the set.
    fn has_set(&mut self, family: Family) -> Result<bool, NetlinkError> {
        Ok(self.connection.sets(family, &self.table)?.iter().any(|set| set.name == SET))
    }

    /// All that are ours, whether or not they were really made.
    pub(crate) fn servers(&mut self) -> Result<BTreeSet<ServerKey>, NetlinkError> {
        let mut servers = BTreeSet::new();
        for family in Family::ALL {
            if self.exists(family)? {
                self.connection.elements(family, &self.table, SET, &mut |element| {
                    servers.extend(decode(family, element.key));
                })?;
            }
        }
        Ok(servers)
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

fn set(family: Family) -> Set {
    let address = match family {
        Family::Ip6 => Field::Ipv6Address,
        Family::Ip => Field::Ipv4Address,
    };
    Set {
        name: SET.to_owned(),
        key: vec![address, Field::Protocol, Field::Port],
        size: Some(SIZE),
        ..Set::default()
    }
}

/// Address, protocol and port, each padded to 4 bytes; and whether it is IPv6.
fn encode(key: &ServerKey) -> Option<(bool, Vec<u8>)> {
    let ServerKey::Address { protocol, address } = key else { return None };
    let mut bytes = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let [high, low] = address.port().to_be_bytes();
    bytes.extend([*protocol, 0, 0, 0, high, low, 0, 0]);
    Some((address.is_ipv6(), bytes))
}

fn decode(family: Family, bytes: &[u8]) -> Option<ServerKey> {
    let (ip, rest): (IpAddr, &[u8]) = match family {
        Family::Ip6 => {
            let (ip, rest) = bytes.split_first_chunk::<16>()?;
            (Ipv6Addr::from(*ip).into(), rest)
        }
        Family::Ip => {
            let (ip, rest) = bytes.split_first_chunk::<4>()?;
            (Ipv4Addr::from(*ip).into(), rest)
        }
    };
    let &[protocol, _, _, _, high, low, _, _] = rest else { return None };
    let address = SocketAddr::new(ip, u16::from_be_bytes([high, low]));
    Some(ServerKey::Address { protocol, address })
}
