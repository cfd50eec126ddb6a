//! Sets and maps.

/// A named set, or a map if it has data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// The name, at most 255 bytes.
    pub name: String,
    /// The fields of the key; more than one make a concatenation.
    pub key: Vec<Field>,
    /// What a key maps to; `None` for a set.
    pub data: Option<SetData>,
    /// How many elements it can hold. Declare it: a set without is slower to fill, and a
    /// listing right after a large change may miss elements.
    pub size: Option<u32>,
    /// The elements are ranges. Concatenations of ranges are one range per field.
    pub interval: bool,
    /// A comment for people.
    pub comment: Option<String>,
    /// Flags (`NFT_SET_*`) that Portolan does not use, as the kernel listed them; zero in
    /// sets made here. They are not written.
    pub other_flags: u32,
}

/// What the keys of a map lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetData {
    /// A verdict.
    Verdict,
    /// A value, or several one after the other.
    Fields(Vec<Field>),
}

/// One field of a key or value. In a concatenation each starts at a multiple of 4 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// `ipv4_addr`: 4 bytes, network byte order.
    Ipv4Address,
    /// `ipv6_addr`: 16 bytes, network byte order.
    Ipv6Address,
    /// `inet_proto`: 1 byte.
    Protocol,
    /// `inet_service`: 2 bytes, network byte order.
    Port,
    /// A number from `numgen random`: 4 bytes, host byte order.
    Slot,
    /// `mark`: 4 bytes, host byte order.
    Mark,
    /// `ifname`: 16 bytes, padded with zero bytes.
    InterfaceName,
    /// A data type of nft that Portolan does not use, by nft's number for it, and its
    /// length in bytes (zero where it cannot be told).
    Other {
        /// nft's number of the type.
        kind: u8,
        /// The length in bytes.
        length: u8,
    },
}
