//! Expressions that do something to the packet or its connection.

use super::super::Family;
use super::super::numbered::numbered;
use super::super::uapi::{masquerade, nat, reject};
use super::{Expression, Register, read_register};
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;

numbered! {
    /// Which end of a connection is rewritten (`NFT_NAT_*`).
    pub enum NatKind {
        /// The client's: `snat`.
        Source = 0,
        /// The server's: `dnat`.
        Destination = 1,
    }
}

/// How NAT chooses a port (`NF_NAT_RANGE_*`). Combine with `|`. The bits that say which
/// registers are used (1 and 2) are no choice: they follow from the expression's other
/// fields and are not decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NatFlags(pub u32);

/// `NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED`
const WHICH_REGISTERS: u32 = 3;

/// `NF_NAT_RANGE_PROTO_SPECIFIED`: for `nat` the kernel sets it itself, for `masq` it does
/// not, and then ignores the ports (net/netfilter/nft_masq.c, `nft_masq_eval`; seen on 6.18).
const PORTS_GIVEN: u32 = 2;

impl NatFlags {
    /// `random`: the first choice is a hash.
    pub const RANDOM: NatFlags = NatFlags(4);
    /// `persistent`: a client always gets the same.
    pub const PERSISTENT: NatFlags = NatFlags(8);
    /// `fully-random`.
    pub const FULLY_RANDOM: NatFlags = NatFlags(16);

    fn encode(self, kind: u16, encoder: &mut Encoder) {
        let flags = self.0 & !WHICH_REGISTERS;
        if flags != 0 {
            encoder.be32(kind, flags);
        }
    }

    fn decode<const N: usize>(set: &AttributeSet<'_, N>, kind: u16) -> Option<NatFlags> {
        let flags = set.optional(kind, |set| set.be32(kind))?.unwrap_or(0);
        Some(NatFlags(flags & !WHICH_REGISTERS))
    }
}

impl std::ops::BitOr for NatFlags {
    type Output = NatFlags;
    fn bitor(self, other: NatFlags) -> NatFlags {
        NatFlags(self.0 | other.0)
    }
}

/// A range of ports, both ends included, in registers that hold 2 bytes each, network
/// byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The lowest.
    pub first: Register,
    /// The highest.
    pub last: Register,
}

/// What the sender of a rejected packet is told (`NFT_REJECT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectWith {
    /// A TCP reset. The rule must have made sure that the packet is TCP.
    TcpReset,
    /// ICMP or ICMPv6 destination unreachable with this code, whose meaning is the
    /// family's. Plain `reject` of nft is code 3 for IPv4 and 4 for IPv6: port unreachable.
    IcmpUnreachable(u8),
    /// The same with one of `NFT_REJECT_ICMPX_*`, which means the same in both families.
    IcmpxUnreachable(u8),
}

pub(super) fn encode_nat(
    kind: NatKind,
    family: Family,
    address: Option<Register>,
    port: Option<Register>,
    flags: NatFlags,
    encoder: &mut Encoder,
) {
    encoder.be32(nat::TYPE, kind.number());
    encoder.be32(nat::FAMILY, u32::from(family.number()));
    if let Some(address) = address {
        encoder.be32(nat::REG_ADDR_MIN, address.number());
    }
    if let Some(port) = port {
        encoder.be32(nat::REG_PROTO_MIN, port.number());
    }
    flags.encode(nat::FLAGS, encoder);
}

/// Ranges of addresses or ports are none of ours.
pub(super) fn decode_nat(attributes: &[u8]) -> Option<Expression> {
    let set = AttributeSet::<8>::parse(attributes)?;
    Some(Expression::Nat {
        kind: NatKind::from_number(set.be32(nat::TYPE)?)?,
        family: Family::from_number(set.be32(nat::FAMILY)?)?,
        address: read_single(&set, nat::REG_ADDR_MIN, nat::REG_ADDR_MAX)?,
        port: read_single(&set, nat::REG_PROTO_MIN, nat::REG_PROTO_MAX)?,
        flags: NatFlags::decode(&set, nat::FLAGS)?,
    })
}

/// The register of a range that is one value: the kernel fills in the upper end.
fn read_single(set: &AttributeSet<'_, 8>, first: u16, last: u16) -> Option<Option<Register>> {
    let low = set.optional(first, |set| read_register(set, first))?;
    let high = set.optional(last, |set| read_register(set, last))?;
    (high.is_none() || high == low).then_some(low)
}

pub(super) fn encode_masquerade(flags: NatFlags, ports: Option<PortRange>, encoder: &mut Encoder) {
    let Some(PortRange { first, last }) = ports else {
        return flags.encode(masquerade::FLAGS, encoder);
    };
    encoder.be32(masquerade::FLAGS, flags.0 & !WHICH_REGISTERS | PORTS_GIVEN);
    encoder.be32(masquerade::REG_PROTO_MIN, first.number());
    encoder.be32(masquerade::REG_PROTO_MAX, last.number());
}

/// Ports that the kernel ignores are not what we write.
pub(super) fn decode_masquerade(attributes: &[u8]) -> Option<Expression> {
    let set = AttributeSet::<4>::parse(attributes)?;
    let ports = set.optional(masquerade::REG_PROTO_MIN, |set| {
        let first = read_register(set, masquerade::REG_PROTO_MIN)?;
        let last = set.optional(masquerade::REG_PROTO_MAX, |set| {
            read_register(set, masquerade::REG_PROTO_MAX)
        })?;
        Some(PortRange { first, last: last.unwrap_or(first) })
    })?;
    let flags = set.optional(masquerade::FLAGS, |set| set.be32(masquerade::FLAGS))?;
    if ports.is_some() && flags.unwrap_or(0) & PORTS_GIVEN == 0 {
        return None;
    }
    Some(Expression::Masquerade { flags: NatFlags::decode(&set, masquerade::FLAGS)?, ports })
}

const ICMP_UNREACHABLE: u32 = 0;
const TCP_RESET: u32 = 1;
const ICMPX_UNREACHABLE: u32 = 2;

pub(super) fn encode_reject(with: RejectWith, encoder: &mut Encoder) {
    let (kind, code) = match with {
        RejectWith::TcpReset => (TCP_RESET, 0),
        RejectWith::IcmpUnreachable(code) => (ICMP_UNREACHABLE, code),
        RejectWith::IcmpxUnreachable(code) => (ICMPX_UNREACHABLE, code),
    };
    encoder.be32(reject::TYPE, kind);
    encoder.u8(reject::ICMP_CODE, code);
}

pub(super) fn decode_reject(attributes: &[u8]) -> Option<Expression> {
    let set = AttributeSet::<3>::parse(attributes)?;
    Some(Expression::Reject(match set.be32(reject::TYPE)? {
        TCP_RESET => RejectWith::TcpReset,
        ICMP_UNREACHABLE => RejectWith::IcmpUnreachable(set.u8(reject::ICMP_CODE)?),
        ICMPX_UNREACHABLE => RejectWith::IcmpxUnreachable(set.u8(reject::ICMP_CODE)?),
        _ => return None,
    }))
}
