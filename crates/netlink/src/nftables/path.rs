//! Finds the attribute that an extended acknowledgement points at, and names it as the
//! kernel's headers do.

use std::fmt::Write as _;

use super::uapi::{
    bitwise, chain, cmp, ct, data, dynset, element, element_list, expression, fib, hook, immediate,
    list, lookup, masquerade, message, meta, nat, numgen, payload, reject, rule, set,
    set_description, set_field, table, verdict,
};
use crate::wire::attribute::{self, Attribute, Attributes};
use crate::wire::message as framing;
use crate::wire::message::Message;

/// A place in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// E.g. `NFTA_SET_ELEM_LIST_ELEMENTS[3].NFTA_SET_ELEM_KEY`.
    pub(super) path: String,
    /// The name of the expression in which, or at which, the place is.
    pub(super) expression: Option<String>,
}

/// The attributes that one kind of object can have.
struct Space {
    name: fn(u16) -> Option<&'static str>,
    /// The space of the attributes in an attribute, by its kind and its siblings.
    inside: fn(u16, &[u8]) -> Option<&'static Space>,
    /// The attributes are entries of a list: they are numbered, not named.
    list: bool,
}

/// The place at `offset` bytes from the beginning of a request.
pub(super) fn locate(request: &Message<'_>, offset: usize) -> Option<Place> {
    let space = match request.kind {
        message::NEW_TABLE | message::DELETE_TABLE => &TABLE,
        message::NEW_CHAIN | message::DELETE_CHAIN => &CHAIN,
        message::NEW_RULE | message::DELETE_RULE => &RULE,
        message::NEW_SET | message::DELETE_SET => &SET,
        message::NEW_ELEMENTS | message::DELETE_ELEMENTS | message::GET_ELEMENTS => &ELEMENT_LIST,
        _ => return None,
    };
    let (_, _, attributes) = request.netfilter()?;
    let offset = offset.checked_sub(framing::HEADER.saturating_add(framing::FAMILY_HEADER))?;
    let mut place = Place { path: String::new(), expression: None };
    descend(space, attributes, offset, &mut place);
    Some(place).filter(|place| !place.path.is_empty())
}

/// Every level is one attribute deeper, so the depth is bounded by that of the spaces.
fn descend(space: &Space, bytes: &[u8], offset: usize, place: &mut Place) {
    let Some((index, found)) = containing(bytes, offset) else { return };
    push_step(space, index, found.kind, &mut place.path);
    if std::ptr::eq(space, &EXPRESSIONS) {
        place.expression = expression_name(found.payload);
    }
    let inner = found.start.saturating_add(attribute::HEADER);
    if let (Some(offset), Some(space)) =
        (offset.checked_sub(inner), (space.inside)(found.kind, bytes))
    {
        descend(space, found.payload, offset, place);
    }
}

/// The attribute in which the offset lies, and its number.
fn containing(bytes: &[u8], offset: usize) -> Option<(usize, Attribute<'_>)> {
    Attributes::new(bytes).map_while(|entry| entry).enumerate().find(|(_, entry)| {
        let end = entry.start.saturating_add(attribute::HEADER + entry.payload.len());
        (entry.start..end).contains(&offset)
    })
}

fn push_step(space: &Space, index: usize, kind: u16, path: &mut String) {
    let separator = if path.is_empty() { "" } else { "." };
    // Writing to a string cannot fail.
    let _ = match (space.list, (space.name)(kind)) {
        (true, _) => write!(path, "[{index}]"),
        (false, Some(name)) => write!(path, "{separator}{name}"),
        (false, None) => write!(path, "{separator}{kind}"),
    };
}

fn expression_name(bytes: &[u8]) -> Option<String> {
    attribute::find_text(bytes, expression::NAME).map(|name| name.into_owned())
}

/// The attributes of an expression's data, by the expression's name.
fn expression_data(siblings: &[u8]) -> Option<&'static Space> {
    Some(match expression_name(siblings)?.as_str() {
        "payload" => &PAYLOAD,
        "meta" => &META,
        "cmp" => &CMP,
        "bitwise" => &BITWISE,
        "immediate" => &IMMEDIATE,
        "lookup" => &LOOKUP,
        "dynset" => &DYNSET,
        "numgen" => &NUMGEN,
        "fib" => &FIB,
        "ct" => &CT,
        "nat" => &NAT,
        "masq" => &MASQUERADE,
        "reject" => &REJECT,
        _ => return None,
    })
}

/// Declares spaces: the module with the names, and which attribute holds which space.
macro_rules! spaces {
    ($($(#[$attribute:meta])* $SPACE:ident: $names:ident { $($kind:path => $inside:expr),* $(,)? })*) => {$(
        $(#[$attribute])*
        static $SPACE: Space = Space {
            name: $names::name,
            inside: |kind, _siblings| match kind {
                $($kind => $inside,)*
                _ => None,
            },
            list: false,
        };
    )*};
}

spaces! {
    TABLE: table {}
    CHAIN: chain { chain::HOOK => Some(&HOOK) }
    HOOK: hook {}
    RULE: rule { rule::EXPRESSIONS => Some(&EXPRESSIONS) }
    SET: set { set::DESC => Some(&SET_DESCRIPTION) }
    SET_DESCRIPTION: set_description { set_description::CONCAT => Some(&SET_FIELDS) }
    SET_FIELD: set_field {}
    ELEMENT_LIST: element_list { element_list::ELEMENTS => Some(&ELEMENTS) }
    ELEMENT: element {
        element::KEY => Some(&DATA),
        element::KEY_END => Some(&DATA),
        element::DATA => Some(&DATA),
    }
    DATA: data { data::VERDICT => Some(&VERDICT) }
    VERDICT: verdict {}
    PAYLOAD: payload {}
    META: meta {}
    CMP: cmp { cmp::DATA => Some(&DATA) }
    BITWISE: bitwise { bitwise::MASK => Some(&DATA), bitwise::XOR => Some(&DATA) }
    IMMEDIATE: immediate { immediate::DATA => Some(&DATA) }
    LOOKUP: lookup {}
    DYNSET: dynset {}
    NUMGEN: numgen {}
    FIB: fib {}
    CT: ct {}
    NAT: nat {}
    MASQUERADE: masquerade {}
    REJECT: reject {}
}

static EXPRESSION: Space = Space {
    name: expression::name,
    inside: |kind, siblings| {
        if kind == expression::DATA { expression_data(siblings) } else { None }
    },
    list: false,
};

static EXPRESSIONS: Space =
    Space { name: list::name, inside: |_, _| Some(&EXPRESSION), list: true };
static ELEMENTS: Space = Space { name: list::name, inside: |_, _| Some(&ELEMENT), list: true };
static SET_FIELDS: Space = Space { name: list::name, inside: |_, _| Some(&SET_FIELD), list: true };

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
