//! Expressions as entries of a rule's list.

use super::super::Data;
use super::super::uapi::{ct, expression, list, meta};
use super::{Expression, Register, act, dynset, examine, load};
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;

impl Expression {
    /// The kernel's name of the expression.
    pub fn name(&self) -> &str {
        match self {
            Expression::Payload { .. } => "payload",
            Expression::Meta { .. } | Expression::MetaSet { .. } => "meta",
            Expression::Cmp { .. } => "cmp",
            Expression::Bitwise { .. } => "bitwise",
            Expression::Immediate { .. } | Expression::Verdict(_) => "immediate",
            Expression::Lookup { .. } => "lookup",
            Expression::Update { .. } => "dynset",
            Expression::Numgen { .. } => "numgen",
            Expression::Fib { .. } => "fib",
            Expression::CtLoad { .. } | Expression::CtSet { .. } => "ct",
            Expression::Nat { .. } => "nat",
            Expression::Masquerade { .. } => "masq",
            Expression::Reject(_) => "reject",
            Expression::Counter => "counter",
            Expression::Unknown { name } => name,
        }
    }

    /// Writes the expression as one entry of a rule's list.
    pub(in super::super) fn encode(&self, encoder: &mut Encoder) {
        encoder.nested(list::ELEM, |encoder| {
            encoder.text(expression::NAME, self.name());
            if !matches!(self, Expression::Unknown { .. }) {
                encoder.nested(expression::DATA, |encoder| self.encode_data(encoder));
            }
        });
    }

    fn encode_data(&self, e: &mut Encoder) {
        match self {
            &Expression::Payload { base, offset, length, register } => {
                load::encode_payload(base, offset, length, register, e);
            }
            &Expression::Meta { key, register } => load::encode_meta(meta::DREG, key, register, e),
            &Expression::MetaSet { key, register } => {
                load::encode_meta(meta::SREG, key, register, e);
            }
            Expression::Cmp { comparison, register, value } => {
                examine::encode_cmp(*comparison, *register, value, e);
            }
            Expression::Bitwise { source, destination, mask, xor } => {
                examine::encode_bitwise(*source, *destination, mask, xor, e);
            }
            Expression::Immediate { register, value } => {
                load::encode_immediate(*register, Data::Bytes(value), e);
            }
            Expression::Verdict(verdict) => {
                let data = Data::Verdict(verdict.as_verdict());
                load::encode_immediate(Register::Verdict, data, e);
            }
            Expression::Lookup { set, register, destination, inverted } => {
                examine::encode_lookup(set, *register, *destination, *inverted, e);
            }
            Expression::Update { set, key, data, timeout } => {
                dynset::encode(set, *key, *data, *timeout, e);
            }
            &Expression::Numgen { modulus, offset, register } => {
                load::encode_numgen(modulus, offset, register, e);
            }
            &Expression::Fib { flags, result, register } => {
                load::encode_fib(flags, result, register, e);
            }
            &Expression::CtLoad { key, register } => load::encode_ct(ct::DREG, key, register, e),
            &Expression::CtSet { key, register } => load::encode_ct(ct::SREG, key, register, e),
            &Expression::Nat { kind, family, address, port, flags } => {
                act::encode_nat(kind, family, address, port, flags, e);
            }
            &Expression::Masquerade { flags, ports } => act::encode_masquerade(flags, ports, e),
            &Expression::Reject(with) => act::encode_reject(with, e),
            Expression::Counter | Expression::Unknown { .. } => {}
        }
    }

    /// Reads the inside of one entry of a rule's list. `None` if it does not even have a
    /// name; what is otherwise not understood is [`Expression::Unknown`].
    pub(in super::super) fn decode(attributes: &[u8]) -> Option<Expression> {
        let set = AttributeSet::<3>::parse(attributes)?;
        let name = set.text(expression::NAME)?;
        let data = set.get(expression::DATA).unwrap_or_default();
        let known = match name.as_ref() {
            "payload" => load::decode_payload(data),
            "meta" => load::decode_meta(data),
            "cmp" => examine::decode_cmp(data),
            "bitwise" => examine::decode_bitwise(data),
            "immediate" => load::decode_immediate(data),
            "lookup" => examine::decode_lookup(data),
            "dynset" => dynset::decode(data),
            "numgen" => load::decode_numgen(data),
            "fib" => load::decode_fib(data),
            "ct" => load::decode_ct(data),
            "nat" => act::decode_nat(data),
            "masq" => act::decode_masquerade(data),
            "reject" => act::decode_reject(data),
            "counter" => Some(Expression::Counter),
            _ => None,
        };
        Some(known.unwrap_or_else(|| Expression::Unknown { name: name.into_owned() }))
    }
}

pub(super) fn read_register<const N: usize>(
    set: &AttributeSet<'_, N>,
    kind: u16,
) -> Option<Register> {
    Register::from_number(set.be32(kind)?)
}
