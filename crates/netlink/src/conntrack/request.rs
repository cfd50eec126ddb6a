//! What connection tracking is asked.

use super::Flow;
use super::uapi::{filter, flag, flow, message, protocol, status, tuple};
use crate::nftables::Family;
use crate::wire::encoder::Encoder;
use crate::wire::message::Header;

/// What is asked of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) family: Family,
    /// The IP protocol number.
    pub(super) number: u8,
    /// Without those that have been answered.
    pub(super) unanswered: bool,
    /// Only those that have all of these bits in their mark. Every kernel picks them.
    pub(super) marks: u32,
}

impl Wanted {
    /// Whether a flow is one of those, for kernels that send others too.
    pub(super) fn fits(self, flow: &Flow) -> bool {
        flow.protocol == self.number && !(self.unanswered && flow.answered)
    }
}

pub(super) fn list_request(wanted: Wanted, sequence: u32) -> Encoder {
    let flags = flag::REQUEST | flag::DUMP;
    request(message::GET, flags, wanted.family, sequence, |encoder| {
        encoder.nested(flow::ORIGINAL, |encoder| {
            encoder.nested(tuple::PROTOCOL, |encoder| encoder.u8(protocol::NUMBER, wanted.number));
        });
        if wanted.unanswered {
            encoder.be32(flow::STATUS, 0);
            encoder.be32(flow::STATUS_MASK, status::SEEN_REPLY);
        }
        if wanted.marks != 0 {
            encoder.be32(flow::MARK, wanted.marks);
            encoder.be32(flow::MARK_MASK, wanted.marks);
        }
        encoder.nested(flow::FILTER, |encoder| {
            let flags = filter::BY_PROTOCOL_NUMBER.to_ne_bytes();
            encoder.attribute(filter::ORIGINAL_FLAGS, &flags);
        });
    })
}

pub(super) fn delete_request(flow: &Flow, sequence: u32) -> Encoder {
    let flags = flag::REQUEST | flag::ACKNOWLEDGE;
    let write = |encoder: &mut Encoder| flow.encode_identity(encoder);
    request(message::DELETE, flags, flow.family(), sequence, write)
}

/// Sets bits of a flow's mark.
pub(super) fn mark_request(flow: &Flow, bits: u32, sequence: u32) -> Encoder {
    let flags = flag::REQUEST | flag::ACKNOWLEDGE;
    request(message::NEW, flags, flow.family(), sequence, |encoder| {
        flow.encode_identity(encoder);
        encoder.be32(flow::MARK, bits);
        encoder.be32(flow::MARK_MASK, bits);
    })
}

fn request(
    kind: u16,
    flags: u16,
    family: Family,
    sequence: u32,
    write: impl FnOnce(&mut Encoder),
) -> Encoder {
    let mut encoder = Encoder::default();
    let header = Header { kind, flags, sequence, family: family.number(), ..Header::default() };
    let start = encoder.begin_message(header);
    write(&mut encoder);
    encoder.end_message(start);
    encoder
}

#[cfg(test)]
mod tests {
    use super::super::Tuple;
    use super::*;

    #[test]
    fn what_an_older_kernel_sends_besides_is_left_out() {
        let address = "10.0.0.1:1".parse().unwrap();
        let tuple = Tuple { source: address, destination: address };
        let flow = |protocol, answered| {
            let (original, reply) = (tuple, tuple);
            Flow { protocol, original, reply, answered, id: 1, zone: 0 }
        };
        for (unanswered, expected) in [(false, [true, true, false]), (true, [true, false, false])] {
            let wanted = Wanted { family: Family::Ip, number: 6, unanswered, marks: 0 };
            let flows = [flow(6, false), flow(6, true), flow(17, false)];
            assert_eq!(flows.map(|flow| wanted.fits(&flow)), expected, "{wanted:?}");
        }
    }
}
