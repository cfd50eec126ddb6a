//! What statements compare, look up and change, as expressions of nft JSON.

use std::borrow::Cow;
use std::collections::HashSet;

use ipnet::IpNet;
use nftables::expr::{
    BinaryOperation, CT, Expression, Fib, FibFlag, FibResult, Map, Meta, MetaKey, NamedExpression,
    NgMode, Numgen, Payload, PayloadField, Prefix,
};
use portolan_core::Family;

use crate::chain_name::EntryKind;
use crate::container::Container;
use crate::text::protocol;

/// A constant.
pub(super) fn text<'a>(text: impl Into<Cow<'a, str>>) -> Expression<'a> {
    Expression::String(text.into())
}

/// A container as a set that is looked into.
pub(super) fn set<'a>(container: Container) -> Expression<'a> {
    text(format!("@{}", container.name()))
}

/// A network; a host without its prefix length.
pub(super) fn network<'a>(net: &IpNet) -> Expression<'a> {
    let addr = text(net.addr().to_string());
    if net.prefix_len() == net.max_prefix_len() {
        return addr;
    }
    let len = net.prefix_len().into();
    Expression::Named(NamedExpression::Prefix(Prefix { addr: Box::new(addr), len }))
}

/// A field of the IP header: `saddr` or `daddr`.
pub(super) fn address<'a>(family: Family, field: &'static str) -> Expression<'a> {
    payload(protocol(family), field)
}

/// Metadata of the packet.
pub(super) fn meta<'a>(key: MetaKey) -> Expression<'a> {
    Expression::Named(NamedExpression::Meta(Meta { key }))
}

/// The type that the routing table gives to one of the packet's addresses.
pub(super) fn address_type<'a>(address: FibFlag) -> Expression<'a> {
    let flags = HashSet::from([address]);
    Expression::Named(NamedExpression::Fib(Fib { result: FibResult::Type, flags }))
}

/// Something known about the packet's connection.
pub(super) fn connection<'a>(key: &'static str) -> Expression<'a> {
    Expression::Named(NamedExpression::CT(CT { key: key.into(), family: None, dir: None }))
}

/// Arithmetic on bits.
pub(super) fn operation(operation: BinaryOperation<'_>) -> Expression<'_> {
    Expression::BinaryOperation(Box::new(operation))
}

/// Several fields as one key.
pub(super) fn concatenation(fields: Vec<Expression<'_>>) -> Expression<'_> {
    Expression::Named(NamedExpression::Concat(fields))
}

/// What a container maps a key to.
pub(super) fn looked_up(key: Expression<'_>, container: Container) -> Expression<'_> {
    Expression::Named(NamedExpression::Map(Box::new(Map { key, data: set(container) })))
}

/// What looks up a frontend of a kind, field by field.
pub(super) fn frontend_key<'a>(family: Family, kind: EntryKind) -> Vec<Expression<'a>> {
    let destination = match kind {
        EntryKind::Address => Some(address(family, "daddr")),
        EntryKind::NodePort => None,
    };
    let port = [meta(MetaKey::L4proto), payload("th", "dport")];
    destination.into_iter().chain(port).collect()
}

/// What looks up an endpoint in one of so many slots.
pub(super) fn slot_key<'a>(family: Family, kind: EntryKind, slots: u32) -> Expression<'a> {
    let mut fields = frontend_key(family, kind);
    fields.push(numgen(slots, 0));
    concatenation(fields)
}

/// A random number from `offset` on.
pub(super) fn numgen<'a>(count: u32, offset: u32) -> Expression<'a> {
    let numgen = Numgen { mode: NgMode::Random, ng_mod: count, offset: Some(offset) };
    Expression::Named(NamedExpression::Numgen(numgen))
}

/// What looks up a client of a frontend, field by field.
pub(super) fn client_key<'a>(family: Family, kind: EntryKind) -> Vec<Expression<'a>> {
    let mut fields = vec![address(family, "saddr")];
    fields.extend(frontend_key(family, kind));
    fields
}

/// What looks up a seat, or the number of a slot.
pub(super) fn seat_key<'a>(family: Family, kind: EntryKind) -> Expression<'a> {
    let mut fields = frontend_key(family, kind);
    fields.push(meta(MetaKey::Priority));
    concatenation(fields)
}

/// A field of a header.
pub(super) fn payload<'a>(protocol: &'static str, field: &'static str) -> Expression<'a> {
    let field = PayloadField { protocol: protocol.into(), field: field.into() };
    Expression::Named(NamedExpression::Payload(Payload::PayloadField(field)))
}
