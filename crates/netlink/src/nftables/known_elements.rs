//! Reading elements whose keys are known.
//!
//! The kernel lists a set in pieces of 32 KiB at the most, and looks for the beginning of
//! each by walking over all elements before it (`nft_hash_walk` and its siblings in
//! `net/netfilter/nft_set_hash.c`): a listing of a set of twice the size takes four times as
//! long. A single element is found by its key, and costs the same in a set of any size.

use nix::errno::Errno;

use super::listing::{Listing, Progress, Request};
use super::uapi::{ELEMENT_CATCH_ALL, element, element_list, flag, list, message, set};
use super::{Connection, Data, ElementView, Family};
use crate::NetlinkError;
use crate::socket::ReceiveError;
use crate::wire::acknowledgement::Acknowledgement;
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;
use crate::wire::message::Messages;

/// Keys in one request. A list of elements has no more than 64 KiB.
const MOST_KEYS: usize = 1000;
/// What an answer may take of the receive queue, with all that the kernel keeps for it: a
/// guess from the sizes of `sk_buff` and its block, on the safe side. If it were too small, the
/// queue would overrun, and the set would be listed instead.
const ANSWER_BYTES: usize = 1280;
/// Other answers and what has arrived meanwhile.
const SPARE_BYTES: usize = 16 * 1024;

/// What became of a request.
enum Answer {
    /// All keys were found.
    All,
    /// The first so many were found, and the next one is not in the set.
    UpToMissing(usize),
    /// It cannot be told.
    Unclear,
}

