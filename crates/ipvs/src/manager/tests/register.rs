//! What others do to the register of virtual servers.

use std::collections::BTreeSet;

use portolan_netlink::nftables::{Batch, Family as TableFamily, Field, Set};

use super::*;

/// Puts a set with another key in the place of ours.
fn declare_otherwise() {
    let mut connection = Connection::open().unwrap();
    let (family, table) = (TableFamily::Ip, IpvsOptions::default().registry);
    let set = connection.sets(family, &table).unwrap().pop().unwrap();
    let mut batch = Batch::new(None);
    let chains = connection.chains(family, &table).unwrap();
    chains.iter().for_each(|chain| batch.flush_chain(family, &table, &chain.name));
    batch.delete_set(family, &table, &set.name);
    batch.add_set(family, &table, &Set { key: vec![Field::Ipv4Address], ..set });
    connection.commit(&mut batch).unwrap();
}

#[test]
fn servers_are_registered_again_where_others_declared_the_register_otherwise() {
    let name = "manager::tests::register::\
                servers_are_registered_again_where_others_declared_the_register_otherwise";
    namespaced(name, || {
        let mut scene = Scene::new();
        scene.update([service(1, None), serve(1, &[1]), service(2, None), serve(2, &[1])]);
        declare_otherwise();
        assert!(!scene.manager.is_undisturbed().unwrap());
        scene.converge();
        assert!(scene.manager.is_undisturbed().unwrap());
        assert_eq!(scene.manager.registry.servers().unwrap(), BTreeSet::from([key(1), key(2)]));

        // A process that follows remembers nothing.
        let options = IpvsOptions::default();
        scene.manager = Manager::with(Box::new(scene.kernel.clone()), &options).unwrap();
        scene.converge();
        scene.update([serve(1, &[2])]);
        scene.manager.release().unwrap();
        assert_eq!(scene.server(1).unwrap().1, [(2, 1)], "it is ours");
    });
}
