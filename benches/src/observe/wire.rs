//! Netlink messages, as far as an observer looks into them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Every message of nf_tables carries the subsystem's number in the upper byte of its type
/// (`NFNL_SUBSYS_NFTABLES` of `include/uapi/linux/netfilter/nfnetlink.h`).
const SUBSYSTEM: u16 = 10;

/// `struct nlmsghdr`
const HEADER: usize = 16;
/// `struct nfgenmsg` follows it.
const BODY: usize = HEADER + 4;

/// What a notification tells (`NFT_MSG_*` of `nf_tables.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// A rule or an element was made, or one with its key was replaced.
    New,
    /// A rule or an element was deleted.
    Deleted,
    /// A table, chain, set or other object was made or deleted.
    Object,
    /// The transaction that everything before belongs to is committed (`NFT_MSG_NEWGEN`).
    Committed,
}

/// The messages of a packet with what follows their headers. Ends at the first that is cut
/// off.
pub(super) fn notices(packet: &[u8]) -> impl Iterator<Item = (Notice, &[u8])> {
    let mut rest = packet;
    let next = move || {
        let length = usize::try_from(u32::from_ne_bytes(*rest.first_chunk()?)).ok()?;
        let message = rest.get(..length).filter(|message| message.len() >= BODY)?;
        let kind = u16::from_ne_bytes([*message.get(4)?, *message.get(5)?]);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, message.get(BODY..)?))
    };
    std::iter::from_fn(next).filter_map(|(kind, attributes)| Some((notice(kind)?, attributes)))
}

fn notice(kind: u16) -> Option<Notice> {
    if kind >> 8 != SUBSYSTEM {
        return None;
    }
    match kind & 0xff {
        // NEWRULE, NEWSETELEM
        6 | 12 => Some(Notice::New),
        // DELRULE, DELSETELEM
        8 | 14 => Some(Notice::Deleted),
        // NEWGEN
        15 => Some(Notice::Committed),
        // tables, chains, sets, objects, flowtables
        0 | 2 | 3 | 5 | 9 | 11 | 18 | 20 | 22 | 24 => Some(Notice::Object),
        _ => None,
    }
}

/// Everything that stands where an address could: attributes and the fields of concatenations
/// begin at multiples of four bytes.
pub(super) fn addresses(attributes: &[u8]) -> impl Iterator<Item = IpAddr> + '_ {
    let places = (0..attributes.len()).step_by(4);
    places.filter_map(|place| attributes.get(place..)).flat_map(|rest| {
        let v4 = rest.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes).into());
        let v6 = rest.first_chunk::<16>().map(|bytes| Ipv6Addr::from(*bytes).into());
        // Looked for in vain at most places.
        v4.into_iter().chain(v6.filter(|_| rest.starts_with(&POD_PREFIX_V6)))
    })
}

/// How addresses of pods begin (`POD_NETWORK_V6`).
const POD_PREFIX_V6: [u8; 8] = [0xfd, 0x00, 0x00, 0x10, 0x01, 0x28, 0, 0];

#[cfg(test)]
pub(super) fn message(kind: u8, attributes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(BODY + attributes.len()).unwrap();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend((u16::from(kind) | SUBSYSTEM << 8).to_ne_bytes());
    bytes.extend([0; BODY - 6]);
    bytes.extend(attributes);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::pod_v6;

    #[test]
    fn messages_of_a_packet_are_told_apart() {
        let packet = [message(12, &[1, 2, 3, 4, 5]), message(14, &[6]), message(15, &[])].concat();
        let found: Vec<_> = notices(&packet).collect();
        let expected: [(Notice, &[u8]); 3] =
            [(Notice::New, &[1, 2, 3, 4, 5]), (Notice::Deleted, &[6]), (Notice::Committed, &[])];
        assert_eq!(found, expected);
    }

    #[test]
    fn nothing_is_read_beyond_a_packet() {
        let whole = message(12, &[1, 2, 3, 4]);
        for length in 0..whole.len() {
            assert_eq!(notices(&whole[..length]).count(), 0, "{length}");
        }
        assert_eq!(notices(&[0; 64]).count(), 0);
    }

    #[test]
    fn other_subsystems_are_skipped() {
        let mut other = message(12, &[]);
        other[4..6].copy_from_slice(&[12, 1]);
        let packet = [other, message(15, &[])].concat();
        assert_eq!(notices(&packet).map(|it| it.0).collect::<Vec<_>>(), [Notice::Committed]);
    }

    #[test]
    fn an_address_is_found_where_attributes_have_it() {
        let found: Vec<_> = addresses(&[0, 8, 0, 1, 10, 128, 0, 7, 9]).collect();
        assert_eq!(found, [IpAddr::from([0, 8, 0, 1]), IpAddr::from([10, 128, 0, 7])]);
        let pod = pod_v6(7);
        let attributes = [&[0, 20, 0, 1], &pod.octets()[..], &[0; 8]].concat();
        let found: Vec<_> = addresses(&attributes).filter(IpAddr::is_ipv6).collect();
        assert_eq!(found, [IpAddr::from(pod)]);
    }
}
