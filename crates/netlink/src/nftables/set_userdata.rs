//! What nft writes beside a set to be able to list it: byte orders, the expressions that
//! the fields stand for (`typeof`), the comment. Without it nft cannot name a
//! [`Field::Slot`], and the listing of the set could not be loaded again.
//!
//! The bytes are those of nft 1.0.6 (`netlink_linearize_set` and the `udata` functions of
//! its expressions).

use super::field::{ByteOrder, Field};
use super::set::{Set, SetData};
use super::uapi::USERDATA_MAX;
use super::userdata::{self, put, put_comment};

/// Entries of a set's user data (`NFTNL_UDATA_SET_*`).
const KEY_BYTE_ORDER: u8 = 0;
const DATA_BYTE_ORDER: u8 = 1;
const KEY_TYPEOF: u8 = 3;
const DATA_TYPEOF: u8 = 4;
const DATA_INTERVAL: u8 = 6;
const COMMENT: u8 = 7;

/// Entries of a `typeof` (`NFTNL_UDATA_SET_TYPEOF_*`).
const EXPRESSION: u8 = 0;
const EXPRESSION_DATA: u8 = 1;

/// Kinds of expressions (`enum expr_types` of nft).
const VERDICT: u32 = 1;
const PAYLOAD: u32 = 7;
const META: u32 = 9;
const CONCATENATION: u32 = 13;
const NUMGEN: u32 = 23;

/// The user data of a set.
pub(super) fn encode(set: &Set) -> Vec<u8> {
    let mut buffer = types(set, true);
    if buffer.len() > USERDATA_MAX {
        buffer = types(set, false);
    }
    if let Some(comment) = &set.comment {
        put_comment(&mut buffer, COMMENT, comment, USERDATA_MAX);
    }
    buffer
}

/// The comment in the user data of a set.
pub(super) fn comment(data: Option<&[u8]>) -> Option<String> {
    userdata::text(data, COMMENT)
}

/// Everything but the comment.
fn types(set: &Set, with_typeof: bool) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(USERDATA_MAX);
    put_number(&mut buffer, KEY_BYTE_ORDER, byte_order(&set.key));
    if let Some(data) = &set.data {
        put_number(&mut buffer, DATA_BYTE_ORDER, data_byte_order(data));
    }
    if with_typeof {
        put_typeof(&mut buffer, set);
    }
    if set.data.is_some() {
        put_number(&mut buffer, DATA_INTERVAL, 0);
    }
    buffer
}

/// nft writes the expressions of a set that was declared with `typeof`. One declared with
/// `type` gets the mere mention of concatenations.
fn put_typeof(buffer: &mut Vec<u8>, set: &Set) {
    let data = match &set.data {
        Some(SetData::Fields(fields)) => fields.as_slice(),
        Some(SetData::Verdict) | None => &[],
    };
    let expressions = set.key.iter().chain(data).any(|field| *field == Field::Slot);
    if let Some(content) = type_of(&set.key, expressions) {
        put(buffer, KEY_TYPEOF, &content);
    }
    let content = match set.data {
        Some(SetData::Verdict) if expressions => Some(expression(VERDICT, &[])),
        _ => type_of(data, expressions),
    };
    if let Some(content) = content {
        put(buffer, DATA_TYPEOF, &content);
    }
}

fn type_of(fields: &[Field], expressions: bool) -> Option<Vec<u8>> {
    match (fields, expressions) {
        ([] | [_], false) | ([], true) => None,
        ([single], true) => field_expression(*single),
        (_, false) => Some(expression(CONCATENATION, &[])),
        (several, true) => {
            let mut inner = Vec::new();
            for (position, field) in (0..).zip(several) {
                put(&mut inner, position, &field_expression(*field)?);
            }
            Some(expression(CONCATENATION, &inner))
        }
    }
}

/// The expression that Portolan's rules take a field from.
fn field_expression(field: Field) -> Option<Vec<u8>> {
    Some(match field {
        Field::Ipv4Address => payload(12, 12),
        Field::Ipv6Address => payload(13, 9),
        Field::Port => payload(11, 2),
        Field::Protocol => meta(super::MetaKey::Protocol),
        Field::InterfaceName => meta(super::MetaKey::InputInterfaceName),
        Field::Priority => meta(super::MetaKey::Priority),
        // The modulus only has to be more than one for nft to print and read it.
        Field::Slot => expression(NUMGEN, &numbers(&[1, 2, 0])),
        Field::Other { .. } => return None,
    })
}

/// A header field: nft's number of the header (`enum proto_desc_id`: transport 11, IPv4 12,
/// IPv6 13) and of the field in it (here destination address or port).
fn payload(header: u32, field: u32) -> Vec<u8> {
    expression(PAYLOAD, &numbers(&[header, field]))
}

fn meta(key: super::MetaKey) -> Vec<u8> {
    expression(META, &numbers(&[key.number()]))
}

fn expression(kind: u32, content: &[u8]) -> Vec<u8> {
    let mut buffer = Vec::new();
    put_number(&mut buffer, EXPRESSION, kind);
    put(&mut buffer, EXPRESSION_DATA, content);
    buffer
}

/// Entries numbered from zero.
fn numbers(values: &[u32]) -> Vec<u8> {
    let mut buffer = Vec::new();
    for (kind, value) in (0..).zip(values) {
        put_number(&mut buffer, kind, *value);
    }
    buffer
}

fn put_number(buffer: &mut Vec<u8>, kind: u8, number: u32) {
    put(buffer, kind, &number.to_ne_bytes());
}

fn byte_order(fields: &[Field]) -> u32 {
    match fields {
        [single] => single.properties().byte_order as u32,
        _ => ByteOrder::None as u32,
    }
}

fn data_byte_order(data: &SetData) -> u32 {
    match data {
        SetData::Verdict => ByteOrder::None as u32,
        SetData::Fields(fields) => byte_order(fields),
    }
}

#[cfg(test)]
#[path = "set_userdata_tests.rs"]
mod tests;
