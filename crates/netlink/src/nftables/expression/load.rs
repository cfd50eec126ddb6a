//! Expressions that load something into a register: of the packet, its connection, the
//! routing table, a random number, a constant.

use super::super::numbered::numbered;
use super::super::uapi::{ct, fib, immediate, meta, numgen, payload};
use super::super::{Data, OwnedVerdict};
use super::{Expression, Register, read_register};
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;

numbered! {
    /// The header that a payload expression counts from (`NFT_PAYLOAD_*`).
    pub enum PayloadBase {
        /// The link layer's, e.g. Ethernet.
        Link = 0,
        /// The network layer's: IPv4 or IPv6.
        Network = 1,
        /// The transport layer's: TCP, UDP, SCTP.
        Transport = 2,
    }
}

numbered! {
    /// What a fib expression loads (`NFT_FIB_RESULT_*`).
    pub enum FibResult {
        /// The index of the interface, 4 bytes, host byte order.
        InterfaceIndex = 1,
        /// The name of the interface, 16 bytes.
        InterfaceName = 2,
        /// The type of the address (`RTN_*`; local is 2), 4 bytes, host byte order.
        AddressType = 3,
    }
}

/// What a fib expression looks up (`NFTA_FIB_F_*`). Combine with `|`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FibFlags(pub u32);

impl FibFlags {
    /// The source address.
    pub const SOURCE: FibFlags = FibFlags(1);
    /// The destination address.
    pub const DESTINATION: FibFlags = FibFlags(2);
    /// With the packet's mark.
    pub const MARK: FibFlags = FibFlags(4);
    /// Restricted to the interface that the packet came in by.
    pub const INPUT_INTERFACE: FibFlags = FibFlags(8);
    /// Restricted to the interface that the packet leaves by.
    pub const OUTPUT_INTERFACE: FibFlags = FibFlags(16);
}

impl std::ops::BitOr for FibFlags {
    type Output = FibFlags;
    fn bitor(self, other: FibFlags) -> FibFlags {
        FibFlags(self.0 | other.0)
    }
}

/// What a meta expression loads or sets (`NFT_META_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaKey {
    /// The packet's priority for queueing disciplines, 4 bytes, host byte order.
    Priority,
    /// The packet mark, 4 bytes, host byte order.
    Mark,
    /// The name of the interface that the packet came in by, 16 bytes.
    InputInterfaceName,
    /// The name of the interface that the packet leaves by, 16 bytes.
    OutputInterfaceName,
    /// The family of the packet, 1 byte.
    Family,
    /// The transport protocol, 1 byte.
    Protocol,
    /// Another key, by its number.
    Other(u32),
}

impl MetaKey {
    pub(in super::super) const fn number(self) -> u32 {
        match self {
            MetaKey::Priority => 2,
            MetaKey::Mark => 3,
            MetaKey::InputInterfaceName => 6,
            MetaKey::OutputInterfaceName => 7,
            MetaKey::Family => 15,
            MetaKey::Protocol => 16,
            MetaKey::Other(number) => number,
        }
    }

    const fn from_number(number: u32) -> MetaKey {
        match number {
            2 => MetaKey::Priority,
            3 => MetaKey::Mark,
            6 => MetaKey::InputInterfaceName,
            7 => MetaKey::OutputInterfaceName,
            15 => MetaKey::Family,
            16 => MetaKey::Protocol,
            other => MetaKey::Other(other),
        }
    }
}

/// What is loaded or set about a connection (`NFT_CT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CtKey {
    /// Its state as this packet sees it, a bit set of 4 bytes, host byte order: invalid 1,
    /// established 2, related 4, new 8, untracked 64.
    State,
    /// Its status (`IPS_*`; destination NAT is 0x20), a bit set of 4 bytes, host byte order.
    Status,
    /// Its mark, 4 bytes, host byte order.
    Mark,
    /// Which way this packet goes, 1 byte: 0 as the first of the connection, 1 back.
    Direction,
    /// Another key, by its number.
    Other(u32),
}

impl CtKey {
    const fn number(self) -> u32 {
        match self {
            CtKey::State => 0,
            CtKey::Direction => 1,
            CtKey::Status => 2,
            CtKey::Mark => 3,
            CtKey::Other(number) => number,
        }
    }

    const fn from_number(number: u32) -> CtKey {
        match number {
            0 => CtKey::State,
            1 => CtKey::Direction,
            2 => CtKey::Status,
            3 => CtKey::Mark,
            other => CtKey::Other(other),
        }
    }
}

pub(super) fn encode_payload(
    base: PayloadBase,
    offset: u32,
    length: u32,
    register: Register,
    encoder: &mut Encoder,
) {
    encoder.be32(payload::DREG, register.number());
    encoder.be32(payload::BASE, base.number());
    encoder.be32(payload::OFFSET, offset);
    encoder.be32(payload::LEN, length);
}

