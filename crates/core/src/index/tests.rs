//! What only the inside of an index can show: how much it marks, and what it keeps.

mod lookup;

use std::net::IpAddr;

use super::*;
use crate::model::{Endpoint, EndpointPort, Family, Protocol, ServicePort, ServiceType};

fn name(text: &str) -> ObjectName {
    ObjectName::new("shop", text)
}

fn service(service: &str, created: i64, address: [u8; 4]) -> Update {
    Update::ServiceApplied(Service {
        created: Some(created),
        service_type: ServiceType::NodePort,
        cluster_ips: vec![IpAddr::from(address)],
        ports: vec![ServicePort {
            name: "".into(),
            protocol: Protocol::Tcp,
            port: 80,
            node_port: Some(30080),
        }],
        ..Service::new(name(service))
    })
}

fn slice(slice: &str, service: &str, addresses: &[[u8; 4]]) -> EndpointSlice {
    let endpoint = |&address| Endpoint {
        address: IpAddr::from(address),
        conditions: crate::model::Conditions::default(),
        node_name: None,
        hints: None,
    };
    EndpointSlice {
        name: name(slice),
        service: name(service),
        family: Family::V4,
        ports: vec![EndpointPort { name: "".into(), protocol: Protocol::Tcp, port: 8080 }],
        endpoints: addresses.iter().map(endpoint).collect(),
        trigger_time: None,
    }
}

/// Services `a`, `b` and `c`, from old to young, that want one NodePort; a slice each.
fn three_services() -> Index {
    let mut index = Index::new("here");
    for (number, service_name) in [(1_u8, "a"), (2, "b"), (3, "c")] {
        index.apply(service(service_name, i64::from(number), [10, 96, 0, number]));
        let slice = slice(&format!("{service_name}-1"), service_name, &[[10, 0, 0, number]]);
        index.apply(Update::EndpointSliceApplied(slice));
    }
    index.take_changes();
    index
}

#[test]
fn an_update_marks_only_the_services_that_it_touches() {
    let b_slice = |addresses: &[[u8; 4]]| slice("b-1", "b", addresses);
    let unchanged = || vec![slice("a-1", "a", &[[10, 0, 0, 1]]), b_slice(&[[10, 0, 0, 2]])];
    let cases: [(Update, &[&str]); 9] = [
        (service("b", 2, [10, 96, 0, 2]), &[]),
        (Update::EndpointSliceApplied(b_slice(&[[10, 0, 0, 2]])), &[]),
        (Update::EndpointSliceApplied(b_slice(&[[10, 0, 0, 9]])), &["b"]),
        (Update::EndpointSliceApplied(slice("b-1", "c", &[[10, 0, 0, 2]])), &["b", "c"]),
        (Update::EndpointSlicesReset(unchanged()), &["c"]),
        (Update::ServiceDeleted(name("c")), &["c"]),
        (Update::ServiceDeleted(name("a")), &["a", "b"]),
        (service("d", 0, [10, 96, 0, 4]), &["a", "d"]),
        (Update::NodeApplied(NodeInfo { zone: Some("z".into()), ..NodeInfo::default() }), &[]),
    ];
    for (update, expected) in cases {
        let mut index = three_services();
        index.apply(update.clone());
        let marked: Vec<&str> = index.dirty.iter().map(|service| &*service.name).collect();
        assert_eq!(marked, expected, "{update:?}");
    }
}

#[test]
fn nothing_is_kept_of_services_and_slices_that_are_gone() {
    let services = ["a", "b", "c"].map(|service| Update::ServiceDeleted(name(service)));
    let slices = ["a-1", "b-1", "c-1"].map(|slice| Update::EndpointSliceDeleted(name(slice)));
    let orders = [[services.clone(), slices.clone()], [slices, services]];
    for order in orders {
        let mut index = three_services();
        for update in order.concat() {
            index.apply(update);
            index.take_changes();
        }
        assert!(index.entries.is_empty(), "{:?}", index.entries);
        assert!(index.slice_services.is_empty());
        assert!(index.dirty.is_empty());
        assert!(index.registry.is_empty());
    }
}

#[test]
fn nothing_is_kept_of_a_slice_that_waited_for_a_service_in_vain() {
    let mut index = Index::new("here");
    index.apply(Update::EndpointSliceApplied(slice("a-1", "a", &[])));
    index.take_changes();
    index.apply(Update::EndpointSliceApplied(slice("a-1", "b", &[])));
    index.take_changes();
    index.apply(Update::EndpointSliceDeleted(name("a-1")));
    index.take_changes();
    assert!(index.entries.is_empty());
}
