//! Elements that others delete or change: what they leave tells where everything was.

use std::collections::HashMap;

use portolan_core::{
    Conditions, Endpoint, EndpointAddress, EndpointPort, EndpointSlice, Environment, Family, Index,
    ObjectName, Pool, Protocol, Service, ServicePort, ServiceType, SessionAffinity, Update,
};

use super::Machine;
use crate::chain_name::{Draw, EntryKind, ServingChain};
use crate::container::{Container, FIRST_SLOT};
use crate::element::Value;
use crate::key::Key;
use crate::table::ObservedElement;

type Elements = HashMap<Container, HashMap<Key, ObservedElement>>;

/// A Service after two rollouts and a scaling: neither its slots nor its seats are in the order
/// of its endpoints.
struct Scene {
    index: Index,
    machine: Machine,
    before: Elements,
}

impl Scene {
    /// With these other ways to the same endpoints as its ClusterIP.
    fn new(affinity: bool, kind: ServiceType, is_local: bool) -> Scene {
        let (mut index, mut machine) = (Index::new("here"), Machine::with_endpoints_per_map(1));
        let mut service = Service::new(ObjectName::new("ns", "s"));
        service.service_type = kind;
        service.cluster_ips = vec![[172, 30, 0, 1].into()];
        service.external_policy_local = is_local;
        service.session_affinity = affinity.then_some(SessionAffinity { timeout_seconds: 3600 });
        let node_port = (kind != ServiceType::ClusterIP).then_some(30_080);
        service.ports =
            vec![ServicePort { name: "".into(), protocol: Protocol::Tcp, port: 80, node_port }];
        index.apply(Update::ServiceApplied(service));
        index.apply(endpoints(1..9));
        index.take_changes();
        let plans: Vec<_> = index.plans().cloned().collect();
        machine.converge(&plans, &Environment::default());
        for numbers in [3..11, 7..11] {
            index.apply(endpoints(numbers));
            machine.apply(&index.take_changes());
        }
        let before = machine.kernel[&Family::V4].elements().clone();
        Scene { index, machine, before }
    }

    /// Has others change elements, and starts again; returns the number of operations.
    fn restart_after(&mut self, edits: &[(Container, Key, Option<Value>)]) -> usize {
        let kernel = self.machine.kernel.get_mut(&Family::V4).unwrap();
        edits.iter().for_each(|(container, key, value)| kernel.edit(*container, *key, *value));
        let plans: Vec<_> = self.index.plans().cloned().collect();
        self.machine.converge(&plans, &Environment::default())
    }

    /// Has others give an element another value: it is mended and no other is sent.
    fn lead_elsewhere_and_back(&mut self, container: Container, key: Key, value: Value) {
        if self.before[&container][&key].value != value {
            let operations = self.restart_after(&[(container, key, Some(value))]);
            assert_eq!(operations, 2, "{container:?} {key:?} {value:?}");
            assert!(self.is_as_before(), "{container:?} {key:?} {value:?}");
        }
    }

    fn is_as_before(&self) -> bool {
        *self.machine.kernel[&Family::V4].elements() == self.before
    }

    /// Every element.
    fn all(&self) -> Vec<(Container, Key)> {
        let all = self.before.iter();
        all.flat_map(|(it, elements)| elements.keys().map(|key| (*it, *key))).collect()
    }

    /// The slots of the ClusterIP, each with its key and with that of its seat.
    fn seats(&self) -> Vec<(Key, Key)> {
        let in_slot = |slot| {
            let key = cluster_ip().with_slot(FIRST_SLOT + slot);
            let Value::Seat(seat) = self.before[&SEATS].get(&key)?.value else { return None };
            Some((key, cluster_ip().with_slot(seat)))
        };
        (0..).map_while(in_slot).collect()
    }
}

const SEATS: Container = Container::Seats(EntryKind::Address, Pool::Cluster);
const SEATED: Container = Container::SeatedEndpoints(EntryKind::Address, Pool::Cluster);

fn cluster_ip() -> Key {
    Key::frontend(Some([172, 30, 0, 1].into()), Protocol::Tcp, 80)
}

fn is_for_this_node(container: Container) -> bool {
    matches!(
        container,
        Container::Endpoints(_, Pool::Local, _)
            | Container::Seats(_, Pool::Local)
            | Container::SeatedEndpoints(_, Pool::Local)
    )
}

fn endpoint(number: u8) -> Value {
    Value::Endpoint(EndpointAddress { ip: [10, 0, 0, number].into(), port: 8080 })
}

/// Those with even numbers are on this node.
fn endpoints(numbers: impl Iterator<Item = u8>) -> Update {
    let endpoint = |number: u8| Endpoint {
        address: [10, 0, 0, number].into(),
        conditions: Conditions::default(),
        node_name: Some(if number.is_multiple_of(2) { "here" } else { "there" }.into()),
        hints: None,
    };
    Update::EndpointSliceApplied(EndpointSlice {
        name: ObjectName::new("ns", "s"),
        service: ObjectName::new("ns", "s"),
        family: Family::V4,
        ports: vec![EndpointPort { name: "".into(), protocol: Protocol::Tcp, port: 8080 }],
        endpoints: numbers.map(endpoint).collect(),
        trigger_time: None,
    })
}

