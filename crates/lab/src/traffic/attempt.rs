//! One probe on the wire.

use std::io::IoSliceMut;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc::{SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, bind, connect, getsockopt, recv, recvmsg, send,
    setsockopt, sockopt,
};

use super::listener::protocol_socket;
use super::probe::{Outcome, Probe, Protocol, Refusal};
use super::sctp::{self, Chunk, Packet};

/// Longer than any answer.
const ANSWER_LIMIT: usize = 2048;

/// SCTP ports are ours to choose, as no kernel does it for raw sockets. Each is used once
/// in a long while, so that no connection tracking entry is met again.
static NEXT_SCTP_PORT: AtomicU16 = AtomicU16::new(0);
const FIRST_SCTP_PORT: u16 = 20_000;
const SCTP_PORTS: u16 = 40_000;

/// Carries out a probe from the calling thread's namespace.
pub(super) fn outcome(probe: &Probe) -> Outcome {
    match Attempt::open(probe) {
        Ok(attempt) => match attempt.ask(probe) {
            Ok(text) => read_answer(&text),
            Err(errno) => attempt.failure(errno),
        },
        Err(errno) => Outcome::Failed(format!("cannot send from {}: {errno}", probe.source)),
    }
}

/// Opens a TCP connection and reads the server's greeting.
pub(super) fn connection(probe: &Probe) -> Result<(TcpStream, Outcome), Outcome> {
    let attempt = Attempt::open(probe).map_err(|errno| Outcome::Failed(errno.to_string()))?;
    match attempt.ask_tcp() {
        Ok(text) => Ok((TcpStream::from(attempt.socket), read_answer(&text))),
        Err(errno) => Err(attempt.failure(errno)),
    }
}

fn read_answer(text: &str) -> Outcome {
    let mut addresses = text.split_whitespace().map(str::parse::<SocketAddr>);
    match (addresses.next(), addresses.next()) {
        (Some(Ok(endpoint)), Some(Ok(seen_source))) => Outcome::Answered { endpoint, seen_source },
        _ => Outcome::Failed(format!("answered by a stranger: {text:?}")),
    }
}

/// Binds to a port that no other socket of the host has, as long as there is one.
///
/// The kernel would rather choose it when it knows the destination, and give several
/// connections one port. IPVS mixes up those of them that reach one endpoint.
fn bind_alone(socket: &OwnedFd, source: SocketAddr) -> nix::Result<()> {
    let address = SockaddrStorage::from(source);
    match bind(socket.as_raw_fd(), &address) {
        Err(Errno::EADDRINUSE) if source.port() == 0 => {
            setsockopt(socket, sockopt::IpBindAddressNoPort, &true)?;
            bind(socket.as_raw_fd(), &address)
        }
        result => result,
    }
}

struct Attempt {
    socket: OwnedFd,
    deadline: Instant,
}

