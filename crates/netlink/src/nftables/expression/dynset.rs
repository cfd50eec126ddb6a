//! The expression by which rules add elements to sets.

use super::super::uapi::dynset;
use super::{Expression, Register, read_register};
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;

/// `NFT_DYNSET_OP_UPDATE`
const UPDATE: u32 = 1;

pub(super) fn encode(
    set: &str,
    key: Register,
    data: Option<Register>,
    timeout: u64,
    encoder: &mut Encoder,
) {
    encoder.be32(dynset::SREG_KEY, key.number());
    if let Some(data) = data {
        encoder.be32(dynset::SREG_DATA, data.number());
    }
    encoder.be32(dynset::OP, UPDATE);
    encoder.be64(dynset::TIMEOUT, timeout);
    encoder.text(dynset::SET_NAME, set);
}

/// Adding without refreshing, deleting, inverting, and elements with counters and the like
/// are none of ours.
pub(super) fn decode(attributes: &[u8]) -> Option<Expression> {
    let set = AttributeSet::<11>::parse(attributes)?;
    let flags = set.optional(dynset::FLAGS, |set| set.be32(dynset::FLAGS))?.unwrap_or(0);
    let is_ours = set.be32(dynset::OP)? == UPDATE
        && flags == 0
        && set.get(dynset::EXPR).is_none()
        && set.get(dynset::EXPRESSIONS).is_none();
    Some(Expression::Update {
        set: set.text(dynset::SET_NAME)?.into_owned(),
        key: read_register(&set, dynset::SREG_KEY)?,
        data: set.optional(dynset::SREG_DATA, |set| read_register(set, dynset::SREG_DATA))?,
        timeout: Expression::round_timeout(set.be64(dynset::TIMEOUT)?),
    })
    .filter(|_| is_ours)
}
