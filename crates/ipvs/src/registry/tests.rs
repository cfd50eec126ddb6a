//! The register in a network namespace of its own.

mod declarations;
mod mending;

use std::net::{TcpListener, TcpStream};

use portolan_lab::namespaced;
use portolan_netlink::nftables::{
    BaseChain, Chain, ChainKind, CtKey, Expression, Hook, Policy, Register, Rule, Table,
};

use super::*;

#[test]
fn every_server_is_read_as_it_was_written() {
    for (text, family) in [("10.96.0.1:443", Family::Ip), ("[fd00::1]:53", Family::Ip6)] {
        for protocol in [6, 17, 132] {
            let key = ServerKey::Address { protocol, address: text.parse().unwrap() };
            let (v6, bytes) = encode(&key).unwrap();
            assert_eq!(v6, family == Family::Ip6);
            assert_eq!(decode(family, &bytes), Some(key));
        }
    }
    assert_eq!(decode(Family::Ip, &[1, 2, 3]), None);
}

fn opened() -> Registry {
    let registry = "ours".to_owned();
    Registry::of(&IpvsOptions { registry, ..IpvsOptions::default() }).unwrap()
}

#[test]
fn a_table_that_others_deleted_is_made_again() {
    namespaced("registry::tests::a_table_that_others_deleted_is_made_again", || {
        let mut registry = opened();
        registry.create().unwrap();
        let [key, other] = ["10.96.0.1:80", "[fd00::1]:80"]
            .map(|it| ServerKey::Address { protocol: 6, address: it.parse().unwrap() });
        registry.add(&[(key, String::new()), (other, String::new())]).unwrap();
        mending::commit(|batch| batch.delete_table(Family::Ip, "ours"));
        assert_eq!(registry.servers().unwrap(), BTreeSet::from([other]));
        assert!(!registry.is_guarded().unwrap());
        registry.create().unwrap();
        registry.add(&[(key, String::new())]).unwrap();
        assert_eq!(registry.servers().unwrap(), BTreeSet::from([key, other]));
        assert!(registry.is_guarded().unwrap());
    });
}

/// Gives what this node sends a mark, as the table does that hands it over.
fn mark_connections(mark: u32) {
    let (name, hook) = ("marking".to_owned(), Hook::Output);
    let (kind, policy) = (ChainKind::Filter, Policy::Accept);
    let base = Some(BaseChain { kind, hook, priority: -150, policy });
    let expressions = vec![
        Expression::Immediate { register: Register::Word(0), value: mark.to_ne_bytes().to_vec() },
        Expression::CtSet { key: CtKey::Mark, register: Register::Word(0) },
    ];
    let mut batch = Batch::new(None);
    batch.add_table(Family::Ip, &Table { name: name.clone(), ..Table::default() });
    batch.add_chain(Family::Ip, &name, &Chain { name: name.clone(), base, comment: None });
    batch.add_rule(Family::Ip, &name, &name, &Rule { expressions, comment: None });
    Connection::open().unwrap().commit(&mut batch).unwrap();
}

#[test]
fn what_an_earlier_process_marked_is_let_in_until_its_mark_is_forgotten() {
    let name =
        "registry::tests::what_an_earlier_process_marked_is_let_in_until_its_mark_is_forgotten";
    namespaced(name, || {
        let mut registry = opened();
        let former = registry.mark << 1;
        mark_connections(former);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        for (former_marks, is_let_in) in [(former, true), (0, false), (former, true)] {
            registry.let_in(former_marks);
            registry.create().unwrap();
            let key = ServerKey::Address { protocol: 6, address };
            registry.add(&[(key, String::new())]).unwrap();
            assert!(registry.is_guarded().unwrap());
            let connected = TcpStream::connect(address);
            assert_eq!(connected.is_ok(), is_let_in, "{former_marks:#x}: {connected:?}");
        }
    });
}
