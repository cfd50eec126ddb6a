//! Changes on their way to IPVS.

use super::connection::{Ipvs, refusal, write_request};
use super::operation::Operation;
use crate::NetlinkError;
use crate::pipeline::{Failure, Manner, execute};

impl Ipvs {
    /// Bytes of all operations that were sent so far.
    pub const fn bytes_sent(&self) -> u64 {
        self.socket.changes_sent
    }

    /// Executes operations in order and returns those that the kernel refused; the others
    /// are done, whether they come before or after.
    ///
    /// An error means that it is not known what was done.
    pub fn execute(&mut self, operations: &[Operation]) -> Result<Vec<Failure>, NetlinkError> {
        let family = self.family;
        let manner = Manner {
            action: "change virtual servers",
            write: &|operation: &Operation, sequence, flags, encoder| {
                let command = operation.command();
                write_request(encoder, family, command, flags, sequence, |encoder| {
                    operation.encode(encoder);
                });
            },
            refuse: &|operation, acknowledgement| {
                refusal(acknowledgement, operation.to_string()).map(Some)
            },
        };
        execute(&mut self.socket, &mut self.encoder, &manner, operations)
    }
}