impl Attempt {
    fn open(probe: &Probe) -> nix::Result<Self> {
        let socket = protocol_socket(probe.source, probe.protocol)?;
        // Keeps ICMP errors apart from resets, see `failure`.
        if probe.source.is_ipv4() {
            setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?;
        }
        if probe.protocol == Protocol::Tcp {
            // A port that was chosen may still be one of a connection that has ended.
            setsockopt(&socket, sockopt::ReuseAddr, &(probe.source_port != 0))?;
        }
        // Raw sockets know no ports.
        let port = if probe.protocol == Protocol::Sctp { 0 } else { probe.source_port };
        bind_alone(&socket, SocketAddr::new(probe.source, port))?;
        let deadline = Instant::now() + probe.timeout;
        let port = match probe.protocol {
            Protocol::Tcp | Protocol::Udp => probe.destination.port(),
            Protocol::Sctp => 0,
        };
        let destination = SocketAddr::new(probe.destination.ip(), port);
        match connect(socket.as_raw_fd(), &SockaddrStorage::from(destination)) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(Self { socket, deadline }),
            Err(errno) => Err(errno),
        }
    }

    fn ask(&self, probe: &Probe) -> nix::Result<String> {
        match probe.protocol {
            Protocol::Tcp => self.ask_tcp(),
            Protocol::Udp => self.ask_udp(),
            Protocol::Sctp => self.ask_sctp(probe),
        }
    }

    fn ask_tcp(&self) -> nix::Result<String> {
        self.wait(PollFlags::POLLOUT)?;
        match getsockopt(&self.socket, sockopt::SocketError)? {
            0 => {}
            code => return Err(Errno::from_raw(code)),
        }
        let mut text = String::new();
        while !text.ends_with('\n') {
            let bytes = self.receive()?;
            if bytes.is_empty() {
                break;
            }
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
        Ok(text)
    }

    fn ask_udp(&self) -> nix::Result<String> {
        self.send(b"?")?;
        self.receive().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn ask_sctp(&self, probe: &Probe) -> nix::Result<String> {
        let port = probe.destination.port();
        let number = NEXT_SCTP_PORT.fetch_add(1, Ordering::Relaxed);
        let own_port = FIRST_SCTP_PORT + number % SCTP_PORTS;
        let tag = u32::from(number) + 1;
        let question = Packet {
            source_port: own_port,
            destination_port: port,
            verification_tag: 0,
            chunk: Chunk::Init { tag },
        };
        self.send(&question.encode())?;
        let mut aborted = false;
        loop {
            let bytes = match self.receive() {
                Err(Errno::ETIMEDOUT) if aborted => return Err(Errno::ECONNREFUSED),
                result => result?,
            };
            let packet = sctp::payload(&bytes, probe.source).and_then(sctp::decode);
            // The socket sees the answers to all probes of this host.
            let own = packet.filter(|packet| {
                (packet.source_port, packet.destination_port, packet.verification_tag)
                    == (port, own_port, tag)
            });
            match own.map(|packet| packet.chunk) {
                Some(Chunk::InitAck { cookie, .. }) => {
                    return Ok(String::from_utf8_lossy(cookie).into_owned());
                }
                // A kernel with an SCTP stack of its own says this ahead of the server.
                Some(Chunk::Abort) => aborted = true,
                Some(Chunk::Init { .. }) | None => {}
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> nix::Result<()> {
        match send(self.socket.as_raw_fd(), bytes, MsgFlags::empty()) {
            // This host's own packet filter took it. Whether it says so to the sender besides,
            // by ICMP, is what an answer or silence tells.
            Err(Errno::EPERM) => Ok(()),
            result => result.map(drop),
        }
    }

    /// Waits for something to read and reads it.
    fn receive(&self) -> nix::Result<Vec<u8>> {
        let mut bytes = vec![0; ANSWER_LIMIT];
        loop {
            self.wait(PollFlags::POLLIN)?;
            match recv(self.socket.as_raw_fd(), &mut bytes, MsgFlags::empty()) {
                Err(Errno::EAGAIN) => {}
                result => {
                    bytes.truncate(result?);
                    return Ok(bytes);
                }
            }
        }
    }

    fn wait(&self, event: PollFlags) -> nix::Result<()> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let mut polled = [PollFd::new(self.socket.as_fd(), event)];
            // Rounded up, so that the last fraction is not spent in a busy loop.
            let left = PollTimeout::try_from(left + Duration::from_micros(999));
            match poll(&mut polled, left.unwrap_or(PollTimeout::MAX)) {
                Ok(0) if Instant::now() >= self.deadline => return Err(Errno::ETIMEDOUT),
                Ok(0) | Err(Errno::EINTR) => {}
                result => return result.map(drop),
            }
        }
    }

    fn failure(&self, errno: Errno) -> Outcome {
        match errno {
            Errno::ETIMEDOUT => Outcome::Silent,
            // The last two stand for an unreachable protocol, in IPv4 and IPv6.
            Errno::ECONNREFUSED | Errno::ENOPROTOOPT | Errno::EPROTO => {
                let icmp = self.has_icmp_error();
                Outcome::Refused(if icmp { Refusal::Icmp } else { Refusal::Reset })
            }
            errno => Outcome::Failed(errno.to_string()),
        }
    }

    /// Whether the socket's error queue holds an ICMP message.
    fn has_icmp_error(&self) -> bool {
        let mut bytes = [0; 256];
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let mut space = nix::cmsg_space!([u8; 64]);
        let flags = MsgFlags::MSG_ERRQUEUE;
        let message = recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(&mut space),
            flags,
        );
        message.and_then(|message| message.cmsgs().map(|mut controls| controls.any(is_icmp)))
            == Ok(true)
    }
}

fn is_icmp(control: ControlMessageOwned) -> bool {
    match control {
        ControlMessageOwned::Ipv4RecvErr(error, _) => error.ee_origin == SO_EE_ORIGIN_ICMP,
        ControlMessageOwned::Ipv6RecvErr(error, _) => error.ee_origin == SO_EE_ORIGIN_ICMP6,
        _ => false,
    }
}
