//! Expressions as nft makes them of its statements.

use portolan_netlink::nftables::{
    Comparison, CtKey, Expression, FibFlags, FibResult, MetaKey, NatFlags, OwnedVerdict,
    PayloadBase, PortRange, Register, RejectWith,
};

/// Where nft puts the first value that a statement loads.
pub(super) const FIRST: Register = Register::Word(0);

pub(super) fn destination_port(word: u8) -> Expression {
    let register = Register::Word(word);
    Expression::Payload { base: PayloadBase::Transport, offset: 2, length: 2, register }
}

pub(super) fn meta(key: MetaKey) -> Expression {
    Expression::Meta { key, register: FIRST }
}

pub(super) fn ct(key: CtKey) -> Expression {
    Expression::CtLoad { key, register: FIRST }
}

pub(super) fn source_type() -> Expression {
    let (flags, result) = (FibFlags::SOURCE, FibResult::AddressType);
    Expression::Fib { flags, result, register: FIRST }
}

pub(super) fn equal(value: &[u8]) -> Expression {
    let value = value.to_vec();
    Expression::Cmp { comparison: Comparison::Equal, register: FIRST, value }
}

pub(super) fn unequal(value: &[u8]) -> Expression {
    let value = value.to_vec();
    Expression::Cmp { comparison: Comparison::NotEqual, register: FIRST, value }
}

pub(super) fn masked(bits: u32) -> Expression {
    let (mask, xor) = (bits.to_ne_bytes().to_vec(), vec![0; 4]);
    Expression::Bitwise { source: FIRST, destination: FIRST, mask, xor }
}

pub(super) fn mark() -> Vec<Expression> {
    let xor = 0x4000_u32;
    vec![
        meta(MetaKey::Mark),
        Expression::Bitwise {
            source: FIRST,
            destination: FIRST,
            mask: (!xor).to_ne_bytes().to_vec(),
            xor: xor.to_ne_bytes().to_vec(),
        },
        Expression::MetaSet { key: MetaKey::Mark, register: FIRST },
    ]
}

pub(super) fn masquerade_marked() -> Vec<Expression> {
    let bit = 0x4000_u32.to_ne_bytes();
    vec![meta(MetaKey::Mark), masked(0x4000), equal(&bit), masquerade(None)]
}

pub(super) fn masquerade_ports() -> Vec<Expression> {
    let port = |word, number: u16| Expression::Immediate {
        register: Register::Word(word),
        value: number.to_be_bytes().to_vec(),
    };
    let range = PortRange { first: FIRST, last: Register::Word(1) };
    vec![
        meta(MetaKey::Protocol),
        equal(&[17]),
        port(0, 1024),
        port(1, 65535),
        masquerade(Some(range)),
    ]
}

pub(super) fn masquerade(ports: Option<PortRange>) -> Expression {
    Expression::Masquerade { flags: NatFlags::FULLY_RANDOM, ports }
}

pub(super) fn reject(with: RejectWith) -> Expression {
    Expression::Reject(with)
}

pub(super) fn goto(chain: &str) -> Expression {
    Expression::Verdict(OwnedVerdict::Goto(chain.to_owned()))
}

pub(super) fn reset() -> Expression {
    reject(RejectWith::TcpReset)
}

pub(super) fn verdict(verdict: OwnedVerdict) -> Expression {
    Expression::Verdict(verdict)
}

/// `@set`
pub(super) fn member(set: &str) -> Expression {
    lookup(set, None, false)
}

/// `!= @set`
pub(super) fn absent(set: &str) -> Expression {
    lookup(set, None, true)
}

/// `map @set`, or `vmap @set` if the destination is the verdict.
pub(super) fn map(set: &str, destination: Register) -> Expression {
    lookup(set, Some(destination), false)
}

fn lookup(set: &str, destination: Option<Register>, inverted: bool) -> Expression {
    Expression::Lookup { set: set.to_owned(), register: FIRST, destination, inverted }
}
