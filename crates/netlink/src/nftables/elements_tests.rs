use super::*;
use crate::nftables::{ElementView, Verdict};
use crate::wire::message::{Message, Messages};

/// The requests of a batch, without the message that opens its frame.
fn requests(batch: &Batch) -> Vec<Message<'_>> {
    Messages::new(batch.bytes()).map(Option::unwrap).skip(1).collect()
}

fn key(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

#[test]
fn nothing_pushed_writes_nothing_because_an_empty_deletion_would_flush_the_set() {
    let mut batch = Batch::new(None);
    batch.elements(Family::Ip, "t", "s", ElementOperation::Delete);
    assert!(requests(&batch).is_empty());
    assert!(batch.is_empty());
}

#[test]
fn many_elements_are_spread_over_messages_whose_lengths_fit() {
    const COUNT: u32 = 10_000;
    let mut batch = Batch::new(None);
    let mut writer = batch.elements(Family::Ip, "t", "s", ElementOperation::Add);
    for number in 0..COUNT {
        let data = Some(Data::Verdict(Verdict::Goto("lb-3")));
        writer.push(&key(number), data, Some("namespace/name:port"));
    }
    let requests = requests(&batch);
    assert!(requests.len() > 1);
    assert!(requests.iter().all(|message| message.bytes.len() <= usize::from(u16::MAX)));
    let elements: Vec<_> = requests
        .iter()
        .flat_map(|message| ElementView::all(message.netfilter().unwrap().2))
        .map(Option::unwrap)
        .collect();
    assert_eq!(elements.len(), COUNT as usize);
    for (number, element) in (0..).zip(&elements) {
        assert_eq!(element.key, key(number));
        assert_eq!(element.data, Some(Data::Verdict(Verdict::Goto("lb-3"))));
        assert_eq!(element.comment, Some("namespace/name:port"));
    }
    assert_eq!(batch.operations(), COUNT as usize);
    assert_eq!(batch.unencodable(), None);
}

#[test]
fn a_deletion_carries_the_key_alone() {
    let mut batch = Batch::new(None);
    let mut writer = batch.elements(Family::Ip, "t", "s", ElementOperation::Delete);
    writer.push(&key(1), Some(Data::Bytes(&[1])), Some("comment"));
    let requests = requests(&batch);
    assert_eq!(requests[0].kind, message::DELETE_ELEMENTS);
    let element = ElementView::all(requests[0].netfilter().unwrap().2).next().unwrap().unwrap();
    assert_eq!((element.key, element.data, element.comment), (&key(1)[..], None, None));
}

#[test]
fn an_element_too_long_to_be_written_is_told_with_its_set() {
    let mut batch = Batch::new(None);
    let mut writer = batch.elements(Family::Ip6, "t", "s", ElementOperation::Add);
    writer.push(&vec![0; 70_000], None, None);
    assert_eq!(batch.unencodable(), Some("add elements to set s of table ip6 t"));
}

#[test]
fn the_key_behind_a_range_carries_over_bytes() {
    assert_eq!(successor(&[10, 0, 0, 255]), Some(vec![10, 0, 1, 0]));
    assert_eq!(successor(&[255, 255]), None);
    assert_eq!(successor(&[]), None);
}
