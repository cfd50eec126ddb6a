//! Statements as objects of nft JSON.

use std::collections::HashSet;

use nftables::expr::{BinaryOperation, Expression, FibFlag, MetaKey};
use nftables::stmt::{
    self, JumpTarget, Mangle, Match, NAT, NATFamily, NATFlag, Operator, Reject, RejectType,
    VerdictMap,
};
use nftables::types::RejectCode;
use portolan_core::Family;

use super::expression::{
    address, address_type, concatenation, connection_status, frontend_key, looked_up, meta,
    network, operation, set, slot_key, text,
};
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
        Statement::Tcp => equal(meta(MetaKey::L4proto), text("tcp")),
        Statement::Translated => matched(connection_status(), Operator::IN, text("dnat")),
        Statement::Marked(bit) => marked(Expression::Number(*bit)),
        Statement::Mark(bit) => change_mark(|mark, bit| BinaryOperation::OR(vec![mark, bit]), *bit),
        Statement::Unmark(bit) => change_mark(BinaryOperation::XOR, *bit),
        Statement::Dispatch(kind) => {
            let key = concatenation(frontend_key(family, *kind));
            stmt::Statement::VerdictMap(VerdictMap { key, data: set(kind.verdicts()) })
        }
        Statement::Balance { kind, pool, slots } => {
            translate(family, looked_up(slot_key(family, *kind, *slots), kind.endpoints(*pool)))
        }
        Statement::Goto(chain) => {
            stmt::Statement::Goto(JumpTarget { target: chain.as_str().into() })
        }
        Statement::RejectWithReset => reject(RejectType::TCPReset, None),
        Statement::Reject => reject(icmp(family), Some(RejectCode::PortUnreach)),
        Statement::Drop => stmt::Statement::Drop(None),
        Statement::Masquerade => masquerade(),
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

fn marked(bit: Expression<'_>) -> stmt::Statement<'_> {
    equal(operation(BinaryOperation::AND(meta(MetaKey::Mark), bit.clone())), bit)
}

fn change_mark<'a>(
    change: impl FnOnce(Expression<'a>, Expression<'a>) -> BinaryOperation<'a>,
    bit: u32,
) -> stmt::Statement<'a> {
    let value = operation(change(meta(MetaKey::Mark), Expression::Number(bit)));
    stmt::Statement::Mangle(Mangle { key: meta(MetaKey::Mark), value })
}

fn translate(family: Family, endpoint: Expression<'_>) -> stmt::Statement<'_> {
    let family = Some(match family {
        Family::V4 => NATFamily::IP,
        Family::V6 => NATFamily::IP6,
    });
    stmt::Statement::DNAT(Some(NAT { addr: Some(endpoint), family, port: None, flags: None }))
}

fn masquerade<'a>() -> stmt::Statement<'a> {
    let flags = Some(HashSet::from([NATFlag::FullyRandom]));
    stmt::Statement::Masquerade(Some(NAT { addr: None, family: None, port: None, flags }))
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