/// A payload expression that writes has a source register and is none of ours.
pub(super) fn decode_payload(attributes: &[u8]) -> Option<Expression> {
    let set = AttributeSet::<9>::parse(attributes)?;
    Some(Expression::Payload {
        base: PayloadBase::from_number(set.be32(payload::BASE)?)?,
        offset: set.be32(payload::OFFSET)?,
        length: set.be32(payload::LEN)?,
        register: read_register(&set, payload::DREG)?,
    })
    .filter(|_| set.get(payload::SREG).is_none())
}

pub(super) fn encode_meta(kind: u16, key: MetaKey, register: Register, encoder: &mut Encoder) {
    encoder.be32(meta::KEY, key.number());
    encoder.be32(kind, register.number());
}

pub(super) fn decode_meta(attributes: &[u8]) -> Option<Expression> {
    let set = AttributeSet::<4>::parse(attributes)?;
    let key = MetaKey::from_number(set.be32(meta::KEY)?);
    match (set.get(meta::DREG), set.get(meta::SREG)) {
        (Some(_), None) => {
            Some(Expression::Meta { key, register: read_register(&set, meta::DREG)? })
        }
        (None, Some(_)) => {
            Some(Expression::MetaSet { key, register: read_register(&set, meta::SREG)? })
        }
        _ => None,
    }
}

pub(super) fn encode_ct(kind: u16, key: CtKey, register: Register, encoder: &mut Encoder) {
    encoder.be32(ct::KEY, key.number());
    encoder.be32(kind, register.number());
}

/// Loading for one direction is none of ours.
pub(super) fn decode_ct(attributes: &[u8]) -> Option<Expression> {
    let set = AttributeSet::<5>::parse(attributes)?;
    if set.get(ct::DIRECTION).is_some() {
        return None;
    }
    let key = CtKey::from_number(set.be32(ct::KEY)?);
    match (set.get(ct::DREG), set.get(ct::SREG)) {
        (Some(_), None) => {
            Some(Expression::CtLoad { key, register: read_register(&set, ct::DREG)? })
        }
        (None, Some(_)) => {
            Some(Expression::CtSet { key, register: read_register(&set, ct::SREG)? })
        }
        _ => None,
    }
}

pub(super) fn encode_fib(
    flags: FibFlags,
    result: FibResult,
    register: Register,
    encoder: &mut Encoder,
) {
    encoder.be32(fib::DREG, register.number());
    encoder.be32(fib::RESULT, result.number());
    encoder.be32(fib::FLAGS, flags.0);
}

pub(super) fn decode_fib(attributes: &[u8]) -> Option<Expression> {
    let set = AttributeSet::<4>::parse(attributes)?;
    Some(Expression::Fib {
        flags: FibFlags(set.be32(fib::FLAGS)?),
        result: FibResult::from_number(set.be32(fib::RESULT)?)?,
        register: read_register(&set, fib::DREG)?,
    })
}

/// `NFT_NG_RANDOM`
const RANDOM: u32 = 1;

pub(super) fn encode_numgen(modulus: u32, offset: u32, register: Register, encoder: &mut Encoder) {
    encoder.be32(numgen::DREG, register.number());
    encoder.be32(numgen::MODULUS, modulus);
    encoder.be32(numgen::TYPE, RANDOM);
    encoder.be32(numgen::OFFSET, offset);
}

/// A generator that counts up is none of ours.
pub(super) fn decode_numgen(attributes: &[u8]) -> Option<Expression> {
    let set = AttributeSet::<5>::parse(attributes)?;
    let random = set.be32(numgen::TYPE)? == RANDOM;
    Some(Expression::Numgen {
        modulus: set.be32(numgen::MODULUS)?,
        offset: set.optional(numgen::OFFSET, |set| set.be32(numgen::OFFSET))?.unwrap_or(0),
        register: read_register(&set, numgen::DREG)?,
    })
    .filter(|_| random)
}

pub(super) fn encode_immediate(register: Register, data: Data<'_>, encoder: &mut Encoder) {
    encoder.be32(immediate::DREG, register.number());
    data.encode(immediate::DATA, encoder);
}

pub(super) fn decode_immediate(attributes: &[u8]) -> Option<Expression> {
    let set = AttributeSet::<3>::parse(attributes)?;
    let register = read_register(&set, immediate::DREG)?;
    match (register, Data::decode(set.get(immediate::DATA)?)?) {
        (Register::Verdict, Data::Verdict(verdict)) => {
            Some(Expression::Verdict(OwnedVerdict::from(verdict)))
        }
        (Register::Word(_), Data::Bytes(value)) => {
            Some(Expression::Immediate { register, value: value.to_vec() })
        }
        _ => None,
    }
}
