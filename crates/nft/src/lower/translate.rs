//! Translation of addresses as bytecode.

use portolan_netlink::nftables::{Expression, NatFlags, NatKind, PortRange, Register};

use super::{FIRST, Lowering, kernel_family, lookup};
use crate::chain_name::EntryKind;

impl Lowering {
    pub(super) fn balance(&self, kind: EntryKind, map: &str, slots: u32) -> Vec<Expression> {
        let (mut expressions, word) = self.frontend(kind);
        let register = Register::Word(word);
        expressions.push(Expression::Numgen { modulus: slots, offset: 0, register });
        expressions.push(lookup(map, Some(FIRST)));
        expressions.push(self.translate());
        expressions
    }

    /// Translates to the endpoint in the first registers.
    pub(super) fn translate(&self) -> Expression {
        Expression::Nat {
            kind: NatKind::Destination,
            family: kernel_family(self.family),
            address: Some(FIRST),
            port: Some(Register::Word(self.address_words())),
            flags: NatFlags::default(),
        }
    }
}

/// nft puts the ends of the range into registers of 16 bytes.
pub(super) fn masquerade(ports: Option<(u16, u16)>) -> Vec<Expression> {
    let flags = NatFlags::FULLY_RANDOM;
    let Some((first, last)) = ports else {
        return vec![Expression::Masquerade { flags, ports: None }];
    };
    let range = PortRange { first: FIRST, last: Register::Word(4) };
    let load = |register, port: u16| Expression::Immediate {
        register,
        value: port.to_be_bytes().to_vec(),
    };
    vec![
        load(range.first, first),
        load(range.last, last),
        Expression::Masquerade { flags, ports: Some(range) },
    ]
}
