//! Reading what the kernel has.

use nix::errno::Errno;

use super::connection::refusal;
use super::uapi::{GENERATION_ID, chain, element_list, flag, message, rule, set};
use super::{Chain, Connection, ElementView, Family, ListedRule, Set, Table, describe, hint};
use crate::socket::ReceiveError;
use crate::wire::acknowledgement::Acknowledgement;
use crate::wire::attribute::{AttributeSet, find_text};
use crate::wire::encoder::Encoder;
use crate::wire::message::{Header, Message, Messages};
use crate::{NetlinkError, Refusal};

/// How often a listing is begun anew because the tables changed meanwhile.
const ATTEMPTS: u32 = 16;

impl Connection {
    /// The generation of the ruleset; every transaction of any program raises it.
    pub fn generation(&mut self) -> Result<u32, NetlinkError> {
        let mut request = Request::new(message::GET_GENERATION, 0, 0, |_| {});
        let mut listing = Listing::of(&request);
        for _ in 0..ATTEMPTS {
            if self.ask(&mut request, message::NEW_GENERATION, &mut listing)? == Progress::Complete
            {
                return listing
                    .attributes()
                    .find_map(|given| AttributeSet::<4>::parse(given)?.be32(GENERATION_ID))
                    .ok_or_else(|| NetlinkError::malformed(&listing.action));
            }
        }
        Err(NetlinkError::Interrupted { action: listing.action, attempts: ATTEMPTS })
    }

    /// The tables of a family.
    pub fn tables(&mut self, family: Family) -> Result<Vec<Table>, NetlinkError> {
        let request = Request::list(message::GET_TABLE, family, |_| {});
        let listing = self.list(request, message::NEW_TABLE)?;
        listing.decode(Table::decode)
    }

    /// The chains of a table; none if there is no such table.
    pub fn chains(&mut self, family: Family, table: &str) -> Result<Vec<Chain>, NetlinkError> {
        let request = Request::list(message::GET_CHAIN, family, |_| {});
        let listing = self.list(request, message::NEW_CHAIN)?;
        listing.decode_of_table(table, Chain::decode)
    }

    /// The rules of a table in the order of chains and positions; none if there is no such
    /// table.
    pub fn rules(&mut self, family: Family, table: &str) -> Result<Vec<ListedRule>, NetlinkError> {
        let request = Request::list(message::GET_RULE, family, |encoder| {
            encoder.text(rule::TABLE, table);
        });
        let listing = self.list(request, message::NEW_RULE)?;
        listing.decode_of_table(table, ListedRule::decode)
    }

    /// The sets and maps of a table, anonymous ones included; none if there is no such
    /// table.
    pub fn sets(&mut self, family: Family, table: &str) -> Result<Vec<Set>, NetlinkError> {
        let request = Request::list(message::GET_SET, family, |encoder| {
            encoder.text(set::TABLE, table);
        });
        let listing = self.list(request, message::NEW_SET)?;
        listing.decode_of_table(table, Set::decode)
    }

