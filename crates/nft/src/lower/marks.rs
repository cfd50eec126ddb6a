//! Marks of packets and of connections as bytecode. A mark is one bit.

use portolan_netlink::nftables::{CtKey, Expression, MetaKey};

use super::{FIRST, compare};

/// The packet's mark is set.
pub(super) fn marked(bit: u32) -> Vec<Expression> {
    vec![load_mark(), bitwise(bit, 0), compare(false, bit.to_ne_bytes().to_vec())]
}

/// At least one of these marks of the connection is set.
pub(super) fn connection_marked(bits: u32) -> Vec<Expression> {
    let (negated, value) = if bits.is_power_of_two() { (false, bits) } else { (true, 0) };
    vec![
        Expression::CtLoad { key: CtKey::Mark, register: FIRST },
        bitwise(bits, 0),
        compare(negated, value.to_ne_bytes().to_vec()),
    ]
}

/// Sets the connection's mark.
pub(super) fn mark_connection(bit: u32) -> Vec<Expression> {
    vec![
        Expression::CtLoad { key: CtKey::Mark, register: FIRST },
        bitwise(!bit, bit),
        Expression::CtSet { key: CtKey::Mark, register: FIRST },
    ]
}

fn load_mark() -> Expression {
    Expression::Meta { key: MetaKey::Mark, register: FIRST }
}

/// `register = (register & mask) ^ xor`.
pub(super) fn bitwise(mask: u32, xor: u32) -> Expression {
    Expression::Bitwise {
        source: FIRST,
        destination: FIRST,
        mask: mask.to_ne_bytes().to_vec(),
        xor: xor.to_ne_bytes().to_vec(),
    }
}

/// `mark = (mark & mask) ^ xor`, of the packet.
pub(super) fn change_mark(mask: u32, xor: u32) -> Vec<Expression> {
    vec![
        load_mark(),
        bitwise(mask, xor),
        Expression::MetaSet { key: MetaKey::Mark, register: FIRST },
    ]
}
