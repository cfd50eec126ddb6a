//! How many elements a set holds, without listing them.

use super::listing::{Listing, Progress, Request};
use super::uapi::{message, set};
use super::{Connection, Family};
use crate::NetlinkError;
use crate::wire::attribute::AttributeSet;

impl Connection {
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
}
