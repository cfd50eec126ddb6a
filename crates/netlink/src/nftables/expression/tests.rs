use proptest::prelude::*;
use proptest::strategy::Union;

use super::super::uapi::{expression, meta};
use super::*;
use crate::wire::attribute::{AttributeSet, HEADER};
use crate::wire::encoder::Encoder;

fn register() -> impl Strategy<Value = Register> {
    (0..16_u8).prop_map(Register::Word)
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..20)
}

fn name() -> impl Strategy<Value = String> {
    "[a-z0-9-]{1,40}"
}

fn loads() -> BoxedStrategy<Expression> {
    let base =
        prop::sample::select(vec![PayloadBase::Link, PayloadBase::Network, PayloadBase::Transport]);
    let fib_result = prop::sample::select(vec![
        FibResult::InterfaceIndex,
        FibResult::InterfaceName,
        FibResult::AddressType,
    ]);
    Union::new([
        (base, any::<u32>(), any::<u32>(), register())
            .prop_map(|(base, offset, length, register)| Expression::Payload {
                base,
                offset,
                length,
                register,
            })
            .boxed(),
        (name(), register(), prop::option::of(register()), any::<u64>())
            .prop_map(|(set, key, data, timeout)| Expression::Update {
                set,
                key,
                data,
                timeout: Expression::round_timeout(timeout),
            })
            .boxed(),
        (any::<u32>(), any::<u32>(), register())
            .prop_map(|(modulus, offset, register)| Expression::Numgen {
                modulus,
                offset,
                register,
            })
            .boxed(),
        (any::<u32>(), fib_result, register())
            .prop_map(|(flags, result, register)| Expression::Fib {
                flags: FibFlags(flags),
                result,
                register,
            })
            .boxed(),
        (register(), bytes())
            .prop_map(|(register, value)| Expression::Immediate { register, value })
            .boxed(),
    ])
    .boxed()
}

fn keyed() -> BoxedStrategy<Expression> {
    let meta = prop::sample::select(vec![
        MetaKey::Mark,
        MetaKey::InputInterfaceName,
        MetaKey::OutputInterfaceName,
        MetaKey::Family,
        MetaKey::Protocol,
        MetaKey::Other(1),
    ]);
    let ct = prop::sample::select(vec![
        CtKey::State,
        CtKey::Status,
        CtKey::Mark,
        CtKey::Direction,
        CtKey::Other(7),
    ]);
    Union::new([
        (meta, register(), any::<bool>())
            .prop_map(|(key, register, set)| match set {
                true => Expression::MetaSet { key, register },
                false => Expression::Meta { key, register },
            })
            .boxed(),
        (ct, register(), any::<bool>())
            .prop_map(|(key, register, set)| match set {
                true => Expression::CtSet { key, register },
                false => Expression::CtLoad { key, register },
            })
            .boxed(),
    ])
    .boxed()
}

fn examinations() -> BoxedStrategy<Expression> {
    let comparison = (0..6_u32).prop_map(|number| Comparison::from_number(number).unwrap());
    let destination = prop::option::of(prop_oneof![Just(Register::Verdict), register().boxed()]);
    Union::new([
        (comparison, register(), bytes())
            .prop_map(|(comparison, register, value)| Expression::Cmp {
                comparison,
                register,
                value,
            })
            .boxed(),
        (register(), register(), bytes(), bytes())
            .prop_map(|(source, destination, mask, xor)| Expression::Bitwise {
                source,
                destination,
                mask,
                xor,
            })
            .boxed(),
        (name(), register(), destination, any::<bool>())
            .prop_map(|(set, register, destination, inverted)| Expression::Lookup {
                set,
                register,
                destination,
                inverted,
            })
            .boxed(),
    ])
    .boxed()
}

fn verdicts() -> BoxedStrategy<Expression> {
    prop_oneof![
        Just(OwnedVerdict::Accept),
        Just(OwnedVerdict::Drop),
        Just(OwnedVerdict::Return),
        Just(OwnedVerdict::Other(-1)),
        name().prop_map(OwnedVerdict::Goto),
        name().prop_map(OwnedVerdict::Jump),
    ]
    .prop_map(Expression::Verdict)
    .boxed()
}

