//! What is looked up is what a walk through everything would find.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;

use super::*;
use crate::claim::FrontendKey;
use crate::plan::Destination;

#[derive(Clone, Debug)]
enum Step {
    Apply(Service),
    Delete(ObjectName),
    Endpoint(ObjectName, u8),
    Plan,
}

/// The last one can be nobody's.
fn addresses() -> Vec<IpAddr> {
    ["10.96.0.1", "10.96.0.2", "fd00::1", "192.0.2.1", "127.0.0.1", "192.0.2.9"]
        .map(|text| text.parse().unwrap())
        .to_vec()
}

fn some_addresses() -> impl Strategy<Value = Vec<IpAddr>> {
    let all = addresses().split_last().unwrap().1.to_vec();
    let most = all.len();
    subsequence(all, 0..=most)
}

fn any_name() -> impl Strategy<Value = ObjectName> {
    (0..3_u8).prop_map(|number| name(&number.to_string()))
}

prop_compose! {
    fn any_service()(
        name in any_name(),
        created in proptest::option::of(0..2_i64),
        is_external_name in proptest::bool::weighted(0.1),
        cluster_ips in some_addresses(),
        external_ips in some_addresses(),
        load_balancer_ips in some_addresses(),
        ports in subsequence(vec![0, 80, u16::MAX - 1], 0..=3),
        protocol in proptest::sample::select(&Protocol::ALL[..]),
    ) -> Service {
        let service_type =
            if is_external_name { ServiceType::ExternalName } else { ServiceType::LoadBalancer };
        let port = |number: u16| ServicePort {
            name: "".into(),
            protocol,
            port: number + 1,
            node_port: Some(30000),
        };
        let ports = ports.into_iter().map(port).collect();
        Service {
            created, service_type, cluster_ips, external_ips, load_balancer_ips, ports,
            ..Service::new(name)
        }
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any_service().prop_map(Step::Apply),
        1 => any_name().prop_map(Step::Delete),
        2 => (any_name(), 0..3_u8).prop_map(|(name, last)| Step::Endpoint(name, last)),
        2 => Just(Step::Plan),
    ]
}

fn follow(index: &mut Index, step: Step) {
    match step {
        Step::Apply(service) => index.apply(Update::ServiceApplied(service)),
        Step::Delete(name) => index.apply(Update::ServiceDeleted(name)),
        Step::Endpoint(service, last) => {
            let slice = slice(&service.name, &service.name, &[[10, 0, 0, last]]);
            index.apply(Update::EndpointSliceApplied(slice));
        }
        Step::Plan => drop(index.take_changes()),
    }
}

/// All that has this address in its plan, as its ClusterIP.
fn planned_with(index: &Index, address: IpAddr) -> Vec<ObjectName> {
    let has = |plan: &&Arc<ServicePlan>| {
        let mut frontends = plan.ports.iter().flat_map(|port| &port.frontends);
        frontends.any(|it| it.destination == Destination::ClusterIp(address))
    };
    index.plans().filter(has).map(|plan| plan.name.clone()).collect()
}

fn keys() -> impl Iterator<Item = FrontendKey> {
    let protocols = || Protocol::ALL.into_iter();
    let on_address = addresses().into_iter().flat_map(move |address| {
        protocols().flat_map(move |protocol| {
            [1, 81, u16::MAX].map(|port| FrontendKey::on_address(address, protocol, port))
        })
    });
    let node_ports = Family::BOTH.into_iter().flat_map(move |family| {
        protocols().map(move |protocol| FrontendKey::node_port(family, protocol, 30000))
    });
    on_address.chain(node_ports)
}

proptest! {
    #[test]
    fn whatever_came_before_everything_is_found_that_a_walk_would_find(
        steps in vec(any_step(), 1..30),
    ) {
        let mut index = Index::new("here");
        for step in steps {
            follow(&mut index, step);
            for address in addresses() {
                let naming: Vec<_> = index.naming(address).map(|it| it.name.clone()).collect();
                let services = index.entries.values().filter_map(|entry| entry.service.as_ref());
                let walked: Vec<_> = services
                    .filter(|service| service.addresses().any(|it| it == address))
                    .map(|service| service.name.clone())
                    .collect();
                prop_assert_eq!(naming, walked, "{}", address);
                prop_assert_eq!(
                    index.with_cluster_ip(address), planned_with(&index, address), "{}", address
                );
            }
            for key in keys() {
                let found = index.planned(&key).map(|it| it.service.name.clone());
                let mut plans = index.plans();
                let walked = plans.find_map(|plan| index.planned_for(&plan.name, &key));
                prop_assert_eq!(found, walked.map(|it| it.service.name.clone()), "{}", key);
            }
        }
    }
}

#[test]
fn endpoints_that_change_are_no_reason_to_look_at_their_services() {
    let mut index = three_services();
    for service in ["a", "b", "c"] {
        let slice = slice(&format!("{service}-1"), service, &[[10, 0, 0, 9]]);
        index.apply(Update::EndpointSliceApplied(slice));
    }
    assert_eq!((index.dirty.len(), index.released.len()), (3, 0));
    index.apply(service("b", 2, [10, 96, 0, 7]));
    index.apply(Update::ServiceDeleted(name("c")));
    assert_eq!(index.released, ["b", "c"].map(name).into());
    index.take_changes();
    assert!(index.released.is_empty());
}
