use std::collections::HashSet;
use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::listener::Listener;
use crate::topology::Host;
use crate::{LabError, Protocol, Server};

/// All servers of a topology. One thread serves them, whichever namespaces they are in.
#[derive(Debug)]
pub(crate) struct Servers {
    running: HashSet<Key>,
    commands: Sender<Command>,
    wake: PipeWriter,
    thread: Option<JoinHandle<()>>,
}

/// Host, whether IPv4, protocol and port.
type Key = (Host, bool, Protocol, u16);

enum Command {
    Add(Host, Listener),
    /// Forgets a host's listeners and connections, and then drops the sender.
    Remove(Host, Sender<()>),
    Stop,
}

impl Servers {
    pub(crate) fn start() -> Result<Self, LabError> {
        let failed = |error| LabError::system("start the servers' thread", error);
        let (reader, wake) = std::io::pipe().map_err(failed)?;
        let (commands, received) = mpsc::channel();
        let work =
            Loop { wake: reader, commands: received, listeners: vec![], connections: vec![] };
        let thread = thread::Builder::new().name("lab-servers".to_owned());
        let thread = Some(thread.spawn(|| work.run()).map_err(failed)?);
        Ok(Self { running: HashSet::new(), commands, wake, thread })
    }

    pub(crate) fn has(&self, host: Host, server: &Server) -> bool {
        self.running.contains(&key(host, server))
    }

    /// Serves `listener`, which was opened in the host's namespace for `server`.
    pub(crate) fn add(
        &mut self,
        host: Host,
        server: &Server,
        listener: Listener,
    ) -> Result<(), LabError> {
        self.running.insert(key(host, server));
        self.tell(Command::Add(host, listener))
    }

    /// Ends the host's servers and their connections, at the latest when this returns.
    pub(crate) fn remove_host(&mut self, host: Host) -> Result<(), LabError> {
        self.running.retain(|key| key.0 != host);
        let (done, confirmed) = mpsc::channel();
        self.tell(Command::Remove(host, done))?;
        // Nothing is ever sent: this waits for the sender to be dropped.
        let _ = confirmed.recv();
        Ok(())
    }

    fn tell(&mut self, command: Command) -> Result<(), LabError> {
        let failed = |error| LabError::system("reach the servers' thread", error);
        self.commands.send(command).map_err(|error| failed(std::io::Error::other(error)))?;
        self.wake.write_all(&[0]).map_err(failed)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // Fails only if the thread has ended already.
        let _ = self.tell(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn key(host: Host, server: &Server) -> Key {
    (host, server.address.is_ipv4(), server.protocol, server.port)
}

struct Loop {
    wake: PipeReader,
    commands: Receiver<Command>,
    listeners: Vec<(Host, Listener)>,
    connections: Vec<(Host, TcpStream)>,
}

impl Loop {
    fn run(mut self) {
        loop {
            let mut ready = self.wait().into_iter();
            let told = ready.next() == Some(true);
            let mut accepted = Vec::new();
            for (host, listener) in &self.listeners {
                if ready.next() == Some(true) {
                    accepted.extend(listener.answer().into_iter().map(|stream| (*host, stream)));
                }
            }
            self.connections.retain_mut(|(_, stream)| ready.next() != Some(true) || echo(stream));
            self.connections.append(&mut accepted);
            if told && !self.obey() {
                return;
            }
        }
    }

    /// Waits until something can be read, and says what: the pipe, listeners, connections.
    fn wait(&self) -> Vec<bool> {
        let listeners = self.listeners.iter().map(|(_, listener)| listener.as_fd());
        let connections = self.connections.iter().map(|(_, stream)| stream.as_fd());
        let mut polled: Vec<_> = std::iter::once(self.wake.as_fd())
            .chain(listeners)
            .chain(connections)
            .map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN))
            .collect();
        match poll(&mut polled, PollTimeout::NONE) {
            Ok(_) => polled.iter().map(|one| one.any().unwrap_or(false)).collect(),
            // A signal; nothing is ready.
            Err(_) => vec![false; polled.len()],
        }
    }

    /// Carries out what is asked for; false when that is to stop.
    fn obey(&mut self) -> bool {
        // There is one byte for each command, and leftovers only wake once more.
        let _ = self.wake.read(&mut [0; 64]);
        for command in self.commands.try_iter() {
            match command {
                Command::Add(host, listener) => self.listeners.push((host, listener)),
                Command::Remove(host, _done) => {
                    self.listeners.retain(|(owner, _)| *owner != host);
                    self.connections.retain(|(owner, _)| *owner != host);
                }
                Command::Stop => return false,
            }
        }
        true
    }
}

/// Sends back what came; false when the connection is over.
fn echo(stream: &mut TcpStream) -> bool {
    let mut bytes = [0; 4096];
    match stream.read(&mut bytes) {
        Ok(0) => false,
        Ok(length) => stream.write_all(bytes.get(..length).unwrap_or_default()).is_ok(),
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}