fn actions() -> BoxedStrategy<Expression> {
    let nat = (any::<bool>(), any::<bool>(), prop::option::of(register()));
    let range = (register(), register()).prop_map(|(first, last)| PortRange { first, last });
    let flags = any::<u32>().prop_map(|bits| NatFlags(bits & !3));
    Union::new([
        (nat, prop::option::of(register()), flags.clone())
            .prop_map(|((source, ip, address), port, flags)| Expression::Nat {
                kind: if source { NatKind::Source } else { NatKind::Destination },
                family: if ip { Family::Ip } else { Family::Ip6 },
                address,
                port,
                flags,
            })
            .boxed(),
        (flags, prop::option::of(range))
            .prop_map(|(flags, ports)| Expression::Masquerade { flags, ports })
            .boxed(),
        Just(Expression::Reject(RejectWith::TcpReset)).boxed(),
        any::<u8>().prop_map(|code| Expression::Reject(RejectWith::IcmpUnreachable(code))).boxed(),
        any::<u8>().prop_map(|code| Expression::Reject(RejectWith::IcmpxUnreachable(code))).boxed(),
        Just(Expression::Counter).boxed(),
        Just(Expression::Unknown { name: "quota".to_owned() }).boxed(),
    ])
    .boxed()
}

fn expression() -> impl Strategy<Value = Expression> {
    prop_oneof![loads(), keyed(), examinations(), verdicts(), actions()]
}

fn encoded(expression: &Expression) -> Vec<u8> {
    let mut encoder = Encoder::default();
    expression.encode(&mut encoder);
    assert!(!encoder.take_fault());
    encoder.bytes()[HEADER..].to_vec()
}

proptest! {
    #[test]
    fn an_expression_is_decoded_as_it_was_encoded(expression in expression()) {
        prop_assert_eq!(Expression::decode(&encoded(&expression)), Some(expression));
    }

    #[test]
    fn a_spoilt_expression_is_decoded_as_some_expression_or_refused(
        expression in expression(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encoded(&expression);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = Expression::decode(&bytes);
        let _ = Expression::decode(&bytes[..cut.index(bytes.len())]);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = Expression::decode(&bytes);
    }
}

#[test]
fn forms_that_we_do_not_write_are_unknown() {
    for (name, numbers) in [
        ("meta", &[(meta::KEY, 3), (meta::DREG, 1), (meta::SREG, 1)][..]),
        ("meta", &[(meta::KEY, 3)]),
        ("meta", &[(meta::KEY, 3), (meta::DREG, 5)]),
        ("numgen", &[(1, 1), (2, 2), (3, 0), (4, 0)]),
        ("ct", &[(1, 1), (2, 8), (3, 0)]),
        ("lookup", &[(1, 0), (2, 1), (5, 2)]),
        ("nat", &[(1, 1), (2, 2), (3, 1), (4, 9)]),
        ("bitwise", &[(1, 1), (2, 1), (6, 1)]),
        ("masq", &[(1, 16), (2, 8), (3, 9)]),
    ] {
        let mut encoder = Encoder::default();
        encoder.text(expression::NAME, name);
        encoder.nested(expression::DATA, |encoder| {
            numbers.iter().for_each(|(kind, number)| encoder.be32(*kind, *number));
        });
        let wanted = Some(Expression::Unknown { name: name.to_owned() });
        assert_eq!(Expression::decode(encoder.bytes()), wanted, "{numbers:?}");
    }
}

/// Captured from `nft --debug=netlink`, 1.1.
#[test]
fn masquerading_to_ports_says_that_ports_are_given_as_nft_does() {
    let range = PortRange { first: Register::Word(0), last: Register::Word(1) };
    for (flags, ports, number) in [
        (NatFlags::FULLY_RANDOM, Some(range), 0x12_u32),
        (NatFlags::default(), Some(range), 0x2),
        (NatFlags::FULLY_RANDOM, None, 0x10),
    ] {
        let bytes = encoded(&Expression::Masquerade { flags, ports });
        let set = AttributeSet::<3>::parse(&bytes).unwrap();
        let data = AttributeSet::<4>::parse(set.get(expression::DATA).unwrap()).unwrap();
        assert_eq!(data.be32(1), Some(number), "{flags:?} {ports:?}");
    }
}
