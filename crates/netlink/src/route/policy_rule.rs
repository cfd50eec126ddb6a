//! Rules that pick a routing table by the packet mark.

use std::fmt;

use super::uapi::{HEADER, PROTOCOL, family, rule};
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;

/// A rule of ours: packets whose mark has certain bits are routed by a table of their own,
/// and by the rules behind this one if that table has no route for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyRule {
    /// Whether it is about IPv6.
    pub v6: bool,
    /// Its place among the rules of the family: lower ones are asked first. The kernel's own
    /// stand at 0 (table `local`), 32766 (`main`) and 32767 (`default`).
    pub priority: u32,
    /// What the masked mark has to be, host byte order.
    pub mark: u32,
    /// The bits of the mark that count. If none counts, the rule is about every packet.
    pub mask: u32,
    /// The number of the table, not zero.
    pub table: u32,
}

impl fmt::Display for PolicyRule {
    /// As `ip rule` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PolicyRule { priority, mark, mask, table, .. } = self;
        let family = family_name(self.v6);
        write!(f, "{family} rule {priority}: fwmark {mark:#x}/{mask:#x} lookup {table}")
    }
}

pub(super) const fn family_name(v6: bool) -> &'static str {
    if v6 { "IPv6" } else { "IPv4" }
}

pub(super) const fn family_number(v6: bool) -> u8 {
    if v6 { family::V6 } else { family::V4 }
}

impl PolicyRule {
    /// `struct fib_rule_hdr`: family, lengths of destination and source, type of service,
    /// table, two reserved bytes, action, flags. Tables have longer numbers than fit here.
    pub(super) const fn header(&self) -> [u8; HEADER] {
        [family_number(self.v6), 0, 0, 0, 0, 0, 0, rule::TO_TABLE, 0, 0, 0, 0]
    }

    /// Writes the attributes.
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        for (kind, number) in [
            (rule::PRIORITY, self.priority),
            (rule::MARK, self.mark),
            (rule::MASK, self.mask),
            (rule::TABLE, self.table),
        ] {
            encoder.ne32(kind, number);
        }
        encoder.u8(rule::PROTOCOL, PROTOCOL);
    }

    /// Reads a rule that a listing has. `None` if it is not ours, or does anything else.
    pub(super) fn decode(payload: &[u8]) -> Option<PolicyRule> {
        let (&[number, to, from, service, _, _, _, action, f0, f1, f2, f3], attributes) =
            payload.split_first_chunk::<HEADER>()?;
        let set = AttributeSet::<32>::parse(attributes)?;
        let inverted = u32::from_ne_bytes([f0, f1, f2, f3]) & rule::INVERT != 0;
        let suppressing = set.ne32(rule::SUPPRESS_PREFIX_LENGTH).is_some_and(|it| it != u32::MAX);
        let narrowed = rule::NARROWING.iter().any(|kind| set.get(*kind).is_some());
        if set.u8(rule::PROTOCOL) != Some(PROTOCOL)
            || (to, from, service, action) != (0, 0, 0, rule::TO_TABLE)
            || inverted
            || suppressing
            || narrowed
        {
            return None;
        }
        // The kernel leaves out zeroes.
        Some(PolicyRule {
            v6: is_v6(number)?,
            priority: set.ne32(rule::PRIORITY).unwrap_or_default(),
            mark: set.ne32(rule::MARK).unwrap_or_default(),
            mask: set.ne32(rule::MASK).unwrap_or_default(),
            table: set.ne32(rule::TABLE)?,
        })
    }
}

pub(super) const fn is_v6(number: u8) -> Option<bool> {
    match number {
        family::V4 => Some(false),
        family::V6 => Some(true),
        _ => None,
    }
}
