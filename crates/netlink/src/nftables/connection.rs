//! The conversation with nf_tables in the network namespace of this thread.

use nix::errno::Errno;

use super::uapi::message;
use super::{Batch, describe, hint, path};
use crate::socket::{ReceiveError, Socket};
use crate::wire::acknowledgement::Acknowledgement;
use crate::wire::message::{Message, Messages};
use crate::{NetlinkError, Refusal};

/// A socket to nf_tables in the network namespace that the calling thread was in when it
/// was opened. Calls block until the kernel has answered.
///
/// Opening needs no privilege; everything else needs CAP_NET_ADMIN in the user namespace
/// that owns the network namespace.
#[derive(Debug)]
pub struct Connection {
    pub(super) socket: Socket,
}

/// What a committed transaction consisted of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The bytes sent.
    pub bytes: usize,
    /// The messages sent, the two that frame the transaction included.
    pub messages: usize,
}

/// `ERESTART`, which the kernel's interface has and user space's headers lack.
const RESTART: i32 = 85;

impl Connection {
    /// Opens the socket.
    pub fn open() -> Result<Connection, NetlinkError> {
        Ok(Connection { socket: Socket::open()? })
    }

    /// Sends a batch in one piece and waits until the kernel has applied it. An empty batch
    /// is not sent. The batch keeps its requests.
    ///
    /// The kernel takes a transaction only in one piece, which must fit into the socket's
    /// send buffer. With CAP_NET_ADMIN in the initial user namespace the buffer becomes as
    /// large as needed. Otherwise, as in an unprivileged container, it is limited to twice
    /// `net.core.wmem_max`, and a larger batch is [`NetlinkError::TooLarge`].
    pub fn commit(&mut self, batch: &mut Batch) -> Result<Receipt, NetlinkError> {
        if let Some(operation) = batch.unencodable() {
            return Err(NetlinkError::Unencodable { operation: operation.to_owned() });
        }
        if batch.is_empty() {
            return Ok(Receipt::default());
        }
        let messages = batch.messages();
        let first = self.socket.sequences(messages);
        let open = batch.seal(first);
        let outcome = self.transact(batch, first);
        let bytes = batch.len_bytes();
        batch.unseal(open);
        outcome?;
        Ok(Receipt { bytes, messages: usize::try_from(messages).unwrap_or(usize::MAX) })
    }

    /// Waits until every transaction that any program has begun is applied or given up.
    ///
    /// An empty transaction waits its turn like any other, and changes nothing: not even
    /// the generation. The kernel works in the call that sends it, and answers nothing.
    pub(super) fn wait_for_transactions(&mut self) -> Result<(), NetlinkError> {
        let mut empty = Batch::new(None);
        let first = self.socket.sequences(empty.messages());
        empty.seal(first);
        self.socket.send(empty.bytes())
    }

    fn transact(&mut self, batch: &Batch, first: u32) -> Result<(), NetlinkError> {
        self.socket.send(batch.bytes())?;
        // The last message is the end of the frame, which is not acknowledged.
        let last_request = first.wrapping_add(batch.messages().saturating_sub(2));
        match self.first_refusal(first, last_request) {
            Ok(None) => Ok(()),
            Ok(Some((index, acknowledgement))) => {
                self.socket.drain();
                Err(explain(batch, index, acknowledgement))
            }
            Err(error) => {
                self.socket.drain();
                Err(error)
            }
        }
    }

    /// Reads answers until the last request is acknowledged or one is refused; that one by
    /// its number in the batch. An acknowledgement of any other request proves nothing.
    fn first_refusal(
        &mut self,
        first: u32,
        last: u32,
    ) -> Result<Option<(usize, Acknowledgement)>, NetlinkError> {
        let mut overrun = false;
        loop {
            let packet = match self.socket.receive() {
                Ok(packet) => packet,
                Err(ReceiveError::Overrun) if !overrun => {
                    overrun = true;
                    continue;
                }
                Err(error) => return Err(NetlinkError::unanswered(error, "commit a transaction")),
            };
            for entry in Messages::new(packet) {
                let answer =
                    entry.ok_or_else(|| NetlinkError::malformed("commit a transaction"))?;
                let index = answer.sequence.wrapping_sub(first);
                if answer.kind != message::ERROR || index > last.wrapping_sub(first) {
                    continue;
                }
                let acknowledgement = Acknowledgement::decode(&answer)
                    .ok_or_else(|| NetlinkError::malformed("commit a transaction"))?;
                if acknowledgement.error != 0 {
                    let index = usize::try_from(index).unwrap_or(usize::MAX);
                    return Ok(Some((index, acknowledgement)));
                }
                if answer.sequence == last {
                    return Ok(None);
                }
            }
        }
    }
}

/// The error for a request of a batch that the kernel refused.
fn explain(batch: &Batch, index: usize, acknowledgement: Acknowledgement) -> NetlinkError {
    match (batch.generation(), acknowledgement.error) {
        (Some(generation), RESTART) => NetlinkError::StaleGeneration { generation },
        _ => match Messages::new(batch.bytes()).nth(index).flatten() {
            Some(request) => refusal(&request, acknowledgement),
            None => NetlinkError::malformed("commit a transaction"),
        },
    }
}

/// The error for a request that the kernel refused.
pub(super) fn refusal(request: &Message<'_>, acknowledgement: Acknowledgement) -> NetlinkError {
    let operation = describe::request(request);
    let errno = Errno::from_raw(acknowledgement.error);
    if errno == Errno::EPERM {
        return NetlinkError::Permission { action: operation };
    }
    let place = acknowledgement.offset.and_then(|offset| path::locate(request, offset));
    NetlinkError::Refused(Box::new(Refusal {
        hint: hint::hint(request.kind, errno, place.as_ref()),
        operation,
        errno,
        number: acknowledgement.error,
        message: acknowledgement.text,
        attribute: place.map(|place| place.path),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nftables::Family;

    fn explained(generation: Option<u32>, index: usize, error: i32) -> String {
        let mut batch = Batch::new(generation);
        batch.flush_chain(Family::Ip, "portolan", "lb-1");
        batch.delete_table(Family::Ip6, "portolan");
        batch.seal(1);
        let acknowledgement = Acknowledgement { error, ..Acknowledgement::default() };
        explain(&batch, index, acknowledgement).to_string()
    }

    #[test]
    fn errors_name_the_request_and_what_to_check() {
        assert!(explained(Some(7), 0, RESTART).contains("is no longer 7"));
        let text = explained(None, 0, 1);
        assert!(text.contains("refused to commit a transaction"), "{text}");
        assert!(text.contains("CAP_NET_ADMIN"), "{text}");
        let text = explained(None, 0, 95);
        assert!(text.contains("CONFIG_NF_TABLES"), "{text}");
        assert_eq!(
            explained(None, 1, 16),
            "cannot delete rules from chain lb-1 of table ip portolan: \
             EBUSY: Device or resource busy"
        );
    }

    #[test]
    fn an_error_without_a_name_in_user_space_is_shown_by_its_number() {
        assert_eq!(explained(None, 2, 524), "cannot delete table ip6 portolan: error 524");
    }
}
