//! Netlink's framing: messages and the attributes in them.
//!
//! Headers and lengths are in host byte order (`include/uapi/linux/netlink.h`); numbers in
//! netfilter attributes are in network byte order.

pub(crate) mod acknowledgement;
pub(crate) mod attribute;
pub(crate) mod encoder;
pub(crate) mod message;
#[cfg(test)]
pub(crate) mod tree;
pub(crate) mod uapi;

/// Rounds up to the 4 bytes on which messages and attributes start.
pub(crate) const fn align(length: usize) -> usize {
    length.saturating_add(3) & !3
}
