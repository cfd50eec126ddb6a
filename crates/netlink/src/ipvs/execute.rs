//! Changes on their way to IPVS.

use super::connection::{Ipvs, refusal};
use super::operation::Operation;
use super::uapi::{flag, message};
use crate::wire::acknowledgement::Acknowledgement;
use crate::wire::encoder::Encoder;
use crate::wire::message::Messages;
use crate::{NetlinkError, Refusal};

/// Requests in one send. The kernel answers each that it refuses, and what it answers has
/// to fit into the receive queue.
const REQUESTS_AT_ONCE: usize = 128;
const ACTION: &str = "change virtual servers";

/// A request that the kernel refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its place in what was to be executed.
    pub index: usize,
    /// What the kernel said.
    pub refusal: Refusal,
}

impl Ipvs {
    /// Executes operations in order and returns those that the kernel refused; the others
    /// are done, whether they come before or after.
    ///
    /// An error means that it is not known what was done.
    pub fn execute(&mut self, operations: &[Operation]) -> Result<Vec<Failure>, NetlinkError> {
        let mut failures = Vec::new();
        let starts = (0..).step_by(REQUESTS_AT_ONCE);
        for (chunk, start) in operations.chunks(REQUESTS_AT_ONCE).zip(starts) {
            let outcome = self.execute_chunk(chunk, start, &mut failures);
            if outcome.is_err() {
                self.socket.drain();
                outcome?;
            }
        }
        Ok(failures)
    }

    /// The last request asks for an answer, the others are answered only if refused.
    fn execute_chunk(
        &mut self,
        chunk: &[Operation],
        start: usize,
        failures: &mut Vec<Failure>,
    ) -> Result<(), NetlinkError> {
        let first = self.socket.sequences(u32::try_from(chunk.len()).unwrap_or(u32::MAX));
        self.encoder.truncate(0);
        for (index, operation) in chunk.iter().enumerate() {
            let is_last = index.saturating_add(1) == chunk.len();
            let flags = if is_last { flag::ACKNOWLEDGE } else { 0 };
            let sequence = first.wrapping_add(u32::try_from(index).unwrap_or(u32::MAX));
            let encode = |encoder: &mut Encoder| operation.encode(encoder);
            if !self.write(operation.command(), flags, sequence, encode) {
                return Err(NetlinkError::Unencodable { operation: operation.to_string() });
            }
        }
        self.socket.send(self.encoder.bytes())?;
        while !self.read_refusals(first, chunk, start, failures)? {}
        Ok(())
    }

    /// Reads one packet of answers. `true` if the last request was answered.
    fn read_refusals(
        &mut self,
        first: u32,
        chunk: &[Operation],
        start: usize,
        failures: &mut Vec<Failure>,
    ) -> Result<bool, NetlinkError> {
        let packet =
            self.socket.receive().map_err(|error| NetlinkError::unanswered(error, ACTION))?;
        for entry in Messages::new(packet) {
            let answer = entry.ok_or_else(|| NetlinkError::malformed(ACTION))?;
            let index = usize::try_from(answer.sequence.wrapping_sub(first)).unwrap_or(usize::MAX);
            let Some(operation) = chunk.get(index).filter(|_| answer.kind == message::ERROR) else {
                continue;
            };
            let acknowledgement =
                Acknowledgement::decode(&answer).ok_or_else(|| NetlinkError::malformed(ACTION))?;
            if acknowledgement.error != 0 {
                let refusal = refusal(acknowledgement, operation.to_string())?;
                failures.push(Failure { index: start.saturating_add(index), refusal });
            }
            if index.saturating_add(1) == chunk.len() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
