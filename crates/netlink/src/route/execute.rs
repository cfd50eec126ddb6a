//! Changes on their way to the kernel.

use nix::errno::Errno;

use super::Operation;
use super::connection::Routing;
use super::uapi::flag;
use crate::pipeline::{Failure, Manner, execute};
use crate::wire::acknowledgement::Acknowledgement;
use crate::wire::encoder::Encoder;
use crate::{NetlinkError, Refusal};

impl Routing {
    /// Bytes of all operations that were sent so far.
    pub const fn bytes_sent(&self) -> u64 {
        self.socket.changes_sent
    }

    /// Executes operations in order and returns those that the kernel refused; the others
    /// are done, whether they come before or after. To add what is there and to delete what
    /// is gone is done, too.
    ///
    /// Needs CAP_NET_ADMIN in the user namespace that owns the network namespace. An error
    /// means that it is not known what was done.
    pub fn execute(&mut self, operations: &[Operation]) -> Result<Vec<Failure>, NetlinkError> {
        let manner = Manner { action: "change rules and routes", write: &write, refuse: &refuse };
        execute(&mut self.socket, &mut self.encoder, &manner, operations)
    }
}

/// Appends the request to what is to be sent.
pub(super) fn write(operation: &Operation, sequence: u32, flags: u16, encoder: &mut Encoder) {
    let flags = flag::REQUEST | operation.flags() | flags;
    let header = operation.header();
    let start = encoder.begin_message_with(operation.kind(), flags, sequence, &header);
    operation.encode(encoder);
    encoder.end_message(start);
}

pub(super) fn refuse(
    operation: &Operation,
    acknowledgement: Acknowledgement,
) -> Result<Option<Refusal>, NetlinkError> {
    let errno = Errno::from_raw(acknowledgement.error);
    match errno {
        _ if operation.is_done(errno) => Ok(None),
        Errno::EPERM => Err(NetlinkError::Permission { action: operation.to_string() }),
        _ => Ok(Some(Refusal {
            operation: operation.to_string(),
            errno,
            number: acknowledgement.error,
            message: acknowledgement.text,
            attribute: None,
            hint: operation.hint(errno),
        })),
    }
}
