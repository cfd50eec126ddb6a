//! Statements as objects of nft JSON.

use std::collections::HashSet;

use nftables::expr::{BinaryOperation, Elem, Expression, FibFlag, MetaKey, NamedExpression, Range};
use nftables::stmt::{
    self, JumpTarget, Mangle, Match, NAT, NATFamily, NATFlag, Operator, Reject, RejectType, SetOp,
    VerdictMap,
};
use nftables::types::RejectCode;
use portolan_core::Family;

use super::expression::{
    address, address_type, client_key, concatenation, connection, frontend_key, looked_up, meta,
    network, numgen, operation, payload, seat_key, set, slot_key, text,
};
use crate::chain_name::EntryKind;
use crate::container::{Container, FIRST_SLOT};
use crate::statement::Statement;

/// The statements of a rule. nft leaves out the match on TCP where a TCP reset implies it.
pub(super) fn statements(rule: &[Statement], family: Family) -> Vec<stmt::Statement<'_>> {
    let next = rule.iter().skip(1).map(Some).chain([None]);
    let is_implied = |statement: &Statement, next: Option<&Statement>| {
        *statement == Statement::Tcp && next == Some(&Statement::RejectWithReset)
    };
    let kept = rule.iter().zip(next).filter(|(statement, next)| !is_implied(statement, *next));
    kept.map(|(statement, _)| convert(statement, family)).collect()
}

fn convert(statement: &Statement, family: Family) -> stmt::Statement<'_> {
    let source = || address(family, "saddr");
    let destination = || address(family, "daddr");
    match statement {
        Statement::Source { net, negated } => compare(source(), network(net), *negated),
        Statement::Destination { net, negated } => compare(destination(), network(net), *negated),
        Statement::InputInterface { name, prefix, negated } => {
            let star = if *prefix { "*" } else { "" };
            compare(meta(MetaKey::Iifname), text(format!("{name}{star}")), *negated)
        }
        Statement::SourceIsLocal => equal(address_type(FibFlag::Saddr), text("local")),
        Statement::DestinationIsLocal => equal(address_type(FibFlag::Daddr), text("local")),
        Statement::DestinationIsRemote => {
            compare(address_type(FibFlag::Daddr), text("local"), true)
        }
        Statement::DestinationIn(container) => equal(destination(), set(*container)),
        Statement::PairIn(container) => {
            equal(concatenation(vec![source(), destination()]), set(*container))
        }
        Statement::ClientIn(container) => {
            let mut key = frontend_key(family, EntryKind::Address);
            key.push(source());
            equal(concatenation(key), set(*container))
        }
        Statement::SourcePortAbove1023(protocol) => {
            let port = payload(protocol.lower_case(), "sport");
            matched(port, Operator::GEQ, Expression::Number(1024))
        }
        Statement::Tcp => equal(meta(MetaKey::L4proto), text("tcp")),
        Statement::BeginsTcp => matched(payload("tcp", "flags"), Operator::IN, text("syn")),
        Statement::Translated => matched(connection("status"), Operator::IN, text("dnat")),
        Statement::Marked(bit) => marked(meta(MetaKey::Mark), Expression::Number(*bit)),
        Statement::Mark(bit) => change_mark(meta(MetaKey::Mark), or, *bit),
        Statement::ConnectionMarked(bit) if bit.is_power_of_two() => {
            marked(connection("mark"), Expression::Number(*bit))
        }
        Statement::ConnectionMarked(bits) => {
            let marks = BinaryOperation::AND(connection("mark"), Expression::Number(*bits));
            compare(operation(marks), Expression::Number(0), true)
        }
        Statement::MarkConnection(bit) => change_mark(connection("mark"), or, *bit),
        Statement::Forth => equal(connection("direction"), text("original")),
        Statement::Unmark(bit) => change_mark(meta(MetaKey::Mark), BinaryOperation::XOR, *bit),
        Statement::Dispatch(kind) => {
            let key = concatenation(frontend_key(family, *kind));
            stmt::Statement::VerdictMap(VerdictMap { key, data: set(Container::Verdicts(*kind)) })
        }
        Statement::Balance { kind, pool, slots } => translate(
            family,
            looked_up(slot_key(family, *kind, *slots), Container::Endpoints(*kind, *pool)),
        ),
        Statement::RecallSeat(kind, pool) => {
            let key = concatenation(client_key(family, *kind));
            set_priority(looked_up(key, Container::Affinity(*kind, *pool)))
        }
        Statement::DrawSlot { slots } => set_priority(numgen(*slots, FIRST_SLOT)),
        Statement::FindSeat(kind, pool) => {
            set_priority(looked_up(seat_key(family, *kind), Container::Seats(*kind, *pool)))
        }
        Statement::RememberSeat { kind, pool, timeout } => {
            remember(client_key(family, *kind), Container::Affinity(*kind, *pool), *timeout)
        }
        Statement::TranslateToSeat(kind, pool) => translate(
            family,
            looked_up(seat_key(family, *kind), Container::SeatedEndpoints(*kind, *pool)),
        ),
        Statement::Goto(chain) => {
            stmt::Statement::Goto(JumpTarget { target: chain.as_str().into() })
        }
        Statement::RejectWithReset => reject(RejectType::TCPReset, None),
        Statement::Reject => reject(icmp(family), Some(RejectCode::PortUnreach)),
        Statement::Drop => stmt::Statement::Drop(None),
        Statement::Accept => stmt::Statement::Accept(None),
        Statement::Masquerade(ports) => masquerade(*ports),
    }
}

