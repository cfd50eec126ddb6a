//! The expressions of a rule.

use super::uapi::{ct, expression, meta};
use super::{Data, Family, OwnedVerdict};
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;

mod act;
mod dynset;
mod examine;
mod load;
mod register;
#[cfg(test)]
mod tests;

pub use act::{NatFlags, NatKind, PortRange, RejectWith};
pub use examine::Comparison;
pub use load::{CtKey, FibFlags, FibResult, MetaKey, PayloadBase};
pub use register::Register;

/// A tick where `CONFIG_HZ` is 100, in milliseconds.
const LONGEST_TICK: u64 = 10;

/// One step of a rule. Registers carry values from step to step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// Loads bytes of the packet.
    Payload {
        /// The header that `offset` counts from.
        base: PayloadBase,
        /// Bytes to skip.
        offset: u32,
        /// Bytes to load.
        length: u32,
        /// Where they go.
        register: Register,
    },
    /// Loads something known about the packet.
    Meta {
        /// What.
        key: MetaKey,
        /// Where it goes.
        register: Register,
    },
    /// Sets something of the packet from a register.
    MetaSet {
        /// What.
        key: MetaKey,
        /// Where the value is.
        register: Register,
    },
    /// Ends the rule unless a register compares as said.
    Cmp {
        /// How.
        comparison: Comparison,
        /// The left side.
        register: Register,
        /// The right side. Only as many bytes of the register as this has are compared.
        value: Vec<u8>,
    },
    /// `destination = (source & mask) ^ xor`.
    Bitwise {
        /// The operand.
        source: Register,
        /// The result.
        destination: Register,
        /// As many bytes as the operand.
        mask: Vec<u8>,
        /// As many bytes as the operand.
        xor: Vec<u8>,
    },
    /// Loads a constant.
    Immediate {
        /// Where it goes.
        register: Register,
        /// The constant.
        value: Vec<u8>,
    },
    /// Gives a verdict and so ends the rule.
    Verdict(OwnedVerdict),
    /// Looks a key up and ends the rule if the set has it not.
    Lookup {
        /// The name of the set or map.
        set: String,
        /// The first register of the key.
        register: Register,
        /// Where a map's data goes; [`Register::Verdict`] for a verdict map; `None` for a
        /// set.
        destination: Option<Register>,
        /// Ends the rule if the set does have the key.
        inverted: bool,
    },
    /// Adds an element to a dynamic set, or gives one that is there its full lifetime again.
    /// The value of an element that is there stays as it is. Ends the rule if the set is full.
    Update {
        /// The name of the set or map.
        set: String,
        /// The first register of the key.
        key: Register,
        /// The first register of a map's value.
        data: Option<Register>,
        /// How long the element lives, in milliseconds. The kernel counts in ticks, and lists
        /// what it rounded up to; the shortest are read as [`Expression::SHORTEST_TIMEOUT`].
        timeout: u64,
    },
    /// Loads a random number from `offset` to `offset + modulus - 1`, host byte order.
    Numgen {
        /// How many numbers there are; not zero.
        modulus: u32,
        /// The lowest.
        offset: u32,
        /// Where it goes.
        register: Register,
    },
    /// Looks an address of the packet up in the routing table.
    Fib {
        /// Which address, and what else is considered.
        flags: FibFlags,
        /// What is loaded.
        result: FibResult,
        /// Where it goes.
        register: Register,
    },
    /// Loads something known about the connection.
    CtLoad {
        /// What.
        key: CtKey,
        /// Where it goes.
        register: Register,
    },
    /// Sets something of the connection from a register.
    CtSet {
        /// What.
        key: CtKey,
        /// Where the value is.
        register: Register,
    },
    /// Rewrites the source or destination of the connection.
    Nat {
        /// Which.
        kind: NatKind,
        /// The family of the new address.
        family: Family,
        /// The new address; `None` to keep it.
        address: Option<Register>,
        /// The new port; `None` to keep it if possible.
        port: Option<Register>,
        /// How the port is chosen.
        flags: NatFlags,
    },
    /// Rewrites the source to an address of the interface that the packet leaves by.
    Masquerade {
        /// How the port is chosen.
        flags: NatFlags,
        /// From where to where; `None` for the kernel's own choice.
        ports: Option<PortRange>,
    },
    /// Drops the packet and tells its sender.
    Reject(RejectWith),
    /// Counts packets and bytes. The numbers are not decoded.
    Counter,
    /// An expression that Portolan does not use, or uses otherwise. Only decoded: the
    /// kernel refuses a rule that is written with it.
    Unknown {
        /// The kernel's name of the expression.
        name: String,
    },
}

impl Expression {
    /// A timeout, in milliseconds, as every kernel keeps it: the shortest ones become
    /// [`Expression::SHORTEST_TIMEOUT`], which stands for a single tick of 1 to 10 ms
    /// (`CONFIG_HZ` 1000 to 100).
    pub(crate) const fn round_timeout(timeout: u64) -> u64 {
        if timeout <= LONGEST_TICK { Self::SHORTEST_TIMEOUT } else { timeout }
    }

    /// The shortest timeout of an element, in milliseconds.
    pub const SHORTEST_TIMEOUT: u64 = 1;

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
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        encoder.nested(super::uapi::list::ELEM, |encoder| {
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
    pub(super) fn decode(attributes: &[u8]) -> Option<Expression> {
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

fn read_register<const N: usize>(set: &AttributeSet<'_, N>, kind: u16) -> Option<Register> {
    Register::from_number(set.be32(kind)?)
}
