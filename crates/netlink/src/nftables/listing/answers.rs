//! Sorting what answers a request.

use nix::errno::Errno;

use super::super::connection::refusal;
use super::super::hint;
use super::super::uapi::{flag, message};
use super::Request;
use crate::wire::acknowledgement::Acknowledgement;
use crate::wire::message::{Message, Messages};
use crate::{NetlinkError, Refusal};

/// Whether a listing can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Progress {
    Complete,
    Interrupted,
}

/// Sorts the messages that answer a request.
pub(super) struct Reader<'a> {
    pub(super) request: &'a Request,
    pub(super) wanted: u16,
    /// The lower half of the generation that the answers so far were made from. Listings of
    /// elements do not carry the mark of interruption.
    pub(super) generation: Option<u16>,
}

impl Reader<'_> {
    /// Appends the wanted messages of a packet. `None` if more packets will come.
    pub(super) fn read(
        &mut self,
        packet: &[u8],
        messages: &mut Vec<u8>,
    ) -> Result<Option<Progress>, NetlinkError> {
        for entry in Messages::new(packet) {
            let answer = entry.ok_or_else(|| NetlinkError::malformed(&self.request.describe()))?;
            if answer.sequence != self.request.sequence() {
                continue;
            }
            if answer.flags & flag::DUMP_INTERRUPTED != 0 {
                return Ok(Some(Progress::Interrupted));
            }
            match answer.kind {
                message::DONE | message::ERROR => return self.end(&answer),
                kind if kind == self.wanted => {
                    if self.changed(&answer) {
                        return Ok(Some(Progress::Interrupted));
                    }
                    messages.extend_from_slice(answer.bytes);
                    messages.resize(crate::wire::align(messages.len()), 0);
                    if !self.request.is_dump() {
                        return Ok(Some(Progress::Complete));
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// An end mark carries an error number just as an error does.
    fn end(&self, answer: &Message<'_>) -> Result<Option<Progress>, NetlinkError> {
        let acknowledgement = Acknowledgement::decode(answer)
            .ok_or_else(|| NetlinkError::malformed(&self.request.describe()))?;
        match Errno::from_raw(acknowledgement.error) {
            // There is no such table or set.
            _ if acknowledgement.error == 0 => Ok(Some(Progress::Complete)),
            Errno::ENOENT => Ok(Some(Progress::Complete)),
            Errno::EINTR | Errno::EAGAIN => Ok(Some(Progress::Interrupted)),
            Errno::EINVAL | Errno::EOPNOTSUPP => Err(NetlinkError::Refused(Box::new(Refusal {
                operation: self.request.describe(),
                errno: Errno::from_raw(acknowledgement.error),
                number: acknowledgement.error,
                message: acknowledgement.text,
                attribute: None,
                hint: Some(hint::no_nf_tables()),
            }))),
            _ => Err(match self.request.message() {
                Some(request) => refusal(&request, acknowledgement),
                None => NetlinkError::malformed(&self.request.describe()),
            }),
        }
    }

    fn changed(&mut self, answer: &Message<'_>) -> bool {
        let Some((_, generation, _)) = answer.netfilter() else { return false };
        *self.generation.get_or_insert(generation) != generation
    }
}
