use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use super::attempt;
use super::probe::{Outcome, Probe, Protocol};
use crate::Topology;

/// A TCP connection to a server that lives as long as it is wanted, to see what changes
/// of the node do to it.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    endpoint: SocketAddr,
    sent: u64,
}

impl Topology {
    /// Opens a connection from `source` to `destination`.
    ///
    /// # Errors
    ///
    /// The [`Outcome`] of the attempt, if that is anything but an answer.
    pub fn connect(
        &self,
        source: IpAddr,
        destination: SocketAddr,
        timeout: Duration,
    ) -> Result<Connection, Outcome> {
        self.open(&Probe::new(source, Protocol::Tcp, destination).within(timeout))
    }

    /// The same as a probe asks for it: from a port of the caller's choice, say.
    ///
    /// # Errors
    ///
    /// As for [`Topology::connect`].
    pub fn open(&self, probe: &Probe) -> Result<Connection, Outcome> {
        let host =
            self.host_of(probe.source).map_err(|error| Outcome::Failed(error.to_string()))?;
        let (stream, greeting) = host.run(|| attempt::connection(probe))?;
        let endpoint = greeting.endpoint().ok_or(greeting)?;
        match stream.set_nonblocking(false) {
            Ok(()) => Ok(Connection { stream: BufReader::new(stream), endpoint, sent: 0 }),
            Err(error) => Err(Outcome::Failed(error.to_string())),
        }
    }
}

impl Connection {
    /// The server at the other end.
    #[must_use]
    pub fn endpoint(&self) -> SocketAddr {
        self.endpoint
    }

    /// Sends the next number and waits until it comes back.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] if nothing comes within `timeout`,
    /// [`io::ErrorKind::UnexpectedEof`] or [`io::ErrorKind::ConnectionReset`] if the
    /// connection is over, [`io::ErrorKind::InvalidData`] if something else comes back.
    pub fn exchange(&mut self, timeout: Duration) -> io::Result<()> {
        self.sent += 1;
        let line = format!("{}\n", self.sent);
        self.stream.get_ref().set_read_timeout(Some(timeout))?;
        self.stream.get_mut().write_all(line.as_bytes())?;
        let mut echo = String::new();
        match self.stream.read_line(&mut echo)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ if echo == line => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, echo)),
        }
    }
}