impl Connection {
    /// Calls `visit` for the elements with these keys, in their order, as far as the set
    /// holds them. Returns how many there are if the set holds no others, and `None` if it
    /// does or may: then what was visited means nothing. That is always so before Linux 6.16,
    /// which does not tell how many elements a set holds.
    ///
    /// Worth while for more than a hundred thousand keys; see
    /// [`elements`](Connection::elements) for all others. Not for sets of ranges.
    pub fn known_elements<K: AsRef<[u8]>>(
        &mut self,
        family: Family,
        table: &str,
        set: &str,
        keys: &mut dyn Iterator<Item = K>,
        visit: &mut dyn FnMut(ElementView<'_>),
    ) -> Result<Option<usize>, NetlinkError> {
        let before = self.generation()?;
        self.wait_for_transactions()?;
        let Some(held) = self.element_count(family, table, set)? else { return Ok(None) };
        let room = self.socket.receive_room(MOST_KEYS * ANSWER_BYTES + SPARE_BYTES);
        let at_once = (room.saturating_sub(SPARE_BYTES) / ANSWER_BYTES).clamp(1, MOST_KEYS);
        let mut found: usize = 0;
        loop {
            let chunk: Vec<K> = keys.take(at_once).collect();
            if chunk.is_empty() {
                break;
            }
            match self.look_up(family, table, set, &chunk, visit)? {
                Some(count) => found = found.saturating_add(count),
                None => return Ok(None),
            }
        }
        self.wait_for_transactions()?;
        // Others may change tables of theirs without a pause.
        let holds_as_many =
            self.generation()? == before || self.element_count(family, table, set)? == Some(held);
        let is_all = found == held
            && holds_as_many
            && self.has_catch_all(family, table, set)? == Some(false);
        Ok(is_all.then_some(found))
    }

    /// How many elements a set holds, those among them whose time is over and that are not
    /// cleaned up yet. `None` if there is no such set, and before Linux 6.16, which does not
    /// tell. One request, however many there are.
    pub fn element_count(
        &mut self,
        family: Family,
        table: &str,
        set: &str,
    ) -> Result<Option<usize>, NetlinkError> {
        let mut request = Request::new(message::GET_SET, 0, family.number(), |encoder| {
            encoder.text(set::TABLE, table);
            encoder.text(set::NAME, set);
        });
        let mut listing = Listing::of(&request);
        if self.ask(&mut request, message::NEW_SET, &mut listing)? != Progress::Complete {
            return Ok(None);
        }
        let count =
            listing.attributes().find_map(|set| AttributeSet::<21>::parse(set)?.be32(set::COUNT));
        Ok(count.and_then(|count| usize::try_from(count).ok()))
    }

    /// Whether a set has an element for all keys that have none of their own, which the
    /// kernel does not count (`nft_add_set_elem`, v6.18); `None` if it cannot be told.
    fn has_catch_all(
        &mut self,
        family: Family,
        table: &str,
        set: &str,
    ) -> Result<Option<bool>, NetlinkError> {
        let request = request(family, table, set, |encoder| {
            encoder.nested(list::ELEM, |encoder| encoder.be32(element::FLAGS, ELEMENT_CATCH_ALL));
        });
        Ok(match self.ask_for_elements(request, &mut |_| {})? {
            Answer::All => Some(true),
            Answer::UpToMissing(_) => Some(false),
            Answer::Unclear => None,
        })
    }

    /// Looks all keys up, however many of them are missing.
    fn look_up<K: AsRef<[u8]>>(
        &mut self,
        family: Family,
        table: &str,
        set: &str,
        keys: &[K],
        visit: &mut dyn FnMut(ElementView<'_>),
    ) -> Result<Option<usize>, NetlinkError> {
        let (mut rest, mut found) = (keys, 0);
        while !rest.is_empty() {
            let request = request(family, table, set, |encoder| {
                for key in rest {
                    encoder.nested(list::ELEM, |encoder| {
                        Data::Bytes(key.as_ref()).encode(element::KEY, encoder);
                    });
                }
            });
            match self.ask_for_elements(request, visit)? {
                Answer::All => return Ok(Some(found + rest.len())),
                Answer::UpToMissing(count) => {
                    found += count;
                    rest = rest.get(count + 1..).unwrap_or_default();
                }
                Answer::Unclear => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    fn ask_for_elements(
        &mut self,
        mut request: Request,
        visit: &mut dyn FnMut(ElementView<'_>),
    ) -> Result<Answer, NetlinkError> {
        request.number(self.socket.sequences(1));
        self.socket.send(request.bytes())?;
        let answer = self.answers(&request, visit);
        if !matches!(answer, Ok(Answer::All | Answer::UpToMissing(_))) {
            self.socket.drain();
        }
        answer
    }

    /// Each element that is found is a packet of its own; the acknowledgement ends them.
    fn answers(
        &mut self,
        request: &Request,
        visit: &mut dyn FnMut(ElementView<'_>),
    ) -> Result<Answer, NetlinkError> {
        let malformed = || NetlinkError::malformed(&request.describe());
        let mut found = 0;
        loop {
            let packet = match self.socket.receive_small() {
                Ok(packet) => packet,
                Err(ReceiveError::Failed(source)) => {
                    return Err(NetlinkError::unanswered(
                        ReceiveError::Failed(source),
                        &request.describe(),
                    ));
                }
                Err(ReceiveError::Overrun | ReceiveError::Nothing) => return Ok(Answer::Unclear),
            };
            for entry in Messages::new(packet) {
                let answer = entry.ok_or_else(malformed)?;
                if answer.sequence != request.sequence() {
                    continue;
                }
                match answer.kind {
                    message::ERROR => {
                        let end = Acknowledgement::decode(&answer).ok_or_else(malformed)?;
                        return Ok(match Errno::from_raw(end.error) {
                            _ if end.error == 0 => Answer::All,
                            Errno::ENOENT => Answer::UpToMissing(found),
                            _ => Answer::Unclear,
                        });
                    }
                    message::NEW_ELEMENTS => {
                        let (_, _, attributes) = answer.netfilter().ok_or_else(malformed)?;
                        for element in ElementView::all(attributes) {
                            visit(element.ok_or_else(malformed)?);
                            found += 1;
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

/// A request for the elements that `write` names.
fn request(family: Family, table: &str, set: &str, write: impl FnOnce(&mut Encoder)) -> Request {
    Request::new(message::GET_ELEMENTS, flag::ACKNOWLEDGE, family.number(), |encoder| {
        encoder.text(element_list::TABLE, table);
        encoder.text(element_list::SET, set);
        encoder.nested(element_list::ELEMENTS, write);
    })
}