fn scenes() -> impl Iterator<Item = Scene> {
    let kinds = [(ServiceType::ClusterIP, false), (ServiceType::NodePort, false)];
    let kinds = kinds.into_iter().chain([(ServiceType::NodePort, true)]);
    kinds.flat_map(|(kind, is_local)| [false, true].map(|it| Scene::new(it, kind, is_local)))
}

#[test]
fn one_element_that_others_delete_comes_back_and_no_other_is_sent() {
    for mut scene in scenes() {
        for (container, key) in scene.all() {
            assert_eq!(scene.restart_after(&[(container, key, None)]), 1, "{container:?} {key:?}");
            assert!(scene.is_as_before(), "{container:?} {key:?}");
        }
    }
}

#[test]
fn one_element_that_others_lead_elsewhere_leads_back_and_no_other_is_sent() {
    for mut scene in scenes() {
        for (container, key) in scene.all() {
            for value in [Value::Foreign, Value::Seat(0), Value::Seat(FIRST_SLOT + 1)] {
                scene.lead_elsewhere_and_back(container, key, value);
            }
        }
    }
}

#[test]
fn one_element_that_others_lead_where_another_leads_leads_back_as_another_frontend_says() {
    for affinity in [false, true] {
        for is_local in [false, true] {
            let mut scene = Scene::new(affinity, ServiceType::NodePort, is_local);
            for (container, key) in scene.all() {
                let others: Vec<Value> =
                    scene.before[&container].values().map(|there| there.value).collect();
                // No other frontend leads clients outside to the endpoints of this node.
                for value in others.into_iter().filter(|_| !is_for_this_node(container)) {
                    scene.lead_elsewhere_and_back(container, key, value);
                }
            }
        }
    }
}

#[test]
fn an_endpoint_that_the_only_frontend_has_twice_costs_one_element() {
    for affinity in [false, true] {
        let places = Scene::new(affinity, ServiceType::ClusterIP, false).all();
        for (container, key) in places.into_iter().filter(|(it, _)| it.holds_endpoints()) {
            for number in 7..11 {
                let mut scene = Scene::new(affinity, ServiceType::ClusterIP, false);
                let value = endpoint(number);
                if scene.before[&container][&key].value != value {
                    let operations = scene.restart_after(&[(container, key, Some(value))]);
                    assert_eq!(operations, 2, "{container:?} {key:?} {value:?}");
                }
            }
        }
    }
}

#[test]
fn slots_are_found_also_where_others_lead_a_frontend_to_another_part() {
    for kind in [ServiceType::ClusterIP, ServiceType::NodePort] {
        let mut scene = Scene::new(false, kind, false);
        let verdicts = Container::Verdicts(EntryKind::Address);
        let numbers = scene.machine.kernel[&Family::V4].observe(Family::V4).unwrap().parts;
        assert!(numbers.numbers().count() > 1);
        for part in numbers.numbers() {
            let chain = ServingChain::ClusterIp(Draw { slots: 4, affinity: None, part });
            scene.lead_elsewhere_and_back(verdicts, cluster_ip(), Value::Chain(chain));
        }
    }
}

#[test]
fn an_endpoint_whose_slot_and_seat_others_delete_comes_back_to_them() {
    let mut scene = Scene::new(true, ServiceType::ClusterIP, false);
    let seats = scene.seats();
    assert_eq!(seats.len(), 4);
    for (slot, seat) in seats {
        scene.restart_after(&[(SEATS, slot, None), (SEATED, seat, None)]);
        assert!(scene.is_as_before(), "{slot:?} {seat:?}");
    }
}

#[test]
fn endpoints_of_a_frontend_that_others_delete_come_back_to_where_they_are_for_another() {
    for affinity in [false, true] {
        let mut scene = Scene::new(affinity, ServiceType::NodePort, false);
        let of_cluster_ip =
            |(_, key): &(Container, Key)| key.as_bytes().starts_with(cluster_ip().as_bytes());
        let all: Vec<_> = scene.all().into_iter().filter(of_cluster_ip).collect();
        assert!(all.len() > 4, "{all:?}");
        for left in &all {
            let deleted = all.iter().filter(|it| *it != left);
            let edits: Vec<_> = deleted.map(|(it, key)| (*it, *key, None)).collect();
            assert_eq!(scene.restart_after(&edits), edits.len());
            assert!(scene.is_as_before(), "{left:?} is left");
        }
    }
}

#[test]
fn an_endpoint_whose_seat_others_delete_does_not_take_that_of_one_that_went() {
    let names: Vec<u8> = (7..11).collect();
    for gone in &names {
        for stays in names.iter().filter(|it| *it != gone) {
            let mut scene = Scene::new(true, ServiceType::ClusterIP, false);
            let value = endpoint(*stays);
            let seat = scene.seats().into_iter().map(|(_, seat)| seat);
            let seat = { seat }.find(|seat| scene.before[&SEATED][seat].value == value).unwrap();
            scene.index.apply(endpoints(names.iter().copied().filter(|it| it != gone)));
            scene.restart_after(&[(SEATED, seat, None)]);
            let after = scene.machine.kernel[&Family::V4].elements();
            assert_eq!(after[&SEATED][&seat].value, value, "{gone} went");
        }
    }
}
