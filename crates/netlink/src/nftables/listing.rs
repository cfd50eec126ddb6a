//! Reading what the kernel has.

mod answers;
mod request;

use std::hash::{DefaultHasher, Hasher};

pub(super) use self::answers::Progress;
use self::answers::Reader;
pub(super) use self::request::Request;
use super::uapi::{GENERATION_ID, chain, element_list, message, rule, set};
use super::{Chain, Connection, ElementView, Family, ListedRule, Set, Table};
use crate::NetlinkError;
use crate::socket::ReceiveError;
use crate::wire::attribute::{AttributeSet, find_text};
use crate::wire::message::Messages;

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
        let listing = self.list(request, message::NEW_TABLE, None)?;
        listing.decode(Table::decode)
    }

    /// The chains of a table; none if there is no such table.
    pub fn chains(&mut self, family: Family, table: &str) -> Result<Vec<Chain>, NetlinkError> {
        let request = Request::list(message::GET_CHAIN, family, |_| {});
        let listing = self.list(request, message::NEW_CHAIN, Some(table))?;
        listing.decode_of_table(table, Chain::decode)
    }

    /// The rules of a table in the order of chains and positions; none if there is no such
    /// table.
    pub fn rules(&mut self, family: Family, table: &str) -> Result<Vec<ListedRule>, NetlinkError> {
        let request = Request::list(message::GET_RULE, family, |encoder| {
            encoder.text(rule::TABLE, table);
        });
        let listing = self.list(request, message::NEW_RULE, Some(table))?;
        listing.decode_of_table(table, ListedRule::decode)
    }

    /// The sets and maps of a table, anonymous ones included; none if there is no such
    /// table.
    pub fn sets(&mut self, family: Family, table: &str) -> Result<Vec<Set>, NetlinkError> {
        let request = Request::list(message::GET_SET, family, |encoder| {
            encoder.text(set::TABLE, table);
        });
        let listing = self.list(request, message::NEW_SET, Some(table))?;
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
        let listing = self.list(request, message::NEW_ELEMENTS, Some(table))?;
        let mut count: usize = 0;
        for element in listing.attributes().flat_map(ElementView::all) {
            visit(listing.check(element)?);
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    /// Sends a request and collects the answers of one kind, again and again until no
    /// transaction was under way meanwhile, or until nothing has changed of a table, if one
    /// is given, from one time to the next.
    ///
    /// The kernel lists a set in pieces, and finds the next piece by the number of elements
    /// before it. A transaction puts its elements among them before it is committed, and
    /// takes the old ones out after the generation has changed. So a listing beside one may
    /// repeat elements or lack some, and nothing in it says so. But other programs may change
    /// tables of their own without a pause, and a transaction that is over before the next
    /// listing begins cannot distort two of them alike.
    fn list(
        &mut self,
        mut request: Request,
        wanted: u16,
        table: Option<&str>,
    ) -> Result<Listing, NetlinkError> {
        let mut listing = Listing::of(&request);
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let before = self.generation()?;
            self.wait_for_transactions()?;
            let progress = self.ask(&mut request, wanted, &mut listing)?;
            self.wait_for_transactions()?;
            if progress == Progress::Complete && self.generation()? == before {
                return Ok(listing);
            }
            let this = match progress {
                Progress::Complete | Progress::Disturbed => Some(listing.digest(table)),
                Progress::Interrupted => None,
            };
            if table.is_some() && this.is_some() && this == last {
                return Ok(listing);
            }
            last = this;
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
        let mut reader = Reader::new(request, wanted);
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

    /// What tells two listings of a table's objects apart.
    fn digest(&self, table: Option<&str>) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.in_table(table).for_each(|attributes| hasher.write(attributes));
        hasher.finish()
    }

    /// The objects in a table, or in all.
    fn in_table(&self, table: Option<&str>) -> impl Iterator<Item = &[u8]> {
        let is_in_it = move |attributes: &&[u8]| {
            table.is_none_or(|table| find_text(attributes, chain::TABLE).as_deref() == Some(table))
        };
        self.attributes().filter(is_in_it)
    }

    /// The objects in one table. Those of other tables are not even decoded: they are not
    /// ours to understand.
    fn decode_of_table<T>(
        &self,
        table: &str,
        decode: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        self.in_table(Some(table)).map(|attributes| self.check(decode(attributes))).collect()
    }

    fn check<T>(&self, decoded: Option<T>) -> Result<T, NetlinkError> {
        decoded.ok_or_else(|| NetlinkError::malformed(&self.action))
    }
}

/// Chains, rules, sets and elements have the name of their table in the same place.
const _: () = assert!(chain::TABLE == rule::TABLE && rule::TABLE == set::TABLE);
const _: () = assert!(set::TABLE == element_list::TABLE);

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
