//! Routes of single addresses.

use std::collections::BTreeSet;

use ipnet::IpNet;
use portolan_netlink::route::{LocalRoute, Operation, Routing};

use super::*;

fn table() -> u32 {
    IpvsOptions::default().route_table
}

/// Those outside of the service networks.
fn routes() -> BTreeSet<IpNet> {
    let routes = Routing::open().unwrap().routes(table()).unwrap();
    let alone = |network: &IpNet| network.prefix_len() == network.max_prefix_len();
    routes.into_iter().map(|route| route.network).filter(alone).collect()
}

fn route(number: u8) -> IpNet {
    cluster_ip(number).into()
}

#[test]
fn an_address_has_a_route_while_it_has_a_virtual_server_of_ours() {
    let name = "manager::tests::routes::\
                an_address_has_a_route_while_it_has_a_virtual_server_of_ours";
    namespaced(name, || {
        let mut scene = Scene::new();
        // Another program has the virtual server of the first, and there is no such scheduler.
        let theirs =
            Server { key: key(101), scheduler: "wlc".to_owned(), flags: 0, persistence: None };
        scene.kernel.state().servers.insert(key(101), (theirs, Default::default()));
        scene.kernel.state().lacks.insert("twos".to_owned());
        scene.update(
            [(101, None), (102, None), (103, Some("twos"))]
                .into_iter()
                .flat_map(|(number, scheduler)| [service(number, scheduler), serve(number, &[1])]),
        );
        assert_eq!(routes(), BTreeSet::from([route(102), route(103)]));
        scene.update([102, 103].map(|number| Update::ServiceDeleted(super::name(number))));
        scene.manager.release().unwrap();
        assert_eq!(routes(), BTreeSet::new());
    });
}

#[test]
fn a_route_that_an_earlier_process_left_is_deleted_when_everything_is_compared() {
    let name = "manager::tests::routes::\
                a_route_that_an_earlier_process_left_is_deleted_when_everything_is_compared";
    namespaced(name, || {
        let mut scene = Scene::new();
        scene.update([service(102, None), serve(102, &[1])]);
        let left = Operation::AddRoute(LocalRoute { network: route(104), table: table() });
        assert_eq!(Routing::open().unwrap().execute(&[left]).unwrap(), []);
        assert_eq!(routes(), BTreeSet::from([route(102), route(104)]));
        scene.converge();
        assert_eq!(routes(), BTreeSet::from([route(102)]));
    });
}
