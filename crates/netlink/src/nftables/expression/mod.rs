//! The expressions of a rule.

use super::{Family, OwnedVerdict};

mod act;
mod codec;
mod dynset;
mod examine;
mod keys;
mod load;
mod register;
#[cfg(test)]
mod tests;

pub use act::{NatFlags, NatKind, PortRange, RejectWith};
pub use examine::Comparison;
pub use keys::{CtKey, FibFlags, FibResult, MetaKey, PayloadBase};
pub use register::Register;

use codec::read_register;

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
}
