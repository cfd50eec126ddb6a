//! Address families of tables.

use std::fmt;

/// The family of a table (`NFPROTO_*`), displayed as nft writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4, `ip` in nft's language, number 2.
    Ip,
    /// IPv6, `ip6` in nft's language, number 10.
    Ip6,
}

impl Family {
    /// Both of them.
    pub const ALL: [Family; 2] = [Family::Ip, Family::Ip6];

    /// The kernel's number.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Family::Ip => 2,
            Family::Ip6 => 10,
        }
    }

    /// The family of that number, if it is one of the two.
    pub(crate) const fn from_number(number: u32) -> Option<Family> {
        match number {
            2 => Some(Family::Ip),
            10 => Some(Family::Ip6),
            _ => None,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Ip => "ip",
            Family::Ip6 => "ip6",
        })
    }
}
