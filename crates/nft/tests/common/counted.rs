//! Elements to which another program attached a statement, which our own library never does.

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType};
use nix::sys::socket::{recv, send, socket};
use portolan_netlink::nftables::{Connection, Data, Family};
use std::os::fd::AsRawFd as _;

/// `NLM_F_REQUEST`, `NLM_F_ACK`, `NLM_F_CREATE`
const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const CREATE: u16 = 0x400;
/// `NFNL_SUBSYS_NFTABLES`, and the messages of it and of batches.
const NFTABLES: u16 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const NEW_ELEMENTS: u16 = (NFTABLES << 8) | 12;
const DELETE_ELEMENTS: u16 = (NFTABLES << 8) | 14;

/// Puts an element of a set or map, whose values are no verdicts, in the place of one with the
/// same key and value: it counts packets.
pub(crate) fn count_one(table: &str, set: &str) {
    let mut found = None;
    let visit = &mut |view: portolan_netlink::nftables::ElementView<'_>| {
        let data = view.data.map(|data| match data {
            Data::Bytes(bytes) => bytes.to_vec(),
            Data::Verdict(_) => Vec::new(),
        });
        found = Some((view.key.to_vec(), data));
    };
    Connection::open().unwrap().elements(Family::Ip, table, set, visit).unwrap();
    let (key, data) = found.unwrap();
    let key = nested(1, &attribute(1, &key));
    let data = data.map(|data| nested(2, &attribute(1, &data))).unwrap_or_default();
    let counter = nested(7, &attribute(1, b"counter\0"));
    let list = |element: &[u8]| {
        let names = [attribute(1, &text(table)), attribute(2, &text(set))].concat();
        [names, nested(3, &nested(1, element))].concat()
    };
    let batch = [
        message(BATCH_BEGIN, REQUEST, NFTABLES, &[]),
        message(DELETE_ELEMENTS, REQUEST, 0, &list(&key)),
        message(
            NEW_ELEMENTS,
            REQUEST | ACKNOWLEDGE | CREATE,
            0,
            &list(&[key, data, counter].concat()),
        ),
        message(BATCH_END, REQUEST, NFTABLES, &[]),
    ];
    commit(&batch.concat());
}

/// Sends a batch, of which one message is acknowledged.
fn commit(batch: &[u8]) {
    let (family, kind) = (AddressFamily::Netlink, SockType::Raw);
    let protocol = SockProtocol::NetlinkNetFilter;
    let socket = socket(family, kind, SockFlag::empty(), protocol).unwrap();
    send(socket.as_raw_fd(), batch, MsgFlags::empty()).unwrap();
    let mut answer = [0; 4096];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty()).unwrap();
    let error = answer.get(16..20).filter(|_| length >= 20).unwrap();
    assert_eq!(error, [0; 4], "the kernel refuses it");
}

/// A message of nfnetlink, of the IPv4 family unless it is about a batch.
fn message(kind: u16, flags: u16, resource: u16, attributes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(20 + attributes.len()).unwrap();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([if resource == 0 { 2 } else { 0 }, 0]);
    bytes.extend(resource.to_be_bytes());
    bytes.extend(attributes);
    bytes
}

fn nested(kind: u16, attributes: &[u8]) -> Vec<u8> {
    attribute(kind | 1 << 15, attributes)
}

fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(4 + payload.len()).unwrap().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), b"\0"].concat()
}
