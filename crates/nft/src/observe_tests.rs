use std::sync::Arc;

use portolan_core::{
    Conditions, Endpoint, EndpointPort, EndpointSlice, Environment, Index, ObjectName, Protocol,
    Service, ServicePlan, ServicePort, ServiceType, SessionAffinity, Update,
};
use portolan_lab::{kernel_is_at_least, namespaced};
use portolan_netlink::nftables::{Batch, ElementOperation};

use super::*;
use crate::key::endpoint_to_kernel;
use crate::{NftOptions, first_transaction};

/// A NodePort Service of the given number that external clients reach on this node only.
fn service(number: u8, session_affinity: Option<SessionAffinity>) -> Service {
    Service {
        service_type: ServiceType::NodePort,
        cluster_ips: vec![[172, 30, 0, number].into()],
        ports: vec![ServicePort {
            name: "".into(),
            protocol: Protocol::Tcp,
            port: 80,
            node_port: Some(30_000 + u16::from(number)),
        }],
        external_policy_local: true,
        session_affinity,
        ..Service::new(ObjectName::new("ns", &format!("s{number}")))
    }
}

/// As many endpoints as its number, every second on this node.
fn slice(number: u8) -> EndpointSlice {
    let endpoint = |last: u8| Endpoint {
        address: [10, 0, number, last].into(),
        conditions: Conditions::default(),
        node_name: Some(if last.is_multiple_of(2) { "here" } else { "there" }.into()),
        hints: None,
    };
    EndpointSlice {
        name: ObjectName::new("ns", &format!("s{number}-a")),
        service: ObjectName::new("ns", &format!("s{number}")),
        family: Family::V4,
        ports: vec![EndpointPort { name: "".into(), protocol: Protocol::Tcp, port: 8080 }],
        endpoints: (0..number).map(endpoint).collect(),
        trigger_time: None,
    }
}

fn plans() -> Vec<Arc<ServicePlan>> {
    let mut index = Index::new("here");
    for number in 0..60u8 {
        let affinity = SessionAffinity { timeout_seconds: 600 };
        let affinity = number.is_multiple_of(7).then_some(affinity);
        index.apply(Update::ServiceApplied(service(number, affinity)));
        index.apply(Update::EndpointSliceApplied(slice(number)));
    }
    index.take_changes();
    index.plans().cloned().collect()
}

#[test]
fn looking_elements_up_tells_what_a_listing_tells() {
    let name = "observe::tests::looking_elements_up_tells_what_a_listing_tells";
    namespaced(name, || {
        let options = NftOptions::default();
        let mut connection = Connection::open().unwrap();
        let mut batch = first_transaction(&plans(), &Environment::default(), &options);
        connection.commit(&mut batch).unwrap();
        let observed = observe(&mut connection, Family::V4, &options.table).unwrap().unwrap();
        let mut looked_up = Vec::new();
        for container in Container::all().filter(|it| !it.is_dynamic()) {
            let mut reader = Reader::new(&mut connection, Family::V4, &options.table, container);
            assert!(reader.look_up(&observed).unwrap().is_none(), "{container:?} is small");
            reader.many = 1;
            let Some(elements) = reader.look_up(&observed).unwrap() else { continue };
            let listed = reader.list().unwrap();
            assert!(listed.len() > 100, "{container:?}");
            let keys = listed.into_keys();
            for key in &keys {
                let value = observed.value(container, key);
                assert!(value.is_some() && elements.value(key) == value, "{container:?} {key:?}");
            }
            assert_eq!(elements.into_keys(), keys, "{container:?}");
            looked_up.push(container.name());
        }
        if counts_elements() {
            let wanted = ["endpoints", "node-port-endpoints", "node-port-local-endpoints"];
            assert_eq!(looked_up, wanted);
        } else {
            assert!(looked_up.is_empty(), "{looked_up:?}");
        }
    });
}

#[test]
fn what_others_put_into_a_large_map_is_seen() {
    let name = "observe::tests::what_others_put_into_a_large_map_is_seen";
    namespaced(name, || {
        if !counts_elements() {
            return; // All maps are listed there.
        }
        let options = NftOptions::default();
        let (family, table) = (Family::V4, options.table.as_str());
        let mut connection = Connection::open().unwrap();
        connection
            .commit(&mut first_transaction(&plans(), &Environment::default(), &options))
            .unwrap();
        let container = Container::Endpoints(EntryKind::Address, Pool::Cluster);
        let frontend = Key::frontend(Some([172, 30, 0, 1].into()), Protocol::Tcp, 80);
        let unknown = Key::frontend(Some([9, 9, 9, 9].into()), Protocol::Tcp, 80);
        let endpoint = endpoint_to_kernel(EndpointAddress { ip: [10, 9, 9, 9].into(), port: 80 });
        let data = Some(Data::Bytes(endpoint.as_bytes()));
        let keys = [Some(frontend.with_slot(9)), Some(unknown.with_slot(0)), None];
        for key in keys {
            for operation in [ElementOperation::Add, ElementOperation::Delete] {
                let mut batch = Batch::new(None);
                let set = container.name();
                let mut writer = batch.elements(kernel_family(family), table, set, operation);
                match key {
                    Some(key) => writer.push(key.as_bytes(), data, None),
                    None => writer.push_catch_all(data, None),
                }
                connection.commit(&mut batch).unwrap();
                let observed = observe(&mut connection, family, table).unwrap().unwrap();
                let mut reader = Reader::new(&mut connection, family, table, container);
                reader.many = 1;
                let found = reader.look_up(&observed).unwrap();
                assert_eq!(found.is_none(), operation == ElementOperation::Add, "{key:?}");
            }
        }
    });
}

/// Linux 6.16 and newer tell how many elements a set holds.
fn counts_elements() -> bool {
    kernel_is_at_least(6, 16)
}