fn matched<'a>(left: Expression<'a>, op: Operator, right: Expression<'a>) -> stmt::Statement<'a> {
    stmt::Statement::Match(Match { left, right, op })
}

fn equal<'a>(left: Expression<'a>, right: Expression<'a>) -> stmt::Statement<'a> {
    matched(left, Operator::EQ, right)
}

fn compare<'a>(left: Expression<'a>, right: Expression<'a>, negated: bool) -> stmt::Statement<'a> {
    matched(left, if negated { Operator::NEQ } else { Operator::EQ }, right)
}

fn marked<'a>(mark: Expression<'a>, bit: Expression<'a>) -> stmt::Statement<'a> {
    equal(operation(BinaryOperation::AND(mark, bit.clone())), bit)
}

fn or<'a>(mark: Expression<'a>, bit: Expression<'a>) -> BinaryOperation<'a> {
    BinaryOperation::OR(vec![mark, bit])
}

fn change_mark<'a>(
    mark: Expression<'a>,
    change: impl FnOnce(Expression<'a>, Expression<'a>) -> BinaryOperation<'a>,
    bit: u32,
) -> stmt::Statement<'a> {
    let value = operation(change(mark.clone(), Expression::Number(bit)));
    stmt::Statement::Mangle(Mangle { key: mark, value })
}

fn translate(family: Family, endpoint: Expression<'_>) -> stmt::Statement<'_> {
    let family = Some(match family {
        Family::V4 => NATFamily::IP,
        Family::V6 => NATFamily::IP6,
    });
    stmt::Statement::DNAT(Some(NAT { addr: Some(endpoint), family, port: None, flags: None }))
}

fn masquerade<'a>(ports: Option<(u16, u16)>) -> stmt::Statement<'a> {
    let port = ports.map(|(first, last)| {
        let range = [first, last].map(|port| Expression::Number(port.into()));
        Expression::Range(Box::new(Range { range }))
    });
    let flags = Some(HashSet::from([NATFlag::FullyRandom]));
    stmt::Statement::Masquerade(Some(NAT { addr: None, family: None, port, flags }))
}

fn set_priority(value: Expression<'_>) -> stmt::Statement<'_> {
    stmt::Statement::Mangle(Mangle { key: meta(MetaKey::Priority), value })
}

/// The crate has words for what adds to a set only; `nft_form` makes it add to a map.
fn remember<'a>(
    key: Vec<Expression<'a>>,
    container: Container,
    timeout: u64,
) -> stmt::Statement<'a> {
    let elem = Expression::Named(NamedExpression::Elem(Elem {
        val: Box::new(concatenation(key)),
        timeout: u32::try_from(timeout / 1000).ok(),
        ..Elem::default()
    }));
    let set = format!("@{}", container.name()).into();
    stmt::Statement::Set(stmt::Set { op: SetOp::Update, elem, set })
}

fn reject<'a>(kind: RejectType, code: Option<RejectCode>) -> stmt::Statement<'a> {
    stmt::Statement::Reject(Some(Reject::new(Some(kind), code)))
}

const fn icmp(family: Family) -> RejectType {
    match family {
        Family::V4 => RejectType::ICMP,
        Family::V6 => RejectType::ICMPv6,
    }
}
