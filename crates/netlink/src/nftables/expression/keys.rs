//! What expressions can load or set.

use super::super::numbered::numbered;

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

    pub(super) const fn from_number(number: u32) -> MetaKey {
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
    pub(super) const fn number(self) -> u32 {
        match self {
            CtKey::State => 0,
            CtKey::Direction => 1,
            CtKey::Status => 2,
            CtKey::Mark => 3,
            CtKey::Other(number) => number,
        }
    }

    pub(super) const fn from_number(number: u32) -> CtKey {
        match number {
            0 => CtKey::State,
            1 => CtKey::Direction,
            2 => CtKey::Status,
            3 => CtKey::Mark,
            other => CtKey::Other(other),
        }
    }
}