    /// Calls `visit` for each element of a set in the kernel's order, once the listing is
    /// known to be complete. Returns their number; zero if there is no such set.
    ///
    /// A set without a declared size may list wrongly right after a large change.
    pub fn elements(
        &mut self,
        family: Family,
        table: &str,
        set: &str,
        visit: &mut dyn FnMut(ElementView<'_>),
    ) -> Result<usize, NetlinkError> {
        let request = Request::list(message::GET_ELEMENTS, family, |encoder| {
            encoder.text(element_list::TABLE, table);
            encoder.text(element_list::SET, set);
        });
        let listing = self.list(request, message::NEW_ELEMENTS)?;
        let mut count: usize = 0;
        for element in listing.attributes().flat_map(ElementView::all) {
            visit(listing.check(element)?);
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    /// Sends a request and collects the answers of one kind, again and again until no
    /// transaction was under way meanwhile.
    ///
    /// The kernel lists a set in pieces, and finds the next piece by the number of elements
    /// before it. A transaction puts its elements among them before it is committed, and
    /// takes the old ones out after the generation has changed. So a listing beside one may
    /// repeat elements or lack some, and nothing in it says so.
    fn list(&mut self, mut request: Request, wanted: u16) -> Result<Listing, NetlinkError> {
        let mut listing = Listing::of(&request);
        for _ in 0..ATTEMPTS {
            let before = self.generation()?;
            self.wait_for_transactions()?;
            if self.ask(&mut request, wanted, &mut listing)? == Progress::Complete {
                self.wait_for_transactions()?;
                if self.generation()? == before {
                    return Ok(listing);
                }
            }
        }
        Err(NetlinkError::Interrupted { action: listing.action, attempts: ATTEMPTS })
    }

    /// Sends a request and collects the answers of one kind.
    pub(super) fn ask(
        &mut self,
        request: &mut Request,
        wanted: u16,
        listing: &mut Listing,
    ) -> Result<Progress, NetlinkError> {
        listing.messages.clear();
        request.number(self.socket.sequences(1));
        self.socket.send(request.bytes())?;
        let progress = self.collect(request, wanted, listing)?;
        if progress == Progress::Interrupted {
            self.socket.drain();
        }
        Ok(progress)
    }

    fn collect(
        &mut self,
        request: &Request,
        wanted: u16,
        listing: &mut Listing,
    ) -> Result<Progress, NetlinkError> {
        let mut reader = Reader { request, wanted, generation: None };
        loop {
            let packet = match self.socket.receive() {
                Ok(packet) => packet,
                Err(ReceiveError::Overrun) => return Ok(Progress::Interrupted),
                Err(error) => return Err(NetlinkError::unanswered(error, &listing.action)),
            };
            match reader.read(packet, &mut listing.messages) {
                Ok(None) => {}
                Ok(Some(progress)) => return Ok(progress),
                Err(error) => {
                    self.socket.drain();
                    return Err(error);
                }
            }
        }
    }
}

/// A single request, encoded.
pub(super) struct Request {
    encoder: Encoder,
    sequence: u32,
}

impl Request {
    pub(super) fn new(
        kind: u16,
        flags: u16,
        family: u8,
        write: impl FnOnce(&mut Encoder),
    ) -> Request {
        let mut encoder = Encoder::default();
        let flags = flags | flag::REQUEST;
        let start = encoder.begin_message(Header { kind, flags, family, ..Header::default() });
        write(&mut encoder);
        encoder.end_message(start);
        Request { encoder, sequence: 0 }
    }

    fn list(kind: u16, family: Family, write: impl FnOnce(&mut Encoder)) -> Request {
        Request::new(kind, flag::DUMP, family.number(), write)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.encoder.bytes()
    }

    fn message(&self) -> Option<Message<'_>> {
        Messages::new(self.bytes()).next().flatten()
    }

    pub(super) fn describe(&self) -> String {
        self.message().map_or_else(String::new, |message| describe::request(&message))
    }

    pub(super) fn number(&mut self, sequence: u32) {
        self.sequence = sequence;
        let flags = self.message().map_or(0, |message| message.flags);
        self.encoder.patch_header(0, sequence, flags);
    }

    pub(super) fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Whether many messages will answer, the last of them an end mark.
    fn is_dump(&self) -> bool {
        self.message().is_some_and(|message| message.flags & flag::DUMP != 0)
    }
}

/// Whether a listing can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Complete,
    Interrupted,
}

/// Sorts the messages that answer a request.
struct Reader<'a> {
    request: &'a Request,
    wanted: u16,
    /// The lower half of the generation that the answers so far were made from. Listings of
    /// elements do not carry the mark of interruption.
    generation: Option<u16>,
}

impl Reader<'_> {
    /// Appends the wanted messages of a packet. `None` if more packets will come.
    fn read(
        &mut self,
        packet: &[u8],
        messages: &mut Vec<u8>,
    ) -> Result<Option<Progress>, NetlinkError> {
        for entry in Messages::new(packet) {
            let answer = entry.ok_or_else(|| NetlinkError::malformed(&self.request.describe()))?;
            if answer.sequence != self.request.sequence {
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

/// Messages that answered a request.
pub(super) struct Listing {
    action: String,
    messages: Vec<u8>,
}

impl Listing {
    pub(super) fn of(request: &Request) -> Listing {
        Listing { action: request.describe(), messages: Vec::new() }
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = &[u8]> {
        Messages::new(&self.messages).flatten().filter_map(|message| Some(message.netfilter()?.2))
    }

    fn decode<T>(&self, decode: impl Fn(&[u8]) -> Option<T>) -> Result<Vec<T>, NetlinkError> {
        self.attributes().map(|attributes| self.check(decode(attributes))).collect()
    }

    /// The objects in one table. Those of other tables are not even decoded: they are not
    /// ours to understand.
    fn decode_of_table<T>(
        &self,
        table: &str,
        decode: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        self.attributes()
            .filter(|attributes| find_text(attributes, chain::TABLE).as_deref() == Some(table))
            .map(|attributes| self.check(decode(attributes)))
            .collect()
    }

    fn check<T>(&self, decoded: Option<T>) -> Result<T, NetlinkError> {
        decoded.ok_or_else(|| NetlinkError::malformed(&self.action))
    }
}

/// Chains, rules and sets have the name of their table in the same place.
const _: () = assert!(chain::TABLE == rule::TABLE && rule::TABLE == set::TABLE);

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
