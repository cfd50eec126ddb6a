//! The expressions of a rule.

use super::OwnedVerdict;

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
    /// Rewrites the source or destination of the connection.
    Nat {
        /// Which.
        kind: NatKind,
        /// The family of the new address.
        family: super::Family,
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

/// A register of the nf_tables machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Register {
    /// The verdict.
    Verdict,
    /// One of sixteen words of 4 bytes, from 0 (`NFT_REG32_00`). A longer value, such as a
    /// concatenation, fills the words that follow.
    Word(u8),
}

/// The header that a payload expression counts from (`NFT_PAYLOAD_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadBase {
    /// The link layer's, e.g. Ethernet.
    Link,
    /// The network layer's: IPv4 or IPv6.
    Network,
    /// The transport layer's: TCP, UDP, SCTP.
    Transport,
}

/// What a meta expression loads or sets (`NFT_META_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaKey {
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

/// How two values compare (`NFT_CMP_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`, as bytes from first to last
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
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

/// What a fib expression loads (`NFT_FIB_RESULT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FibResult {
    /// The index of the interface, 4 bytes, host byte order.
    InterfaceIndex,
    /// The name of the interface, 16 bytes.
    InterfaceName,
    /// The type of the address (`RTN_*`; local is 2), 4 bytes, host byte order.
    AddressType,
}

/// What is loaded about a connection (`NFT_CT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CtKey {
    /// Its state as this packet sees it, a bit set of 4 bytes, host byte order.
    State,
    /// Its status (`IPS_*`; destination NAT is 0x20), a bit set of 4 bytes, host byte order.
    Status,
    /// Its mark, 4 bytes, host byte order.
    Mark,
    /// Another key, by its number.
    Other(u32),
}

/// Which end of a connection is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatKind {
    /// The client's: `snat`.
    Source,
    /// The server's: `dnat`.
    Destination,
}

/// How NAT chooses a port (`NF_NAT_RANGE_*`). Combine with `|`. The bits that say which
/// registers are used (1 and 2) are the kernel's business: they are neither written nor
/// decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NatFlags(pub u32);

impl NatFlags {
    /// `random`: the first choice is a hash.
    pub const RANDOM: NatFlags = NatFlags(4);
    /// `persistent`: a client always gets the same.
    pub const PERSISTENT: NatFlags = NatFlags(8);
    /// `fully-random`.
    pub const FULLY_RANDOM: NatFlags = NatFlags(16);
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

/// What the sender of a rejected packet is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectWith {
    /// A TCP reset.
    TcpReset,
    /// ICMP or ICMPv6 destination unreachable with this code, whose meaning is the
    /// family's. Plain `reject` of nft is code 3 for IPv4 and 4 for IPv6: port unreachable.
    IcmpUnreachable(u8),
    /// The same with one of `NFT_REJECT_ICMPX_*`, which means the same in both families.
    IcmpxUnreachable(u8),
}
