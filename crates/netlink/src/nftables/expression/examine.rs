//! Expressions that work on registers: compare, mask, look up.

use super::super::Data;
use super::super::numbered::numbered;
use super::super::uapi::{bitwise, cmp, lookup};
use super::{Expression, Register, read_register};
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;

numbered! {
    /// How two values compare (`NFT_CMP_*`), byte by byte from the first.
    pub enum Comparison {
        /// `==`
        Equal = 0,
        /// `!=`
        NotEqual = 1,
        /// `<`
        Less = 2,
        /// `<=`
        LessOrEqual = 3,
        /// `>`
        Greater = 4,
        /// `>=`
        GreaterOrEqual = 5,
    }
}

pub(super) fn encode_cmp(
    comparison: Comparison,
    register: Register,
    value: &[u8],
    encoder: &mut Encoder,
) {
    encoder.be32(cmp::SREG, register.number());
    encoder.be32(cmp::OP, comparison.number());
    Data::Bytes(value).encode(cmp::DATA, encoder);
}

pub(super) fn decode_cmp(attributes: &[u8]) -> Option<Expression> {
    let set = AttributeSet::<4>::parse(attributes)?;
    Some(Expression::Cmp {
        comparison: Comparison::from_number(set.be32(cmp::OP)?)?,
        register: read_register(&set, cmp::SREG)?,
        value: read_bytes(&set, cmp::DATA)?,
    })
}

/// `NFT_BITWISE_MASK_XOR`, the only operation of kernels before 5.6.
const MASK_XOR: u32 = 0;

pub(super) fn encode_bitwise(
    source: Register,
    destination: Register,
    mask: &[u8],
    xor: &[u8],
    encoder: &mut Encoder,
) {
    encoder.be32(bitwise::SREG, source.number());
    encoder.be32(bitwise::DREG, destination.number());
    encoder.be32(bitwise::LEN, u32::try_from(mask.len()).unwrap_or(u32::MAX));
    encoder.be32(bitwise::OP, MASK_XOR);
    Data::Bytes(mask).encode(bitwise::MASK, encoder);
    Data::Bytes(xor).encode(bitwise::XOR, encoder);
}

pub(super) fn decode_bitwise(attributes: &[u8]) -> Option<Expression> {
    let set = AttributeSet::<8>::parse(attributes)?;
    let operation = set.optional(bitwise::OP, |set| set.be32(bitwise::OP))?;
    Some(Expression::Bitwise {
        source: read_register(&set, bitwise::SREG)?,
        destination: read_register(&set, bitwise::DREG)?,
        mask: read_bytes(&set, bitwise::MASK)?,
        xor: read_bytes(&set, bitwise::XOR)?,
    })
    .filter(|_| operation.unwrap_or(MASK_XOR) == MASK_XOR)
}

/// `NFT_LOOKUP_F_INV`
const INVERTED: u32 = 1;

pub(super) fn encode_lookup(
    set: &str,
    register: Register,
    destination: Option<Register>,
    inverted: bool,
    encoder: &mut Encoder,
) {
    encoder.text(lookup::SET, set);
    encoder.be32(lookup::SREG, register.number());
    if let Some(destination) = destination {
        encoder.be32(lookup::DREG, destination.number());
    }
    if inverted {
        encoder.be32(lookup::FLAGS, INVERTED);
    }
}

pub(super) fn decode_lookup(attributes: &[u8]) -> Option<Expression> {
    let set = AttributeSet::<6>::parse(attributes)?;
    let flags = set.optional(lookup::FLAGS, |set| set.be32(lookup::FLAGS))?.unwrap_or(0);
    Some(Expression::Lookup {
        set: set.text(lookup::SET)?.into_owned(),
        register: read_register(&set, lookup::SREG)?,
        destination: set.optional(lookup::DREG, |set| read_register(set, lookup::DREG))?,
        inverted: flags & INVERTED != 0,
    })
    .filter(|_| flags & !INVERTED == 0)
}

fn read_bytes<const N: usize>(set: &AttributeSet<'_, N>, kind: u16) -> Option<Vec<u8>> {
    match Data::decode(set.get(kind)?)? {
        Data::Bytes(bytes) => Some(bytes.to_vec()),
        Data::Verdict(_) => None,
    }
}
