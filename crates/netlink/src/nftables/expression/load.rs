//! Expressions that load something into a register: of the packet, its connection, the
//! routing table, a random number, a constant.

use super::super::uapi::{ct, fib, immediate, meta, numgen, payload};
use super::super::{Data, OwnedVerdict};
use super::{
    CtKey, Expression, FibFlags, FibResult, MetaKey, PayloadBase, Register, read_register,
};
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;

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
