//! Headers of packets as bytecode: addresses, ports, protocols, interfaces.

use std::net::IpAddr;

use ipnet::IpNet;
use portolan_core::{Family, Protocol};
use portolan_netlink::nftables::{Comparison, Expression, MetaKey, PayloadBase, Register};

use super::{FIRST, Lowering, compare};
use crate::chain_name::EntryKind;

/// Bytes of an interface name, final zeroes included (`IFNAMSIZ`).
const INTERFACE_NAME_LENGTH: usize = 16;

/// Offset of the destination port in TCP, UDP and SCTP headers.
const DESTINATION_PORT_OFFSET: u32 = 2;

/// One of the two addresses of a packet.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Source,
    Destination,
}

impl Lowering {
    /// Registers of 4 bytes that an address fills.
    pub(super) const fn address_words(&self) -> u8 {
        match self.family {
            Family::V4 => 1,
            Family::V6 => 4,
        }
    }

    pub(super) const fn address_length(&self) -> u32 {
        self.address_words() as u32 * 4
    }

    /// Offset of an address in the IPv4 or IPv6 header.
    pub(super) const fn address_offset(&self, side: Side) -> u32 {
        match (self.family, side) {
            (Family::V4, Side::Source) => 12,
            (Family::V4, Side::Destination) => 16,
            (Family::V6, Side::Source) => 8,
            (Family::V6, Side::Destination) => 24,
        }
    }

    pub(super) fn address(&self, side: Side, word: u8) -> Expression {
        self.address_part(side, self.address_length(), word)
    }

    pub(super) fn address_part(&self, side: Side, length: u32, word: u8) -> Expression {
        Expression::Payload {
            base: PayloadBase::Network,
            offset: self.address_offset(side),
            length,
            register: Register::Word(word),
        }
    }

    /// nft compares only the leading bytes where the prefix ends with one.
    pub(super) fn network(&self, side: Side, net: &IpNet, negated: bool) -> Vec<Expression> {
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
    pub(super) fn frontend(&self, kind: EntryKind) -> (Vec<Expression>, u8) {
        self.frontend_from(kind, 0)
    }

    pub(super) fn frontend_from(&self, kind: EntryKind, first: u8) -> (Vec<Expression>, u8) {
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
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// `TCP_FLAG_SYN` of `linux/tcp.h`, in the byte of the flags.
pub(super) fn begins_tcp() -> Vec<Expression> {
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

pub(super) fn input_interface(name: &str, prefix: bool, negated: bool) -> Vec<Expression> {
    let mut value = name.as_bytes().to_vec();
    if !prefix {
        value.resize(INTERFACE_NAME_LENGTH, 0);
    }
    vec![
        Expression::Meta { key: MetaKey::InputInterfaceName, register: FIRST },
        compare(negated, value),
    ]
}

pub(super) fn source_port_above_1023(protocol: Protocol) -> Vec<Expression> {
    let (comparison, value) = (Comparison::GreaterOrEqual, 1024_u16.to_be_bytes().to_vec());
    vec![
        Expression::Meta { key: MetaKey::Protocol, register: FIRST },
        compare(false, vec![protocol.number()]),
        Expression::Payload { base: PayloadBase::Transport, offset: 0, length: 2, register: FIRST },
        Expression::Cmp { comparison, register: FIRST, value },
    ]
}
