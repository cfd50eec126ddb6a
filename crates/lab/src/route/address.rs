use std::net::IpAddr;

use ipnet::IpNet;
use nix::errno::Errno;
use nix::libc;

use super::RouteSocket;
use super::constants::address::{IFA_ADDRESS, IFA_F_NODAD, IFA_LOCAL};
use super::constants::netlink::{NLM_F_CREATE, NLM_F_REPLACE};
use super::constants::rtnetlink::{
    NDA_DST, RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_UNIVERSE, RTM_DELADDR, RTM_DELNEIGH,
    RTM_NEWADDR,
};
use super::link::family_number;
use super::message::Request;
use crate::LabError;
use crate::patience::wait_until;

impl RouteSocket {
    /// Gives `link`, which must be up, an address, and returns when it can be used; there
    /// is no duplicate address detection. Adding an address twice is no error. The scope
    /// follows from the address as it does in iproute2.
    ///
    /// # Errors
    ///
    /// [`LabError::Route`] if there is no such link or IPv6 is switched off.
    pub fn add_address(&self, link: &str, address: IpNet) -> Result<(), LabError> {
        let request = self.address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, link, address)?;
        let action = format!("add the address {address} to {link}");
        self.change(request, &action)?;
        // The kernel makes an IPv6 address local in the background.
        match wait_until(|| self.is_local(address.addr()))? {
            true => Ok(()),
            false => Err(LabError::system(action, Errno::ETIMEDOUT)),
        }
    }

    /// Takes an address from `link`.
    ///
    /// # Errors
    ///
    /// [`LabError::Route`] if the link does not have it.
    pub fn delete_address(&self, link: &str, address: IpNet) -> Result<(), LabError> {
        let request = self.address(RTM_DELADDR, 0, link, address)?;
        self.change(request, &format!("remove the address {address} from {link}"))
    }

    /// Drops what the kernel knows of the neighbour with `address`, as after it was
    /// replaced by another one. Not knowing any such neighbour is no error.
    ///
    /// # Errors
    ///
    /// [`LabError::Route`] if there is no such link.
    pub fn forget_neighbour(&self, link: &str, address: IpAddr) -> Result<(), LabError> {
        // `struct ndmsg`: family, padding, interface index, state, flags, type.
        let mut header = vec![family_of(address), 0, 0, 0];
        header.extend(self.link(link)?.index.to_ne_bytes());
        header.extend([0; 4]);
        let mut request = Request::new(RTM_DELNEIGH, 0, &header);
        request.attribute(NDA_DST, &octets(address));
        match self.change(request, &format!("forget the neighbour {address}")) {
            Err(LabError::Route { errno: Errno::ENOENT, .. }) => Ok(()),
            result => result,
        }
    }

    fn address(
        &self,
        kind: u16,
        flags: u16,
        link: &str,
        address: IpNet,
    ) -> Result<Request, LabError> {
        // `struct ifaddrmsg`: family, prefix length, flags, scope, interface index.
        let mut header = vec![
            family_of(address.addr()),
            address.prefix_len(),
            IFA_F_NODAD,
            scope_of(address.addr()),
        ];
        header.extend(self.link(link)?.index.to_ne_bytes());
        let mut request = Request::new(kind, flags, &header);
        let bytes = octets(address.addr());
        request.attribute(IFA_LOCAL, &bytes).attribute(IFA_ADDRESS, &bytes);
        Ok(request)
    }
}

/// An address of narrow scope is not taken as the source of packets that go far.
fn scope_of(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(v4) if v4.is_loopback() => RT_SCOPE_HOST,
        IpAddr::V4(v4) if v4.is_link_local() => RT_SCOPE_LINK,
        // The kernel computes the scope of an IPv6 address itself.
        IpAddr::V4(_) | IpAddr::V6(_) => RT_SCOPE_UNIVERSE,
    }
}

pub(super) fn family_of(address: IpAddr) -> u8 {
    family_number(if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 })
}

/// The address in network byte order.
pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}
