//! Decodes the requests that nft 1.0.6 sent for a table much like Portolan's, encodes the
//! objects again, and compares with what nft wrote.
#![cfg(target_endian = "little")]

use super::uapi::{
    ELEMENT_INTERVAL_END, bitwise, element, element_list, expression, list, lookup, message, rule,
    set,
};
use super::*;
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;
use crate::wire::message::{FAMILY_HEADER, Messages};
use crate::wire::tree::{Node, Payload, tree};

/// The kinds and attributes of nft's requests.
pub(super) fn requests() -> Vec<(u16, Vec<u8>)> {
    include_str!("testdata/nft-1.0.6.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (kind, hex) = line.split_once(' ').unwrap();
            let bytes: Vec<u8> = (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                .collect();
            (message::NEW_TABLE + kind.parse::<u16>().unwrap(), bytes[FAMILY_HEADER..].to_vec())
        })
        .collect()
}

#[test]
fn objects_are_written_as_nft_writes_them() {
    let mut seen = std::collections::BTreeMap::new();
    for (kind, attributes) in requests() {
        let mut encoder = Encoder::default();
        match kind {
            message::NEW_TABLE => Table::decode(&attributes).unwrap().encode(&mut encoder),
            message::NEW_CHAIN => {
                Chain::decode(&attributes).unwrap().encode("portolan", &mut encoder);
            }
            message::NEW_SET if has_marks(&attributes) => continue,
            message::NEW_SET => encoder = encode_set(&attributes),
            message::NEW_RULE => match encode_rule(&attributes) {
                Some(rule) => encoder = rule,
                None => continue,
            },
            message::NEW_ELEMENTS => continue,
            kind => panic!("nobody checks requests of kind {kind}"),
        }
        *seen.entry(kind).or_insert(0) += 1;
        let (ours, mut theirs) = (tree(encoder.bytes()), tree(&attributes));
        if kind == message::NEW_SET {
            theirs.iter_mut().for_each(declare_slots_as_marks);
        }
        assert_eq!(comparable(ours), comparable(theirs), "{kind}: {attributes:02x?}");
    }
    assert_eq!(seen.into_values().collect::<Vec<_>>(), [3, 12, 37, 24]);
}

/// nft's number of `mark`, as which we declare a slot, and of `integer`, as which nft does.
const MARK: u32 = 19;
const INTEGER: u32 = 4;

/// The types of a concatenation, last first.
fn types(mut number: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..5).map_while(move |place| {
        let kind = (number != 0).then_some(number & 63)?;
        number >>= 6;
        Some((6 * place, kind))
    })
}

/// A mark is read as a slot, and so would be described as one.
fn has_marks(attributes: &[u8]) -> bool {
    let set = AttributeSet::<17>::parse(attributes).unwrap();
    let numbers = [set.be32(set::KEY_TYPE), set.be32(set::DATA_TYPE)];
    let is_mark = |number: &u32| *number < 1 << 30 && types(*number).any(|it| it.1 == MARK);
    numbers.iter().flatten().any(is_mark)
}

fn declare_slots_as_marks(node: &mut Node) {
    if let (set::KEY_TYPE, Payload::Bytes(bytes)) = (node.kind, &mut node.payload) {
        let number = u32::from_be_bytes(bytes.as_slice().try_into().unwrap());
        let slots = types(number).filter(|it| it.1 == INTEGER);
        let ours = slots.fold(number, |number, (place, _)| number + ((MARK - INTEGER) << place));
        *bytes = ours.to_be_bytes().to_vec();
    }
}

fn encode_set(attributes: &[u8]) -> Encoder {
    let id = AttributeSet::<17>::parse(attributes).unwrap().be32(set::ID).unwrap();
    let mut encoder = Encoder::default();
    Set::decode(attributes).unwrap().encode("portolan", id, &mut encoder);
    encoder
}

/// `None` for a rule with an expression that this crate does not write.
fn encode_rule(attributes: &[u8]) -> Option<Encoder> {
    let set = AttributeSet::<8>::parse(attributes).unwrap();
    let decoded = Rule::decode(&set).unwrap();
    if decoded.expressions.iter().any(|expr| matches!(expr, Expression::Unknown { .. })) {
        return None;
    }
    let mut encoder = Encoder::default();
    let text = |kind| set.text(kind).unwrap();
    decoded.encode(&text(rule::TABLE), &text(rule::CHAIN), &mut encoder);
    Some(encoder)
}

/// Without what nft writes and the kernel does not need: the numbers that sets have in the
/// batch, beside their names; counters at zero; the bits of NAT that follow from the
/// registers; the one operation of `bitwise` that there used to be, which nft writes in some
/// rules only.
fn comparable(mut nodes: Vec<Node>) -> Vec<Node> {
    for node in &mut nodes {
        if let Payload::Nested(inner) = &mut node.payload {
            *inner = comparable(std::mem::take(inner));
        }
    }
    if let [name, data] = nodes.as_mut_slice()
        && let (Payload::Bytes(name), Payload::Nested(inner)) = (&name.payload, &mut data.payload)
        && data.kind == expression::DATA
    {
        inner.retain(|node| match name.as_slice() {
            b"lookup\0" => node.kind != lookup::SET_ID,
            // `NFTA_DYNSET_SET_ID`
            b"dynset\0" => node.kind != 2,
            b"bitwise\0" => node.kind != bitwise::OP,
            b"counter\0" => false,
            b"masq\0" => node.kind != super::uapi::masquerade::FLAGS,
            b"nat\0" => node.kind != super::uapi::nat::FLAGS,
            _ => true,
        });
    }
    nodes
}

