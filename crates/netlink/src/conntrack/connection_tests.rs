use std::net::{TcpListener, TcpStream, UdpSocket};

use portolan_lab::namespaced;

use super::*;
use crate::nftables::{
    BaseChain, Batch, Chain, ChainKind, Connection, CtKey, Expression, Hook, Policy, Register,
    Rule, Table,
};

/// The kernel tracks connections once a rule asks about them.
fn track() {
    let (name, kind) = ("track".to_owned(), ChainKind::Filter);
    let base = BaseChain { kind, hook: Hook::Output, priority: 0, policy: Policy::Accept };
    let ask = Expression::CtLoad { key: CtKey::Status, register: Register::Word(0) };
    let rule = Rule { expressions: vec![ask], comment: None };
    let mut batch = Batch::new(None);
    batch.add_table(Family::Ip, &Table { name: name.clone(), ..Table::default() });
    let chain = Chain { name: name.clone(), base: Some(base), comment: None };
    batch.add_chain(Family::Ip, &name, &chain);
    batch.add_rule(Family::Ip, &name, &name, &rule);
    Connection::open().unwrap().commit(&mut batch).unwrap();
}

#[test]
fn the_kernel_itself_leaves_out_other_protocols_and_what_has_been_answered() {
    let name = "conntrack::connection::tests::the_kernel_itself_leaves_out_other_protocols_and_what_has_been_answered";
    namespaced(name, || {
        track();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(b"hello", socket.local_addr().unwrap()).unwrap();
        let mut conntrack = Conntrack::open().unwrap();
        let cases =
            [(6, false, Some(6)), (17, false, Some(17)), (6, true, None), (17, true, Some(17))];
        for (number, unanswered, expected) in cases {
            let wanted = Wanted { family: Family::Ip, number, unanswered, marks: 0 };
            conntrack.socket.send(list_request(wanted, 1).bytes()).unwrap();
            let mut protocols = Vec::new();
            let mut visit = |flow: Flow| protocols.push(flow.protocol);
            conntrack.collect(1, "list", &mut visit).unwrap();
            assert_eq!(protocols, Vec::from_iter(expected), "{wanted:?}");
        }
    });
}

#[test]
fn flows_are_found_by_the_bits_of_their_mark_and_get_others_besides() {
    let name = "conntrack::connection::tests::flows_are_found_by_the_bits_of_their_mark_and_get_others_besides";
    namespaced(name, || {
        track();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(b"hello", socket.local_addr().unwrap()).unwrap();
        let mut conntrack = Conntrack::open().unwrap();
        let marked = |conntrack: &mut Conntrack, bits| {
            let mut flows = Vec::new();
            let visit = &mut |flow| flows.push(flow);
            conntrack.marked_flows(Family::Ip, 17, bits, visit).unwrap();
            flows
        };
        let mut all = Vec::new();
        conntrack.flows(Family::Ip, 17, &mut |flow| all.push(flow)).unwrap();
        let [flow] = all[..] else { unreachable!("{all:?}") };
        assert!(conntrack.mark(&flow, 1 << 13).unwrap());
        assert!(conntrack.mark(&flow, 1 << 31).unwrap());
        for (bits, found) in [(1 << 13, 1), (1 << 31, 1), (1 << 12, 0), (3 << 12, 0)] {
            assert_eq!(marked(&mut conntrack, bits).len(), found, "{bits:#x}");
        }
        assert!(conntrack.delete(&flow).unwrap());
        assert!(!conntrack.mark(&flow, 1 << 13).unwrap());
    });
}

#[test]
fn refusals_say_what_to_check() {
    for (error, expected) in [(1, "CAP_NET_ADMIN"), (22, "nf_conntrack_netlink")] {
        let acknowledgement = Acknowledgement { error, ..Acknowledgement::default() };
        let text = refused(acknowledgement, "list flows").to_string();
        assert!(text.contains(expected) && text.contains("list flows"), "{text}");
    }
}
