//! Marks of packets and of connections as bytecode. A mark is one bit.

use portolan_netlink::nftables::{CtKey, Expression, MetaKey};

use super::{FIRST, compare};

/// The packet's mark is set.
pub(super) fn marked(bit: u32) -> Vec<Expression> {
    vec![load_mark(), bitwise(bit, 0), compare(false, bit.to_ne_bytes().to_vec())]
}

/// The connection's mark is set.
pub(super) fn connection_marked(bit: u32) -> Vec<Expression> {
    vec![
        Expression::CtLoad { key: CtKey::Mark, register: FIRST },
        bitwise(bit, 0),
        compare(false, bit.to_ne_bytes().to_vec()),
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