#[test]
fn every_expression_of_nft_is_understood() {
    let mut unknown = Vec::new();
    for (_, attributes) in requests().iter().filter(|(kind, _)| *kind == message::NEW_RULE) {
        let set = AttributeSet::<8>::parse(attributes).unwrap();
        for expression in Rule::decode(&set).unwrap().expressions {
            if let Expression::Unknown { name } = expression {
                unknown.push(name);
            }
        }
    }
    assert_eq!(unknown, Vec::<String>::new());
}

#[test]
fn balancing_is_decoded_as_what_it_is() {
    let wanted = Rule {
        expressions: vec![
            payload(PayloadBase::Network, 16, 4, 0),
            Expression::Meta { key: MetaKey::Protocol, register: Register::Word(1) },
            payload(PayloadBase::Transport, 2, 2, 2),
            Expression::Numgen { modulus: 3, offset: 0, register: Register::Word(3) },
            Expression::Lookup {
                set: "endpoints".to_owned(),
                register: Register::Word(0),
                destination: Some(Register::Word(0)),
                inverted: false,
            },
            Expression::Nat {
                kind: NatKind::Destination,
                family: Family::Ip,
                address: Some(Register::Word(0)),
                port: Some(Register::Word(1)),
                flags: NatFlags::default(),
            },
        ],
        comment: None,
    };
    let found = requests().iter().filter(|(kind, _)| *kind == message::NEW_RULE).any(|(_, a)| {
        let set = AttributeSet::<8>::parse(a).unwrap();
        set.text(rule::CHAIN).unwrap() == "lb-3" && Rule::decode(&set).unwrap() == wanted
    });
    assert!(found);
}

fn payload(base: PayloadBase, offset: u32, length: u32, word: u8) -> Expression {
    Expression::Payload { base, offset, length, register: Register::Word(word) }
}

#[test]
fn elements_are_written_as_nft_writes_them() {
    for (set, count) in [("endpoints", 1), ("services", 1), ("ranges2", 1), ("e", 1)] {
        let theirs = elements_of(set);
        let mut batch = Batch::new(None);
        let mut writer = batch.elements(Family::Ip, "portolan", set, ElementOperation::Add);
        for element in ElementView::all(&theirs).map(Option::unwrap) {
            match element.key_end {
                Some(end) => writer.push_ranges(element.key, end, element.data, element.comment),
                None => writer.push(element.key, element.data, element.comment),
            }
        }
        assert_eq!(batch.operations(), count);
        assert_same_elements(&batch, &theirs);
    }
}

#[test]
fn ranges_of_one_field_are_written_as_nft_writes_them() {
    let mut batch = Batch::new(None);
    let mut writer = batch.elements(Family::Ip, "portolan", "f", ElementOperation::Add);
    let drop = Some(Data::Verdict(Verdict::Drop));
    let accept = Some(Data::Verdict(Verdict::Accept));
    writer.push_range(&[10, 0, 0, 0], &[10, 255, 255, 255], drop, None);
    writer.push_range(&[192, 168, 0, 0], &[192, 168, 3, 255], accept, None);
    writer.push_range(&[224, 0, 0, 0], &[255, 255, 255, 255], drop, None);
    assert_eq!(batch.operations(), 3);
    assert_same_elements(&batch, &elements_of("f"));
}

/// What nft sent for the elements of a set, the first time.
fn elements_of(set: &str) -> Vec<u8> {
    let names = |attributes: &[u8]| {
        let names = AttributeSet::<5>::parse(attributes).unwrap();
        names.text(element_list::SET).unwrap().into_owned()
    };
    let mut requests = requests().into_iter();
    let found = requests.find(|(kind, a)| *kind == message::NEW_ELEMENTS && names(a) == set);
    found.unwrap().1
}

/// The element with which nft lets a set of ranges begin: the end of a range before 0.
fn end_of_nothing() -> Vec<Node> {
    let mut encoder = Encoder::default();
    Data::Bytes(&[0; 4]).encode(element::KEY, &mut encoder);
    encoder.be32(element::FLAGS, ELEMENT_INTERVAL_END);
    tree(encoder.bytes())
}

/// nft numbers the entries of the list where the kernel's header has `NFTA_LIST_ELEM`, and
/// gives the number that the set has in the batch beside its name.
fn assert_same_elements(batch: &Batch, theirs: &[u8]) {
    let message = Messages::new(batch.bytes()).nth(1).unwrap().unwrap();
    let ours = tree(message.netfilter().unwrap().2);
    let mut theirs = tree(theirs);
    theirs.retain(|node| node.kind != element_list::SET_ID);
    for node in &mut theirs {
        if let (element_list::ELEMENTS, Payload::Nested(entries)) = (node.kind, &mut node.payload) {
            entries.iter_mut().for_each(|entry| entry.kind = list::ELEM);
            entries.retain(|entry| entry.payload != Payload::Nested(end_of_nothing()));
        }
    }
    assert_eq!(ours, theirs);
}
