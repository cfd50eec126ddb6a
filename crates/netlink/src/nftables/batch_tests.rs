use super::*;
use crate::wire::message::Message;

fn messages(batch: &Batch) -> Vec<Message<'_>> {
    Messages::new(batch.bytes()).map(Option::unwrap).collect()
}

#[test]
fn a_sealed_batch_is_framed_numbered_and_asks_for_one_acknowledgement() {
    let mut batch = Batch::new(Some(7));
    batch.delete_table(Family::Ip, "a");
    batch.delete_table(Family::Ip6, "b");
    let open = batch.seal(u32::MAX);
    let sealed = messages(&batch);
    let kinds: Vec<_> = sealed.iter().map(|message| message.kind).collect();
    let (begin, end) = (message::BATCH_BEGIN, message::BATCH_END);
    assert_eq!(kinds, [begin, message::DELETE_TABLE, message::DELETE_TABLE, end]);
    let sequences: Vec<_> = sealed.iter().map(|message| message.sequence).collect();
    assert_eq!(sequences, [u32::MAX, 0, 1, 2]);
    let asks: Vec<_> =
        sealed.iter().map(|message| message.flags & flag::ACKNOWLEDGE != 0).collect();
    assert_eq!(asks, [false, false, true, false]);
    assert_eq!(batch.messages(), 4);
    assert_eq!(messages(&batch)[0].netfilter().unwrap(), (0, 10, &[8, 0, 1, 0, 0, 0, 0, 7][..]));

    batch.unseal(open);
    batch.delete_table(Family::Ip, "c");
    batch.seal(1);
    let asks = messages(&batch).iter().position(|m| m.flags & flag::ACKNOWLEDGE != 0);
    assert_eq!(asks, Some(3), "only the last request, also after one was added");
}

#[test]
fn a_cleared_batch_is_as_a_new_one() {
    let mut batch = Batch::new(Some(1));
    batch.delete_table(Family::Ip, "a\0b");
    batch.clear(None);
    assert_eq!(batch.bytes(), Batch::new(None).bytes());
    assert!(batch.is_empty());
    assert_eq!(batch.unencodable(), None);
}

#[test]
fn names_that_cannot_be_written_are_told_with_their_operation() {
    let mut batch = Batch::new(None);
    batch.flush_chain(Family::Ip, "portolan", "fine");
    batch.delete_chain(Family::Ip, "portolan", "not\0fine");
    batch.delete_chain(Family::Ip6, "portolan", &"x".repeat(0x10000));
    assert_eq!(batch.unencodable(), Some("delete chain not of table ip portolan"));
}

#[test]
fn each_request_counts_as_one_operation() {
    let mut batch = Batch::new(None);
    assert!(batch.is_empty());
    batch.add_table(Family::Ip, &Table::default());
    batch.add_chain(Family::Ip, "t", &Chain::default());
    batch.add_set(Family::Ip, "t", &Set::default());
    batch.add_rule(Family::Ip, "t", "c", &Rule::default());
    batch.flush_set(Family::Ip, "t", "s");
    batch.delete_rule(Family::Ip, "t", "c", 7);
    batch.delete_set(Family::Ip, "t", "s");
    assert_eq!(batch.operations(), 7);
    assert_eq!(batch.len_bytes(), batch.bytes().len());
}
