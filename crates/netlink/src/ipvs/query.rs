//! What IPVS says about itself.

use std::net::{Ipv6Addr, SocketAddr};

use super::connection::Ipvs;
use super::operation::key_of;
use super::uapi::{command, flag, info, service, top};
use super::{DestinationState, Operation, Server, ServerKey, Timeouts};
use crate::NetlinkError;
use crate::wire::attribute::AttributeSet;

const LIST_SERVERS: &str = "list virtual servers";
/// How often virtual servers are listed until two listings agree.
const ATTEMPTS: u32 = 16;

/// What the kernel says about its IPVS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// Its version: major, minor, patch.
    pub version: [u8; 3],
    /// The size of the hash table of connections (`conn_tab_bits` of the module).
    pub table_size: u32,
}

impl Ipvs {
    /// All virtual servers, whoever made them, sorted.
    ///
    /// The kernel continues a listing by counting the servers of all network namespaces, so
    /// one that is added or deleted meanwhile, anywhere, makes it miss or repeat another
    /// (`ip_vs_genl_dump_services`, v6.1). So it is listed until two listings agree.
    pub fn servers(&mut self) -> Result<Vec<Server>, NetlinkError> {
        let mut last = self.list_servers()?;
        for _ in 0..ATTEMPTS {
            let servers = self.list_servers()?;
            if servers == last {
                return Ok(servers);
            }
            last = servers;
        }
        Err(NetlinkError::Interrupted { action: LIST_SERVERS.to_owned(), attempts: ATTEMPTS })
    }

    fn list_servers(&mut self) -> Result<Vec<Server>, NetlinkError> {
        let mut servers = Vec::new();
        let asked = self.ask(command::GET_SERVICE, flag::DUMP, LIST_SERVERS, |_| {})?;
        self.collect(asked, LIST_SERVERS, &mut |attributes| {
            let set = AttributeSet::<2>::parse(attributes);
            servers.extend(set.and_then(|set| Server::decode(set.get(top::SERVICE)?)));
        })?;
        servers.sort_unstable();
        servers.dedup();
        Ok(servers)
    }

    /// The destinations of a virtual server; none if there is no such server.
    pub fn destinations(&mut self, key: &ServerKey) -> Result<Vec<DestinationState>, NetlinkError> {
        let action = "list the destinations of a virtual server";
        let mut destinations = Vec::new();
        let write_key = |encoder: &mut _| key_of(key, encoder);
        let asked = self.ask(command::GET_DESTINATION, flag::DUMP, action, write_key)?;
        self.collect(asked, action, &mut |attributes| {
            let set = AttributeSet::<3>::parse(attributes);
            destinations
                .extend(set.and_then(|set| DestinationState::decode(set.get(top::DESTINATION)?)));
        })?;
        Ok(destinations)
    }

    /// Whether the kernel has no such scheduler, and no module of it that it could load.
    ///
    /// It is asked for a virtual server whose netmask it refuses, but not before it has looked
    /// for the scheduler (`ip_vs_add_service`, v6.1). Where it refuses an address of IPv6
    /// before, nothing is known, and this is `false`.
    pub fn lacks_scheduler(&mut self, name: &str) -> Result<bool, NetlinkError> {
        const TCP: u8 = 6;
        let action = "look for a scheduler of IPVS";
        let address = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
        let key = ServerKey::Address { protocol: TCP, address };
        let server = Server { key, scheduler: name.to_owned(), flags: 0, persistence: None };
        let asked = self.ask(command::NEW_SERVICE, flag::ACKNOWLEDGE, action, |encoder| {
            encoder.nested(top::SERVICE, |encoder| {
                server.encode(encoder);
                // Of two attributes of one kind the last counts.
                encoder.attribute(service::NETMASK, &0u32.to_ne_bytes());
            });
        })?;
        match self.collect(asked, action, &mut |_| {}) {
            Err(NetlinkError::Refused(refusal)) => Ok(refusal.lacks_scheduler()),
            Err(error) => Err(error),
            // A kernel that takes any netmask.
            Ok(()) => self.execute(&[Operation::DeleteServer(key)]).map(|_| false),
        }
    }

    /// The timeouts of connections.
    pub fn timeouts(&mut self) -> Result<Timeouts, NetlinkError> {
        let action = "read the timeouts of IPVS";
        let mut timeouts = None;
        let asked = self.ask(command::GET_CONFIG, flag::ACKNOWLEDGE, action, |_| {})?;
        self.collect(asked, action, &mut |attributes| {
            timeouts = timeouts.or_else(|| Timeouts::decode(attributes));
        })?;
        timeouts.ok_or_else(|| NetlinkError::malformed(action))
    }

    /// Changes the timeouts of connections that begin or change their state from now on.
    pub fn set_timeouts(&mut self, timeouts: Timeouts) -> Result<(), NetlinkError> {
        let action = "set the timeouts of IPVS";
        let write = |encoder: &mut _| timeouts.encode(encoder);
        let asked = self.ask(command::SET_CONFIG, flag::ACKNOWLEDGE, action, write)?;
        self.collect(asked, action, &mut |_| {})
    }

    /// What the kernel says about its IPVS.
    pub fn info(&mut self) -> Result<Info, NetlinkError> {
        let action = "ask IPVS for its version";
        let mut found = None;
        let asked = self.ask(command::GET_INFO, flag::ACKNOWLEDGE, action, |_| {})?;
        self.collect(asked, action, &mut |attributes| {
            found = found.or_else(|| {
                let set = AttributeSet::<3>::parse(attributes)?;
                let [_, major, minor, patch] = set.ne32(info::VERSION)?.to_be_bytes();
                let table_size = set.ne32(info::TABLE_SIZE)?;
                Some(Info { version: [major, minor, patch], table_size })
            });
        })?;
        found.ok_or_else(|| NetlinkError::malformed(action))
    }
}
