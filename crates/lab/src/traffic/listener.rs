use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, listen,
    setsockopt, socket, sockopt,
};

use super::datagram::{self, Datagram};
use super::sctp::{self, Chunk, Packet};
use crate::{LabError, Protocol, Server};

/// The socket of one server. It belongs to the namespace in which it was opened.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Udp { socket: OwnedFd, port: u16 },
    Sctp { socket: OwnedFd, port: u16 },
}

impl Listener {
    /// Opens a listener on all addresses of the server's family, in the calling thread's
    /// namespace.
    pub(crate) fn open(server: &Server) -> Result<Self, LabError> {
        let Server { address, protocol, port } = *server;
        let failed = |errno| LabError::system(format!("serve {protocol} port {port}"), errno);
        let any: IpAddr = match address {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = protocol_socket(address, protocol).map_err(failed)?;
        let place = match protocol {
            Protocol::Tcp | Protocol::Udp => SocketAddr::new(any, port),
            // Raw sockets know no ports.
            Protocol::Sctp => SocketAddr::new(any, 0),
        };
        prepare(&socket, protocol, place).map_err(failed)?;
        Ok(match protocol {
            Protocol::Tcp => Self::Tcp(TcpListener::from(socket)),
            Protocol::Udp => Self::Udp { socket, port },
            Protocol::Sctp => Self::Sctp { socket, port },
        })
    }

    /// Answers everything that waits; returns the TCP connections, greeted.
    pub(super) fn answer(&self) -> Vec<TcpStream> {
        match self {
            Self::Tcp(listener) => {
                std::iter::from_fn(|| listener.accept().ok()).filter_map(greet).collect()
            }
            Self::Udp { socket, port } => {
                while let Ok(question) = datagram::receive(socket) {
                    let text = line(SocketAddr::new(question.to, *port), question.from);
                    // Like a lost packet: who asked finds out by the silence.
                    let _ = datagram::answer(socket, &question, text.as_bytes());
                }
                Vec::new()
            }
            Self::Sctp { socket, port } => {
                while let Ok(question) = datagram::receive(socket) {
                    if let Some(bytes) = accept_association(&question, *port) {
                        let _ = datagram::answer(socket, &question, &bytes);
                    }
                }
                Vec::new()
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Udp { socket, .. } | Self::Sctp { socket, .. } => socket.as_fd(),
        }
    }
}

/// Opens a non-blocking socket of the address's family.
pub(super) fn protocol_socket(address: IpAddr, protocol: Protocol) -> nix::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let (kind, number) = match protocol {
        Protocol::Tcp => (SockType::Stream, SockProtocol::Tcp),
        Protocol::Udp => (SockType::Datagram, SockProtocol::Udp),
        Protocol::Sctp => (SockType::Raw, SockProtocol::Sctp),
    };
    let socket = socket(family, kind, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, number)?;
    if address.is_ipv6() && protocol != Protocol::Sctp {
        setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    }
    Ok(socket)
}

fn prepare(socket: &OwnedFd, protocol: Protocol, place: SocketAddr) -> nix::Result<()> {
    use std::os::fd::AsRawFd as _;
    match protocol {
        Protocol::Tcp => setsockopt(socket, sockopt::ReuseAddr, &true)?,
        Protocol::Udp | Protocol::Sctp => datagram::learn_destinations(socket, place.is_ipv4())?,
    }
    bind(socket.as_raw_fd(), &SockaddrStorage::from(place))?;
    if protocol == Protocol::Tcp { listen(socket, Backlog::MAXCONN) } else { Ok(()) }
}

fn greet((mut stream, peer): (TcpStream, SocketAddr)) -> Option<TcpStream> {
    let text = line(stream.local_addr().ok()?, peer);
    stream.set_nonblocking(true).ok()?;
    stream.set_nodelay(true).ok()?;
    stream.write_all(text.as_bytes()).ok()?;
    Some(stream)
}

/// INIT ACK for an INIT to `port`; nothing for anything else, as other servers of the
/// host have raw sockets of their own and see the same packets.
fn accept_association(question: &Datagram, port: u16) -> Option<Vec<u8>> {
    let init = sctp::decode(sctp::payload(&question.bytes, question.to)?)?;
    let Chunk::Init { tag } = init.chunk else { return None };
    if init.destination_port != port {
        return None;
    }
    let endpoint = SocketAddr::new(question.to, port);
    let text = line(endpoint, SocketAddr::new(question.from.ip(), init.source_port));
    let answer = Packet {
        source_port: port,
        destination_port: init.source_port,
        verification_tag: tag,
        chunk: Chunk::InitAck { tag: tag.wrapping_add(1).max(1), cookie: text.as_bytes() },
    };
    Some(answer.encode())
}

/// The answer to everyone: which endpoint was reached, and by whom.
fn line(endpoint: SocketAddr, peer: SocketAddr) -> String {
    format!("{endpoint} {peer}\n")
}
