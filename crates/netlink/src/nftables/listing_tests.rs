use proptest::prelude::*;

use super::super::golden_tests::requests;
use super::super::{Expression, Rule};
use super::*;
use crate::wire::encoder::Encoder;
use crate::wire::message::Header;

/// Messages of the kind that answers a request, one per attributes.
fn packet(kind: u16, sequence: u32, generation: u16, attributes: &[&[u8]]) -> Vec<u8> {
    let mut encoder = Encoder::default();
    for attributes in attributes {
        let resource = generation;
        let header = Header { kind, sequence, family: 2, resource, ..Header::default() };
        let start = encoder.begin_message(header);
        encoder.attribute(0x3fff, attributes);
        encoder.end_message(start);
    }
    encoder.bytes().to_vec()
}

fn read(reader: &mut Reader<'_>, packet: &[u8]) -> Result<Option<Progress>, NetlinkError> {
    reader.read(packet, &mut Vec::new())
}

fn done(sequence: u32, error: i32) -> Vec<u8> {
    let header = Header { kind: message::DONE, sequence, ..Header::default() }.encode();
    let mut bytes = [&header[..16], &error.to_ne_bytes()].concat();
    bytes[0] = 20;
    bytes
}

#[test]
fn a_listing_ends_with_its_mark_and_is_repeated_after_a_change() {
    let mut request = Request::list(message::GET_CHAIN, Family::Ip, |_| {});
    request.number(7);
    let new = || Reader::new(&request, message::NEW_CHAIN);
    let kind = message::NEW_CHAIN;

    let mut reader = new();
    assert_eq!(read(&mut reader, &packet(kind, 7, 1, &[&[], &[]])).unwrap(), None);
    assert_eq!(read(&mut reader, &done(6, 0)).unwrap(), None, "an answer to an older request");
    assert_eq!(read(&mut reader, &done(7, 0)).unwrap(), Some(Progress::Complete));

    let mut reader = new();
    assert_eq!(read(&mut reader, &packet(kind, 7, 1, &[&[]])).unwrap(), None);
    let changed = packet(kind, 7, 2, &[&[]]);
    assert_eq!(read(&mut reader, &changed).unwrap(), None, "the rest has to be read");
    assert_eq!(read(&mut reader, &done(7, 0)).unwrap(), Some(Progress::Disturbed));
    assert_eq!(read(&mut new(), &done(7, -4)).unwrap(), Some(Progress::Interrupted));
    assert_eq!(read(&mut new(), &done(7, -2)).unwrap(), Some(Progress::Complete));
    let refused = read(&mut new(), &done(7, -1)).unwrap_err().to_string();
    assert!(refused.starts_with("the kernel refused to list chains"), "{refused}");

    let mut marked = packet(kind, 7, 1, &[&[]]);
    marked[6] = 0x10;
    let mut reader = new();
    assert_eq!(read(&mut reader, &marked).unwrap(), None);
    assert_eq!(read(&mut reader, &done(7, 0)).unwrap(), Some(Progress::Disturbed));
}

proptest! {
    #[test]
    fn any_packet_is_read_or_refused(packet in prop::collection::vec(any::<u8>(), 0..200)) {
        let request = Request::list(message::GET_CHAIN, Family::Ip, |_| {});
        let _ = read(&mut Reader::new(&request, message::NEW_CHAIN), &packet);
    }

    #[test]
    fn spoilt_objects_are_decoded_as_some_object_or_refused(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let (_, mut bytes) = which.get(&requests()).clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            decode_as_everything(bytes);
        }
    }

    #[test]
    fn any_bytes_are_decoded_as_some_object_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        decode_as_everything(&bytes);
    }
}

fn decode_as_everything(bytes: &[u8]) {
    let _ = Table::decode(bytes);
    let _ = Chain::decode(bytes);
    let _ = Set::decode(bytes);
    let _ = ListedRule::decode(bytes);
    let _ = AttributeSet::<8>::parse(bytes).and_then(|set| Rule::decode(&set));
    let _ = Expression::decode(bytes);
    assert!(ElementView::all(bytes).count() <= bytes.len() / 4 + 2);
}
