use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::errno::Errno;
use nix::libc;

use super::RouteSocket;
use super::constants::link::{
    IFF_RUNNING, IFF_UP, IFLA_ADDRESS, IFLA_BR_MCAST_SNOOPING, IFLA_BRPORT_MODE, IFLA_IFNAME,
    IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_LINKINFO, IFLA_MASTER, IFLA_NET_NS_FD, IFLA_PROTINFO,
    IFLA_QDISC, VETH_INFO_PEER,
};
use super::constants::netlink::{NLM_F_CREATE, NLM_F_EXCL};
use super::constants::rtnetlink::{RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK, RTM_SETLINK};
use super::message::{Request, attributes, u32_at};
use crate::LabError;

/// `struct ifinfomsg`
const LINK_HEADER_LENGTH: usize = 16;

/// A virtual cable between two network namespaces.
#[derive(Debug, Clone, Copy)]
pub struct VethPair<'a> {
    /// Name of the end in the socket's own namespace.
    pub name: &'a str,
    /// Name of the other end.
    pub peer_name: &'a str,
    /// Namespace of the other end.
    pub peer_namespace: BorrowedFd<'a>,
    /// Bridge in the socket's own namespace to plug the near end into.
    pub bridge: Option<&'a str>,
}

/// An Ethernet bridge without spanning tree and multicast snooping.
#[derive(Debug, Clone, Copy)]
pub struct Bridge<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its hardware address. A bridge without a fixed one takes over a port's and changes
    /// it when ports come and go, behind the back of all who know its address.
    pub hardware_address: [u8; 6],
}

/// What the kernel says of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkState {
    /// The interface index, unique in its namespace.
    pub index: u32,
    /// Packets can be sent: the link is up, has a carrier, and its queue is in place.
    pub ready: bool,
}

impl RouteSocket {
    /// Makes a virtual cable. Its near end is up; the far end has to be set up in its own
    /// namespace, as the kernel does not let both be born so.
    ///
    /// # Errors
    ///
    /// [`LabError::Route`] if a name is taken or the bridge is missing.
    pub fn add_veth(&self, pair: &VethPair<'_>) -> Result<(), LabError> {
        let VethPair { name, peer_name, peer_namespace, bridge } = *pair;
        let action = format!("make the link {name}");
        let mut request =
            Request::new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link_header(0, IFF_UP));
        request.text(IFLA_IFNAME, name);
        if let Some(bridge) = bridge {
            request.attribute(IFLA_MASTER, &self.link(bridge)?.index.to_ne_bytes());
        }
        let namespace = peer_namespace.as_raw_fd().to_ne_bytes();
        request.nested(IFLA_LINKINFO, |info| {
            info.text(IFLA_INFO_KIND, "veth").nested(IFLA_INFO_DATA, |data| {
                data.prefixed(VETH_INFO_PEER, &link_header(0, 0), |peer| {
                    peer.text(IFLA_IFNAME, peer_name).attribute(IFLA_NET_NS_FD, &namespace);
                });
            });
        });
        self.change(request, &action)
    }

    /// Makes a bridge and sets it up.
    ///
    /// # Errors
    ///
    /// [`LabError::Route`] if the name is taken or the kernel has no bridges.
    pub fn add_bridge(&self, bridge: &Bridge<'_>) -> Result<(), LabError> {
        let mut request =
            Request::new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link_header(0, IFF_UP));
        request.text(IFLA_IFNAME, bridge.name);
        request.attribute(IFLA_ADDRESS, &bridge.hardware_address);
        request.nested(IFLA_LINKINFO, |info| {
            info.text(IFLA_INFO_KIND, "bridge").nested(IFLA_INFO_DATA, |data| {
                data.attribute(IFLA_BR_MCAST_SNOOPING, &[0]);
            });
        });
        self.change(request, &format!("make the bridge {}", bridge.name))
    }

    /// Lets a bridge send packets back through the port by which they came, as is needed
    /// where a bridged packet is translated to the pod that sent it.
    ///
    /// # Errors
    ///
    /// [`LabError::Route`] if `port` is not a port of a bridge.
    pub fn set_hairpin(&self, port: &str) -> Result<(), LabError> {
        let mut header = link_header(self.link(port)?.index, 0);
        if let Some(family) = header.first_mut() {
            *family = family_number(libc::AF_BRIDGE);
        }
        let mut request = Request::new(RTM_SETLINK, 0, &header);
        request.nested(IFLA_PROTINFO, |port| {
            port.attribute(IFLA_BRPORT_MODE, &[1]);
        });
        self.change(request, &format!("set hairpin mode on {port}"))
    }

    /// Sets a link up.
    ///
    /// # Errors
    ///
    /// [`LabError::Route`] if there is no such link.
    pub fn set_up(&self, name: &str) -> Result<(), LabError> {
        let mut request = Request::new(RTM_NEWLINK, 0, &link_header(0, IFF_UP));
        request.text(IFLA_IFNAME, name);
        self.change(request, &format!("set the link {name} up"))
    }

    /// Removes a link, with the other end if it is a virtual cable.
    ///
    /// # Errors
    ///
    /// [`LabError::Route`] if there is no such link.
    pub fn delete_link(&self, name: &str) -> Result<(), LabError> {
        let mut request = Request::new(RTM_DELLINK, 0, &link_header(0, 0));
        request.text(IFLA_IFNAME, name);
        self.change(request, &format!("remove the link {name}"))
    }

    /// Looks a link up by name.
    ///
    /// # Errors
    ///
    /// [`LabError::Route`] if there is no such link.
    pub fn link(&self, name: &str) -> Result<LinkState, LabError> {
        let action = format!("find the link {name}");
        let mut request = Request::new(RTM_GETLINK, 0, &link_header(0, 0));
        request.text(IFLA_IFNAME, name);
        let found = self.ask(request, &action, link_state)?;
        found.ok_or(LabError::Route { action, errno: Errno::ENODEV, message: None })
    }
}

fn link_state(payload: &[u8]) -> Option<LinkState> {
    let flags = u32_at(payload, 8)?;
    // A queue of this kind throws everything away; the kernel replaces it shortly after
    // the carrier appears.
    let waiting = attributes(payload.get(LINK_HEADER_LENGTH..)?)
        .any(|(kind, value)| kind == IFLA_QDISC && value == b"noop\0");
    let up = IFF_UP | IFF_RUNNING;
    Some(LinkState { index: u32_at(payload, 4)?, ready: flags & up == up && !waiting })
}

/// `struct ifinfomsg`: family, padding, type, index, flags, mask of flags to change.
fn link_header(index: u32, flags: u32) -> [u8; LINK_HEADER_LENGTH] {
    let mut header = [0; LINK_HEADER_LENGTH];
    for (place, number) in header.chunks_exact_mut(4).zip([0, index, flags, flags]) {
        place.copy_from_slice(&number.to_ne_bytes());
    }
    header
}

/// An `AF_` number as it appears in netlink headers, where it has one byte.
pub(super) fn family_number(family: libc::c_int) -> u8 {
    u8::try_from(family).unwrap_or_default()
}
