//! The conversation with routing in the network namespace of this thread.

use nix::errno::Errno;

use super::uapi::{HEADER, flag, message};
use crate::socket::{ReceiveError, Socket};
use crate::wire::acknowledgement::Acknowledgement;
use crate::wire::encoder::Encoder;
use crate::wire::message::Messages;
use crate::{NetlinkError, Refusal};

/// How often a listing is begun anew because what it lists changed meanwhile.
const ATTEMPTS: u32 = 5;

/// A socket to routing in the network namespace that the calling thread was in when it was
/// opened. Calls block until the kernel has answered.
///
/// Opening and listing need no privilege.
#[derive(Debug)]
pub struct Routing {
    pub(super) socket: Socket,
    /// What is to be sent.
    pub(super) encoder: Encoder,
}

/// What is to be listed.
pub(super) struct Listing<'a, T> {
    pub(super) action: &'a str,
    pub(super) kind: u16,
    pub(super) header: [u8; HEADER],
    /// Writes the attributes of the request.
    pub(super) write: &'a dyn Fn(&mut Encoder),
    /// Reads what follows the netlink header. `None` leaves it out.
    pub(super) decode: &'a dyn Fn(&[u8]) -> Option<T>,
}

impl Routing {
    /// Opens the socket.
    pub fn open() -> Result<Routing, NetlinkError> {
        let socket = Socket::open_route()?;
        socket.list_as_requested(true);
        Ok(Routing { socket, encoder: Encoder::default() })
    }

    /// Lists, and begins anew if it was interrupted by a change.
    pub(super) fn list<T>(&mut self, listing: &Listing<'_, T>) -> Result<Vec<T>, NetlinkError> {
        for _ in 0..ATTEMPTS {
            let sequence = self.socket.sequences(1);
            self.ask(listing, sequence)?;
            let mut found = Vec::new();
            let outcome = self.collect(listing, sequence, &mut found);
            if !matches!(outcome, Ok(Progress::Complete)) {
                self.socket.drain();
            }
            match outcome {
                Ok(Progress::Complete) => return Ok(found),
                Ok(Progress::Interrupted) => {}
                // There is no such table, or nothing of this family.
                Err(NetlinkError::Refused(refusal))
                    if matches!(
                        refusal.errno,
                        Errno::ENOENT | Errno::EAFNOSUPPORT | Errno::EOPNOTSUPP
                    ) =>
                {
                    return Ok(Vec::new());
                }
                Err(error) => return Err(error),
            }
        }
        Err(NetlinkError::Interrupted { action: listing.action.to_owned(), attempts: ATTEMPTS })
    }

    fn ask<T>(&mut self, listing: &Listing<'_, T>, sequence: u32) -> Result<(), NetlinkError> {
        let flags = flag::REQUEST | flag::DUMP;
        self.encoder.truncate(0);
        let start = self.encoder.begin_message_with(listing.kind, flags, sequence, &listing.header);
        (listing.write)(&mut self.encoder);
        self.encoder.end_message(start);
        self.socket.send(self.encoder.bytes())
    }

    /// Reads answers until the last one.
    fn collect<T>(
        &mut self,
        listing: &Listing<'_, T>,
        sequence: u32,
        found: &mut Vec<T>,
    ) -> Result<Progress, NetlinkError> {
        let Listing { action, decode, .. } = listing;
        let mut interrupted = false;
        loop {
            let packet = match self.socket.receive() {
                Ok(packet) => packet,
                Err(ReceiveError::Overrun) => return Ok(Progress::Interrupted),
                Err(error) => return Err(NetlinkError::unanswered(error, action)),
            };
            for entry in Messages::new(packet) {
                let answer = entry.ok_or_else(|| NetlinkError::malformed(action))?;
                if answer.sequence != sequence {
                    continue;
                }
                interrupted |= answer.flags & flag::DUMP_INTERRUPTED != 0;
                if matches!(answer.kind, message::ERROR | message::DONE) {
                    let end = Acknowledgement::decode_end(&answer)
                        .ok_or_else(|| NetlinkError::malformed(action))?;
                    return finish(end, action, interrupted);
                }
                found.extend(decode(answer.payload()));
            }
        }
    }
}

/// Whether a listing can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Complete,
    Interrupted,
}

fn finish(end: Acknowledgement, action: &str, interrupted: bool) -> Result<Progress, NetlinkError> {
    match end.error {
        0 if interrupted => Ok(Progress::Interrupted),
        0 => Ok(Progress::Complete),
        number => Err(NetlinkError::Refused(Box::new(Refusal {
            operation: action.to_owned(),
            errno: Errno::from_raw(number),
            number,
            message: end.text,
            attribute: None,
            hint: None,
        }))),
    }
}
