//! Flows of real packets, listed and ended.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use portolan_lab::namespaced;
use portolan_netlink::conntrack::{Conntrack, Flow, Tuple};
use portolan_netlink::nftables::{
    BaseChain, ChainKind, CtKey, Expression, Hook, Policy, Register, Rule,
};

use super::*;

const UDP: u8 = 17;
const TCP: u8 = 6;
const LOOPBACK: [(Family, &str); 2] = [(Family::Ip, "127.0.0.1:0"), (Family::Ip6, "[::1]:0")];

/// The kernel tracks connections of a family once a rule asks about them.
fn track(family: Family) {
    let mut batch = Batch::new(None);
    batch.add_table(family, &Table { name: TABLE.to_owned(), ..Table::default() });
    let base = BaseChain {
        kind: ChainKind::Filter,
        hook: Hook::Output,
        priority: 0,
        policy: Policy::Accept,
    };
    batch.add_chain(
        family,
        TABLE,
        &Chain { name: "out".to_owned(), base: Some(base), comment: None },
    );
    let ask = Expression::CtLoad { key: CtKey::Status, register: Register::Word(0) };
    batch.add_rule(family, TABLE, "out", &Rule { expressions: vec![ask], comment: None });
    Connection::open().unwrap().commit(&mut batch).unwrap();
}

/// Sends a datagram from a socket to another; both are returned, so that nobody else gets
/// their ports.
fn datagram(address: &str) -> (UdpSocket, UdpSocket) {
    let sockets = (UdpSocket::bind(address).unwrap(), UdpSocket::bind(address).unwrap());
    sockets.0.send_to(b"hello", sockets.1.local_addr().unwrap()).unwrap();
    sockets
}

fn tuple(sockets: &(UdpSocket, UdpSocket)) -> Tuple {
    let address = |socket: &UdpSocket| -> SocketAddr { socket.local_addr().unwrap() };
    Tuple { source: address(&sockets.0), destination: address(&sockets.1) }
}

fn flows(conntrack: &mut Conntrack, family: Family, protocol: u8) -> Vec<Flow> {
    let mut flows = Vec::new();
    conntrack.flows(family, protocol, &mut |flow| flows.push(flow)).unwrap();
    flows
}

#[test]
fn flows_of_one_protocol_and_family_are_listed_and_one_of_them_is_ended() {
    let name = "conntrack::flows_of_one_protocol_and_family_are_listed_and_one_of_them_is_ended";
    namespaced(name, || {
        LOOPBACK.iter().for_each(|(family, _)| track(*family));
        let mut conntrack = Conntrack::open().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        for (family, address) in LOOPBACK {
            let (first, second) = (datagram(address), datagram(address));
            let listed = flows(&mut conntrack, family, UDP);
            assert_eq!(listed.len(), 2, "{listed:?}");
            let of = |sockets| *listed.iter().find(|it| it.original == tuple(sockets)).unwrap();
            let (ended, kept) = (of(&first), of(&second));
            assert!(!ended.answered && !kept.answered);
            let Tuple { source, destination } = ended.original;
            assert_eq!(ended.reply, Tuple { source: destination, destination: source });

            let other = Flow { id: !ended.id, ..ended };
            assert!(!conntrack.delete(&other).unwrap(), "a later flow is not this one");
            assert!(!conntrack.delete(&Flow { zone: 7, ..ended }).unwrap(), "nor in that zone");
            assert_eq!(flows(&mut conntrack, family, UDP).len(), 2);
            assert!(conntrack.delete(&ended).unwrap());
            assert_eq!(flows(&mut conntrack, family, UDP), [kept]);
            assert!(!conntrack.delete(&ended).unwrap(), "it is gone already");
        }
        let answered: Vec<bool> =
            flows(&mut conntrack, Family::Ip, TCP).iter().map(|flow| flow.answered).collect();
        assert_eq!(answered, [true]);
        for (protocol, expected) in [(TCP, 0), (UDP, 1)] {
            let mut count = 0;
            let mut visit = |_| count += 1;
            conntrack.unanswered_flows(Family::Ip, protocol, &mut visit).unwrap();
            assert_eq!(count, expected, "{protocol}");
        }
        assert_eq!(flows(&mut conntrack, Family::Ip6, TCP), []);
    });
}

#[test]
fn thousands_of_flows_are_listed_each_once() {
    namespaced("conntrack::thousands_of_flows_are_listed_each_once", || {
        track(Family::Ip);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for port in 10_000..13_000_u16 {
            // Nobody listens: the answer is an error at the next call, which is no matter.
            while sender.send_to(b"hello", ("127.0.0.1", port)).is_err() {}
        }
        let mut conntrack = Conntrack::open().unwrap();
        let mut ports: Vec<u16> = flows(&mut conntrack, Family::Ip, UDP)
            .iter()
            .map(|flow| flow.original.destination.port())
            .collect();
        ports.sort_unstable();
        assert!(ports.iter().copied().eq(10_000..13_000), "{} flows", ports.len());
    });
}
