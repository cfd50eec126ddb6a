//! Statements as bytecode: the expressions that nft emits for the same text.

mod affinity;

use std::net::IpAddr;

use ipnet::IpNet;
use portolan_core::{Family, Protocol};
use portolan_netlink::nftables::{
    self, Comparison, CtKey, Expression, FibFlags, FibResult, MetaKey, NatFlags, NatKind,
    OwnedVerdict, PayloadBase, PortRange, Register, RejectWith,
};

use crate::chain_name::EntryKind;
use crate::container::Container;
use crate::statement::Statement;

/// `RTN_LOCAL` of `linux/rtnetlink.h`: an address of this node.
const LOCAL_ADDRESS: u32 = 2;

/// `IPS_DST_NAT` of `linux/netfilter/nf_conntrack_common.h`.
const DESTINATION_TRANSLATED: u32 = 1 << 5;

/// Bytes of an interface name, final zeroes included (`IFNAMSIZ`).
const INTERFACE_NAME_LENGTH: usize = 16;

/// Offset of the destination port in TCP, UDP and SCTP headers.
const DESTINATION_PORT_OFFSET: u32 = 2;

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

/// One of the two addresses of a packet.
#[derive(Clone, Copy)]
enum Side {
    Source,
    Destination,
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
            Statement::Translated => translated(),
            Statement::Marked(bit) => {
                vec![load_mark(), bitwise(*bit, 0), compare(false, bit.to_ne_bytes().to_vec())]
            }
            Statement::Mark(bit) => change_mark(!bit, *bit),
            Statement::Unmark(bit) => change_mark(u32::MAX, *bit),
            Statement::ConnectionMarked(bit) => vec![
                Expression::CtLoad { key: CtKey::Mark, register: FIRST },
                bitwise(*bit, 0),
                compare(false, bit.to_ne_bytes().to_vec()),
            ],
            Statement::MarkConnection(bit) => vec![
                Expression::CtLoad { key: CtKey::Mark, register: FIRST },
                bitwise(!bit, *bit),
                Expression::CtSet { key: CtKey::Mark, register: FIRST },
            ],
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
            Statement::Balance { kind, pool, slots } => {
                self.balance(*kind, Container::Endpoints(*kind, *pool).name(), *slots)
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

    /// Registers of 4 bytes that an address fills.
    const fn address_words(&self) -> u8 {
        match self.family {
            Family::V4 => 1,
            Family::V6 => 4,
        }
    }

    const fn address_length(&self) -> u32 {
        self.address_words() as u32 * 4
    }

    /// Offset of an address in the IPv4 or IPv6 header.
    const fn address_offset(&self, side: Side) -> u32 {
        match (self.family, side) {
            (Family::V4, Side::Source) => 12,
            (Family::V4, Side::Destination) => 16,
            (Family::V6, Side::Source) => 8,
            (Family::V6, Side::Destination) => 24,
        }
    }

    fn address(&self, side: Side, word: u8) -> Expression {
        self.address_part(side, self.address_length(), word)
    }

    fn address_part(&self, side: Side, length: u32, word: u8) -> Expression {
        Expression::Payload {
            base: PayloadBase::Network,
            offset: self.address_offset(side),
            length,
            register: Register::Word(word),
        }
    }

    /// nft compares only the leading bytes where the prefix ends with one.
    fn network(&self, side: Side, net: &IpNet, negated: bool) -> Vec<Expression> {
        let prefix = usize::from(net.prefix_len());
        let address = octets(net.network());
        if prefix % 8 == 0 {
            let value: Vec<u8> = address.into_iter().take(prefix / 8).collect();
            let length = u32::from(net.prefix_len() / 8);
            return vec![self.address_part(side, length, 0), compare(negated, value)];
        }
        let mask = octets(net.netmask());
        let xor = vec![0; mask.len()];
        let masked = Expression::Bitwise { source: FIRST, destination: FIRST, mask, xor };
        vec![self.address(side, 0), masked, compare(negated, address)]
    }

    /// Loads a frontend's key; also returns the next free register.
    fn frontend(&self, kind: EntryKind) -> (Vec<Expression>, u8) {
        self.frontend_from(kind, 0)
    }

    fn frontend_from(&self, kind: EntryKind, first: u8) -> (Vec<Expression>, u8) {
        let (mut expressions, word) = match kind {
            EntryKind::Address => {
                let address = self.address(Side::Destination, first);
                (vec![address], first + self.address_words())
            }
            EntryKind::NodePort => (Vec::new(), first),
        };
        expressions
            .push(Expression::Meta { key: MetaKey::Protocol, register: Register::Word(word) });
        expressions.push(Expression::Payload {
            base: PayloadBase::Transport,
            offset: DESTINATION_PORT_OFFSET,
            length: 2,
            register: Register::Word(word + 1),
        });
        (expressions, word + 2)
    }

    fn balance(&self, kind: EntryKind, map: &str, slots: u32) -> Vec<Expression> {
        let (mut expressions, word) = self.frontend(kind);
        let register = Register::Word(word);
        expressions.push(Expression::Numgen { modulus: slots, offset: 0, register });
        expressions.push(lookup(map, Some(FIRST)));
        expressions.push(self.translate());
        expressions
    }

    /// Translates to the endpoint in the first registers.
    fn translate(&self) -> Expression {
        Expression::Nat {
            kind: NatKind::Destination,
            family: kernel_family(self.family),
            address: Some(FIRST),
            port: Some(Register::Word(self.address_words())),
            flags: NatFlags::default(),
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

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
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

fn translated() -> Vec<Expression> {
    vec![
        Expression::CtLoad { key: CtKey::Status, register: FIRST },
        bitwise(DESTINATION_TRANSLATED, 0),
        compare(true, vec![0; 4]),
    ]
}

/// `TCP_FLAG_SYN` of `linux/tcp.h`, in the byte of the flags.
fn begins_tcp() -> Vec<Expression> {
    const FLAGS_OFFSET: u32 = 13;
    const SYN: u8 = 1 << 1;
    vec![
        Expression::Meta { key: MetaKey::Protocol, register: FIRST },
        compare(false, vec![Protocol::Tcp.number()]),
        Expression::Payload {
            base: PayloadBase::Transport,
            offset: FLAGS_OFFSET,
            length: 1,
            register: FIRST,
        },
        Expression::Bitwise { source: FIRST, destination: FIRST, mask: vec![SYN], xor: vec![0] },
        compare(true, vec![0]),
    ]
}

fn input_interface(name: &str, prefix: bool, negated: bool) -> Vec<Expression> {
    let mut value = name.as_bytes().to_vec();
    if !prefix {
        value.resize(INTERFACE_NAME_LENGTH, 0);
    }
    vec![
        Expression::Meta { key: MetaKey::InputInterfaceName, register: FIRST },
        compare(negated, value),
    ]
}

fn load_mark() -> Expression {
    Expression::Meta { key: MetaKey::Mark, register: FIRST }
}

fn bitwise(mask: u32, xor: u32) -> Expression {
    Expression::Bitwise {
        source: FIRST,
        destination: FIRST,
        mask: mask.to_ne_bytes().to_vec(),
        xor: xor.to_ne_bytes().to_vec(),
    }
}

fn change_mark(mask: u32, xor: u32) -> Vec<Expression> {
    vec![
        load_mark(),
        bitwise(mask, xor),
        Expression::MetaSet { key: MetaKey::Mark, register: FIRST },
    ]
}

fn source_port_above_1023(protocol: Protocol) -> Vec<Expression> {
    let (comparison, value) = (Comparison::GreaterOrEqual, 1024_u16.to_be_bytes().to_vec());
    vec![
        Expression::Meta { key: MetaKey::Protocol, register: FIRST },
        compare(false, vec![protocol.number()]),
        Expression::Payload { base: PayloadBase::Transport, offset: 0, length: 2, register: FIRST },
        Expression::Cmp { comparison, register: FIRST, value },
    ]
}

/// nft puts the ends of the range into registers of 16 bytes.
fn masquerade(ports: Option<(u16, u16)>) -> Vec<Expression> {
    let flags = NatFlags::FULLY_RANDOM;
    let Some((first, last)) = ports else {
        return vec![Expression::Masquerade { flags, ports: None }];
    };
    let range = PortRange { first: FIRST, last: Register::Word(4) };
    let load = |register, port: u16| Expression::Immediate {
        register,
        value: port.to_be_bytes().to_vec(),
    };
    vec![
        load(range.first, first),
        load(range.last, last),
        Expression::Masquerade { flags, ports: Some(range) },
    ]
}
