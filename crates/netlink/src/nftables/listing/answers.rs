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
    /// There is no sign that it cannot.
    Complete,
    /// All answers are there, and some transaction took effect between the first and the last.
    Disturbed,
    /// There are no more answers.
    Interrupted,
}

/// Sorts the messages that answer a request.
pub(super) struct Reader<'a> {
    request: &'a Request,
    wanted: u16,
    /// The lower half of the generation that the answers so far were made from. Listings of
    /// elements do not carry the mark of interruption.
    generation: Option<u16>,
    disturbed: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(request: &'a Request, wanted: u16) -> Reader<'a> {
        Reader { request, wanted, generation: None, disturbed: false }
    }

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
            self.disturbed |= answer.flags & flag::DUMP_INTERRUPTED != 0;
            match answer.kind {
                message::DONE | message::ERROR => return self.end(&answer),
                kind if kind == self.wanted => {
                    self.disturbed |= self.changed(&answer);
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
            _ if acknowledgement.error == 0 && self.disturbed => Ok(Some(Progress::Disturbed)),
            _ if acknowledgement.error == 0 => Ok(Some(Progress::Complete)),
            // There is no such table or set.
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
