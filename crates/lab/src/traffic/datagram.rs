use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, RecvMsg, SockaddrStorage, recvmsg, sendmsg,
    setsockopt, sockopt,
};

/// Longer than any question or answer.
const LIMIT: usize = 2048;

/// A datagram with the address it was sent to, which an answer must come from.
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    pub(super) to: IpAddr,
    pub(super) bytes: Vec<u8>,
}

/// Makes `receive` on the socket learn destination addresses.
pub(super) fn learn_destinations(socket: &OwnedFd, ipv4: bool) -> nix::Result<()> {
    if ipv4 {
        setsockopt(socket, sockopt::Ipv4PacketInfo, &true)
    } else {
        setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)
    }
}

pub(super) fn receive(socket: &OwnedFd) -> nix::Result<Datagram> {
    let mut bytes = vec![0; LIMIT];
    let mut space = nix::cmsg_space!(in_pktinfo, in6_pktinfo);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let descriptor = socket.as_raw_fd();
    let message: RecvMsg<'_, '_, SockaddrStorage> =
        recvmsg(descriptor, &mut parts, Some(&mut space), MsgFlags::empty())?;
    let from = message.address.as_ref().and_then(socket_address).ok_or(Errno::EADDRNOTAVAIL)?;
    let to = message.cmsgs()?.find_map(|control| destination(&control));
    let length = message.bytes;
    bytes.truncate(length);
    Ok(Datagram { from, to: to.ok_or(Errno::EADDRNOTAVAIL)?, bytes })
}

/// Sends `bytes` back to where `question` came from.
pub(super) fn answer(socket: &OwnedFd, question: &Datagram, bytes: &[u8]) -> nix::Result<()> {
    let to = SockaddrStorage::from(question.from);
    let parts = [IoSlice::new(bytes)];
    let (v4, v6);
    let source = match question.to {
        IpAddr::V4(address) => {
            let s_addr = u32::from_ne_bytes(address.octets());
            let unused = in_addr { s_addr: 0 };
            v4 = in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: in_addr { s_addr }, ipi_addr: unused };
            ControlMessage::Ipv4PacketInfo(&v4)
        }
        IpAddr::V6(address) => {
            let s6_addr = address.octets();
            v6 = in6_pktinfo { ipi6_addr: in6_addr { s6_addr }, ipi6_ifindex: 0 };
            ControlMessage::Ipv6PacketInfo(&v6)
        }
    };
    sendmsg(socket.as_raw_fd(), &parts, &[source], MsgFlags::empty(), Some(&to)).map(drop)
}

fn destination(control: &ControlMessageOwned) -> Option<IpAddr> {
    match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into())
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into())
        }
        _ => None,
    }
}

fn socket_address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| SocketAddr::new(v4.ip().into(), v4.port()));
    v4.or_else(|| storage.as_sockaddr_in6().map(|v6| SocketAddr::new(v6.ip().into(), v6.port())))
}
