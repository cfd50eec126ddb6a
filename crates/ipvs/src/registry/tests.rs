//! The register in a network namespace of its own.

use portolan_lab::namespaced;
use portolan_netlink::nftables::Chain;

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
        let mut batch = Batch::new(None);
        batch.delete_table(Family::Ip, "ours");
        Connection::open().unwrap().commit(&mut batch).unwrap();
        assert_eq!(registry.servers().unwrap(), BTreeSet::from([other]));
        assert!(!registry.is_guarded().unwrap());
        registry.create().unwrap();
        registry.add(&[(key, String::new())]).unwrap();
        assert_eq!(registry.servers().unwrap(), BTreeSet::from([key, other]));
        assert!(registry.is_guarded().unwrap());
    });
}

#[test]
fn rules_that_others_changed_are_mended_and_others_are_not_written_again() {
    let name =
        "registry::tests::rules_that_others_changed_are_mended_and_others_are_not_written_again";
    namespaced(name, || {
        let mut registry = opened();
        registry.create().unwrap();
        assert_eq!(registry.take_transactions(), 1);
        registry.create().unwrap();
        assert_eq!(registry.take_transactions(), 0);
        let chain = Chain { name: "theirs".to_owned(), base: None, comment: None };
        let disturbances: [fn(&mut Batch, &Chain); 2] = [
            |batch, _| batch.flush_chain(Family::Ip6, "ours", "input"),
            |batch, chain| batch.add_chain(Family::Ip, "ours", chain),
        ];
        for disturb in disturbances {
            let mut batch = Batch::new(None);
            disturb(&mut batch, &chain);
            Connection::open().unwrap().commit(&mut batch).unwrap();
            assert!(!registry.is_guarded().unwrap());
            registry.create().unwrap();
            assert!(registry.is_guarded().unwrap());
        }
        registry.mark <<= 1;
        assert!(!registry.is_guarded().unwrap(), "another mark");
    });
}
