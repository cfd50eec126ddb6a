//! Many requests in one send, where the kernel has no transactions.

use std::fmt;

use crate::socket::Socket;
use crate::wire::acknowledgement::Acknowledgement;
use crate::wire::encoder::Encoder;
use crate::wire::message::Messages;
use crate::wire::uapi::{flag, kind};
use crate::{NetlinkError, Refusal};

/// Requests in one send. The kernel answers each that it refuses, and what it answers has
/// to fit into the receive queue.
const REQUESTS_AT_ONCE: usize = 128;

/// A request that the kernel refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its place in what was to be executed.
    pub index: usize,
    /// What the kernel said.
    pub refusal: Refusal,
}

/// Appends an operation's request, with its sequence number and flags, to what is to be sent.
type Write<'a, T> = dyn Fn(&T, u32, u16, &mut Encoder) + 'a;
/// Says what it means that an operation was refused; `None` if it is as good as done.
type Refuse<'a, T> = dyn Fn(&T, Acknowledgement) -> Result<Option<Refusal>, NetlinkError> + 'a;

/// How the operations of a subsystem travel.
pub(crate) struct Manner<'a, T> {
    /// What they do together.
    pub(crate) action: &'static str,
    pub(crate) write: &'a Write<'a, T>,
    pub(crate) refuse: &'a Refuse<'a, T>,
}

/// Executes operations in order and returns those that the kernel refused; the others are
/// done, whether they come before or after. An error means that it is not known what was
/// done.
pub(crate) fn execute<T: fmt::Display>(
    socket: &mut Socket,
    encoder: &mut Encoder,
    manner: &Manner<'_, T>,
    operations: &[T],
) -> Result<Vec<Failure>, NetlinkError> {
    let mut failures = Vec::new();
    for (chunk, start) in operations.chunks(REQUESTS_AT_ONCE).zip((0..).step_by(REQUESTS_AT_ONCE)) {
        let first = socket.sequences(u32::try_from(chunk.len()).unwrap_or(u32::MAX));
        let sent = Sent { chunk, first, start };
        let outcome = sent
            .write(encoder, manner)
            .and_then(|()| socket.send_changes(encoder.bytes()))
            .and_then(|()| sent.answers(socket, manner, &mut failures));
        if outcome.is_err() {
            socket.drain();
            outcome?;
        }
    }
    Ok(failures)
}

/// Operations that travel in one send.
struct Sent<'a, T> {
    chunk: &'a [T],
    /// The sequence number of the first.
    first: u32,
    /// The place of the first in what is to be executed.
    start: usize,
}

impl<T: fmt::Display> Sent<'_, T> {
    /// The last request asks for an answer, the others are answered only if refused.
    fn write(&self, encoder: &mut Encoder, manner: &Manner<'_, T>) -> Result<(), NetlinkError> {
        encoder.truncate(0);
        for (index, operation) in self.chunk.iter().enumerate() {
            let flags = if self.is_last(index) { flag::ACKNOWLEDGE } else { 0 };
            let sequence = self.first.wrapping_add(u32::try_from(index).unwrap_or(u32::MAX));
            (manner.write)(operation, sequence, flags, encoder);
            if encoder.take_fault() {
                return Err(NetlinkError::Unencodable { operation: operation.to_string() });
            }
        }
        Ok(())
    }

    fn is_last(&self, index: usize) -> bool {
        index.saturating_add(1) == self.chunk.len()
    }

    fn answers(
        &self,
        socket: &mut Socket,
        manner: &Manner<'_, T>,
        failures: &mut Vec<Failure>,
    ) -> Result<(), NetlinkError> {
        loop {
            let packet =
                socket.receive().map_err(|error| NetlinkError::unanswered(error, manner.action))?;
            if self.read(packet, manner, failures)? {
                return Ok(());
            }
        }
    }

    /// Reads one packet of answers. `true` if the last request was answered.
    fn read(
        &self,
        packet: &[u8],
        manner: &Manner<'_, T>,
        failures: &mut Vec<Failure>,
    ) -> Result<bool, NetlinkError> {
        let malformed = || NetlinkError::malformed(manner.action);
        for entry in Messages::new(packet) {
            let answer = entry.ok_or_else(malformed)?;
            let index = answer.sequence.wrapping_sub(self.first);
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            let Some(operation) = self.chunk.get(index).filter(|_| answer.kind == kind::ERROR)
            else {
                continue;
            };
            let acknowledgement = Acknowledgement::decode(&answer).ok_or_else(malformed)?;
            if acknowledgement.error != 0
                && let Some(refusal) = (manner.refuse)(operation, acknowledgement)?
            {
                failures.push(Failure { index: self.start.saturating_add(index), refusal });
            }
            if self.is_last(index) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
