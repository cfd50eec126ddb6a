use proptest::prelude::*;

use super::super::{
    Batch, Comparison, Data, ElementOperation, Expression, Family, Field, Register, Rule, Set,
    Verdict,
};
use super::*;
use crate::wire::message::Messages;

/// The place of the attribute that begins with these bytes after its header.
fn place_of(batch: &Batch, content: &[u8]) -> Place {
    let request = Messages::new(batch.bytes()).nth(1).unwrap().unwrap();
    let at = request.bytes.windows(content.len()).rposition(|bytes| bytes == content).unwrap();
    locate(&request, at - attribute::HEADER).unwrap()
}

#[test]
fn the_place_of_an_element_is_numbered() {
    let mut batch = Batch::new(None);
    let mut writer = batch.elements(Family::Ip, "t", "s", ElementOperation::Add);
    for number in 0..5_u8 {
        let data = Data::Verdict(Verdict::Goto("lb-3"));
        writer.push(&[10, 0, 0, number], (number == 3).then_some(data), Some("why"));
    }
    let list = "NFTA_SET_ELEM_LIST_ELEMENTS";
    let path = |content: &[u8]| place_of(&batch, content).path;
    assert_eq!(path(&[10, 0, 0, 3]), format!("{list}[3].NFTA_SET_ELEM_KEY.NFTA_DATA_VALUE"));
    assert_eq!(
        path(b"lb-3"),
        format!("{list}[3].NFTA_SET_ELEM_DATA.NFTA_DATA_VERDICT.NFTA_VERDICT_CHAIN")
    );
    assert_eq!(path(b"s\0"), "NFTA_SET_ELEM_LIST_SET");
}

#[test]
fn the_place_in_a_rule_names_the_expression() {
    let mut batch = Batch::new(None);
    let register = Register::Word(0);
    let rule = Rule {
        expressions: vec![
            Expression::Cmp { comparison: Comparison::Equal, register, value: vec![1, 2, 3, 4] },
            Expression::Lookup {
                set: "absent".to_owned(),
                register,
                destination: None,
                inverted: false,
            },
        ],
        comment: None,
    };
    batch.add_rule(Family::Ip, "t", "c", &rule);
    let wanted = |path: &str, expression: &str| Place {
        path: format!("NFTA_RULE_EXPRESSIONS{path}"),
        expression: Some(expression.to_owned()),
    };
    assert_eq!(place_of(&batch, b"absent"), wanted("[1].NFTA_EXPR_DATA.NFTA_LOOKUP_SET", "lookup"));
    assert_eq!(
        place_of(&batch, &[1, 2, 3, 4]),
        wanted("[0].NFTA_EXPR_DATA.NFTA_CMP_DATA.NFTA_DATA_VALUE", "cmp")
    );
    assert_eq!(place_of(&batch, b"\x0b\0\x01\0lookup"), wanted("[1]", "lookup"));
}

#[test]
fn the_place_in_a_set_is_that_of_its_description() {
    let mut batch = Batch::new(None);
    let key = vec![Field::Ipv6Address, Field::Port];
    let size = Some(0x0102_0304);
    let set = Set { name: "s".to_owned(), key, size, interval: true, ..Set::default() };
    batch.add_set(Family::Ip6, "t", &set);
    assert_eq!(place_of(&batch, &[1, 2, 3, 4]).path, "NFTA_SET_DESC.NFTA_SET_DESC_SIZE");
    let fields = "NFTA_SET_DESC.NFTA_SET_DESC_CONCAT";
    assert_eq!(place_of(&batch, &[0, 0, 0, 2]).path, format!("{fields}[1].NFTA_SET_FIELD_LEN"));
}

proptest! {
    #[test]
    fn any_offset_in_any_request_is_named_or_not(
        kind in message::NEW_TABLE..message::GET_GENERATION,
        attributes in prop::collection::vec(any::<u8>(), 0..120),
        offset in 0..200_usize,
    ) {
        let header = framing::Header { kind, ..framing::Header::default() }.encode();
        let bytes = [&header[..], &attributes].concat();
        let request = Message { kind, flags: 0, sequence: 0, start: 0, bytes: &bytes };
        let _ = locate(&request, offset);
    }

    #[test]
    fn every_offset_in_what_nft_sends_is_named(offset in any::<prop::sample::Index>()) {
        for (kind, attributes) in super::super::golden_tests::requests() {
            let header = framing::Header { kind, ..framing::Header::default() }.encode();
            let bytes = [&header[..], &attributes].concat();
            let request = Message { kind, flags: 0, sequence: 0, start: 0, bytes: &bytes };
            let _ = locate(&request, offset.index(bytes.len()));
        }
    }
}
