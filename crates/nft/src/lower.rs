//! Statements as bytecode: the expressions that nft emits for the same text.

mod affinity;
mod marks;
mod packet;
mod translate;

use portolan_core::{Family, Protocol};
use portolan_netlink::nftables::{
    self, Comparison, CtKey, Expression, FibFlags, FibResult, MetaKey, OwnedVerdict, Register,
    RejectWith,
};

use self::marks::{bitwise, change_mark};
use self::packet::{Side, begins_tcp, input_interface, source_port_above_1023};
use self::translate::masquerade;
use crate::chain_name::EntryKind;
use crate::container::Container;
use crate::statement::Statement;

/// `RTN_LOCAL` of `linux/rtnetlink.h`: an address of this node.
const LOCAL_ADDRESS: u32 = 2;

/// `IPS_CONFIRMED` of `linux/netfilter/nf_conntrack_common.h`.
const CONFIRMED: u32 = 1 << 3;

/// `IPS_DST_NAT` of the same.
const DESTINATION_TRANSLATED: u32 = 1 << 5;

const FIRST: Register = Register::Word(0);

/// The family of the kernel's tables.
pub(crate) const fn kernel_family(family: Family) -> nftables::Family {
    match family {
        Family::V4 => nftables::Family::Ip,
        Family::V6 => nftables::Family::Ip6,
    }
}

/// The bytecode of a rule.
pub(crate) fn lower(rule: &[Statement], family: Family) -> nftables::Rule {
    let lowering = Lowering { family };
    let expressions = rule.iter().flat_map(|statement| lowering.statement(statement)).collect();
    nftables::Rule { expressions, comment: None }
}

struct Lowering {
    family: Family,
}

impl Lowering {
    fn statement(&self, statement: &Statement) -> Vec<Expression> {
        match statement {
            Statement::Source { net, negated } => self.network(Side::Source, net, *negated),
            Statement::Destination { net, negated } => {
                self.network(Side::Destination, net, *negated)
            }
            Statement::InputInterface { name, prefix, negated } => {
                input_interface(name, *prefix, *negated)
            }
            Statement::SourceIsLocal => is_local(FibFlags::SOURCE, false),
            Statement::DestinationIsLocal => is_local(FibFlags::DESTINATION, false),
            Statement::DestinationIsRemote => is_local(FibFlags::DESTINATION, true),
            Statement::DestinationIn(container) => {
                vec![self.address(Side::Destination, 0), lookup(container.name(), None)]
            }
            Statement::PairIn(container) => vec![
                self.address(Side::Source, 0),
                self.address(Side::Destination, self.address_words()),
                lookup(container.name(), None),
            ],
            Statement::ClientIn(container) => {
                let (mut expressions, word) = self.frontend(EntryKind::Address);
                expressions.push(self.address(Side::Source, word));
                expressions.push(lookup(container.name(), None));
                expressions
            }
            Statement::SourcePortAbove1023(protocol) => source_port_above_1023(*protocol),
            Statement::Tcp => vec![
                Expression::Meta { key: MetaKey::Protocol, register: FIRST },
                compare(false, vec![Protocol::Tcp.number()]),
            ],
            Statement::BeginsTcp => begins_tcp(),
            Statement::Translated => has_status(DESTINATION_TRANSLATED),
            Statement::Known => has_status(CONFIRMED),
            Statement::Marked(bit) => marks::marked(*bit),
            Statement::Mark(bit) => change_mark(!bit, *bit),
            Statement::Unmark(bit) => change_mark(u32::MAX, *bit),
            Statement::ConnectionMarked(bit) => marks::connection_marked(*bit),
            Statement::MarkConnection(bit) => marks::mark_connection(*bit),
            Statement::Forth => vec![
                Expression::CtLoad { key: CtKey::Direction, register: FIRST },
                compare(false, vec![0]),
            ],
            Statement::Dispatch(kind) => {
                let mut expressions = self.frontend(*kind).0;
                expressions
                    .push(lookup(Container::Verdicts(*kind).name(), Some(Register::Verdict)));
                expressions
            }
            Statement::Balance { kind, pool, part, slots } => {
                self.balance(*kind, Container::Endpoints(*kind, *pool, *part).name(), *slots)
            }
            Statement::RecallSeat(..)
            | Statement::DrawSlot { .. }
            | Statement::FindSeat(..)
            | Statement::RememberSeat { .. }
            | Statement::TranslateToSeat(..) => self.affinity(statement),
            Statement::Goto(chain) => vec![Expression::Verdict(OwnedVerdict::Goto(chain.clone()))],
            Statement::RejectWithReset => vec![Expression::Reject(RejectWith::TcpReset)],
            Statement::Reject => vec![Expression::Reject(self.port_unreachable())],
            Statement::Drop => vec![Expression::Verdict(OwnedVerdict::Drop)],
            Statement::Accept => vec![Expression::Verdict(OwnedVerdict::Accept)],
            Statement::Masquerade(ports) => masquerade(*ports),
        }
    }

    /// The code of "port unreachable" in ICMP and ICMPv6.
    const fn port_unreachable(&self) -> RejectWith {
        RejectWith::IcmpUnreachable(match self.family {
            Family::V4 => 3,
            Family::V6 => 4,
        })
    }
}

fn compare(negated: bool, value: Vec<u8>) -> Expression {
    let comparison = if negated { Comparison::NotEqual } else { Comparison::Equal };
    Expression::Cmp { comparison, register: FIRST, value }
}

fn lookup(set: &str, destination: Option<Register>) -> Expression {
    Expression::Lookup { set: set.to_owned(), register: FIRST, destination, inverted: false }
}

fn is_local(flags: FibFlags, negated: bool) -> Vec<Expression> {
    vec![
        Expression::Fib { flags, result: FibResult::AddressType, register: FIRST },
        compare(negated, LOCAL_ADDRESS.to_ne_bytes().to_vec()),
    ]
}

fn has_status(bit: u32) -> Vec<Expression> {
    vec![
        Expression::CtLoad { key: CtKey::Status, register: FIRST },
        bitwise(bit, 0),
        compare(true, vec![0; 4]),
    ]
}
