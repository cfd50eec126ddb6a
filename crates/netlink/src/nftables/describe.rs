//! Says in words what a request asks for.

use super::Family;
use super::uapi::{chain, element_list, message, rule, set, table};
use crate::wire::attribute::find_text;
use crate::wire::message::Message;

/// A verb phrase that names the object, e.g. `add a rule to chain lb-3 of table ip portolan`.
/// The request may be one that could not be written to its end.
pub(super) fn request(request: &Message<'_>) -> String {
    let Some((family, _, attributes)) = request.netfilter() else {
        return "make a request".to_owned();
    };
    let (verb, kind) = phrase(request.kind);
    let text = |kind| find_text(attributes, kind).unwrap_or_default();
    let family = Family::from_number(u32::from(family));
    let family = family.map_or_else(|| "?".to_owned(), |family| family.to_string());
    match kind {
        Kind::Frame => verb.to_owned(),
        Kind::Table => format!("{verb} {family} {}", text(table::NAME)),
        Kind::Object(name, table) => {
            format!("{verb} {} of table {family} {}", text(name), text(table))
        }
    }
}

/// What a kind of request is about.
#[derive(Clone, Copy)]
enum Kind {
    Frame,
    Table,
    /// The attributes that hold the object's and the table's name.
    Object(u16, u16),
}

fn phrase(kind: u16) -> (&'static str, Kind) {
    const CHAIN: Kind = Kind::Object(chain::NAME, chain::TABLE);
    const RULE: Kind = Kind::Object(rule::CHAIN, rule::TABLE);
    const SET: Kind = Kind::Object(set::NAME, set::TABLE);
    const ELEMENTS: Kind = Kind::Object(element_list::SET, element_list::TABLE);
    match kind {
        message::NEW_TABLE => ("add table", Kind::Table),
        message::GET_TABLE => ("list tables", Kind::Frame),
        message::DELETE_TABLE => ("delete table", Kind::Table),
        message::NEW_CHAIN => ("add chain", CHAIN),
        message::GET_CHAIN => ("list chains", Kind::Frame),
        message::DELETE_CHAIN => ("delete chain", CHAIN),
        message::NEW_RULE => ("add a rule to chain", RULE),
        message::GET_RULE => ("list rules", Kind::Frame),
        message::DELETE_RULE => ("delete rules from chain", RULE),
        message::NEW_SET => ("add set", SET),
        message::GET_SET => ("list sets", Kind::Frame),
        message::DELETE_SET => ("delete set", SET),
        message::NEW_ELEMENTS => ("add elements to set", ELEMENTS),
        message::GET_ELEMENTS => ("list the elements of set", ELEMENTS),
        message::DELETE_ELEMENTS => ("delete elements from set", ELEMENTS),
        message::GET_GENERATION => ("read the generation of the tables", Kind::Frame),
        _ => ("commit a transaction", Kind::Frame),
    }
}
