//! Chains that no element leads to: kept while they are few.

use portolan_core::{
    Conditions, Endpoint, EndpointPort, EndpointSlice, Environment, Family, Index, ObjectName,
    Protocol, Service, ServicePort, ServiceType, Update, WhenEndpointGone,
};

use super::{Machine, apply_service, serve};
use crate::chain_name::{Draw, ServingChain};

#[test]
fn chains_that_nobody_needs_go_away_once_they_are_many() {
    let mut index = Index::new("here");
    let mut machine = Machine::default();
    machine.converge(&[], &Environment::default());
    for count in 1..200u8 {
        machine.apply(&serve(&mut index, 0..count));
        assert!(machine.chains() < 100, "{} chains after {count} scalings", machine.chains());
    }
    let observed = machine.kernel[&Family::V4].observe(Family::V4).unwrap();
    assert!(observed.chains.contains_key(
        &ServingChain::ClusterIp(Draw { slots: 199, affinity: None, part: 0 }).to_string()
    ));
}

#[test]
fn unused_chains_go_in_the_transaction_that_makes_their_map_larger() {
    let mut index = Index::new("here");
    let mut machine = Machine::default();
    machine.converge(&[], &Environment::default());
    // One more than are kept: the next transaction clears up.
    for count in 2..36 {
        machine.apply(&serve(&mut index, 1..count));
    }
    let before = machine.chains();
    for number in 0..900u16 {
        let [high, low] = number.to_be_bytes();
        apply_service(&mut index, &format!("t{number}"), [172, 31, high, low], 1..13);
    }
    machine.apply(&index.take_changes());
    assert!(machine.chains() < before, "{} chains, {before} before", machine.chains());
    let plans: Vec<_> = index.plans().cloned().collect();
    assert_eq!(machine.converge(&plans, &Environment::default()), 0);
}

#[test]
fn a_restart_sends_nothing_however_many_chains_the_last_change_left_unused() {
    let mut index = Index::new("here");
    let mut machine = Machine::default();
    machine.converge(&[], &Environment::default());
    for number in 0..80u8 {
        let endpoints = 1..2 + number;
        apply_service(&mut index, &format!("t{number}"), [172, 31, 0, number], endpoints);
    }
    machine.apply(&index.take_changes());
    for number in 0..80 {
        index.apply(Update::ServiceDeleted(ObjectName::new("ns", &format!("t{number}"))));
    }
    machine.apply(&index.take_changes());
    let before = machine.chains();
    assert_eq!(machine.converge(&[], &Environment::default()), 0);
    machine.apply(&serve(&mut index, 1..2));
    assert!(machine.chains() < before, "{} chains, {before} before", machine.chains());
}

/// A load balancer whose address takes as many chains as there can be, with so many endpoints,
/// of which all but one are on this node.
fn apply_load_balancer(index: &mut Index, number: u8) {
    let mut service = Service::new(ObjectName::new("ns", &format!("l{number}")));
    service.service_type = ServiceType::LoadBalancer;
    service.cluster_ips = vec![[172, 30, 1, number].into()];
    service.load_balancer_ips = vec![[192, 0, 2, number].into()];
    service.external_policy_local = true;
    service.source_ranges = vec!["203.0.113.0/24".parse().unwrap()];
    service.tcp_when_endpoint_gone = WhenEndpointGone::Reset;
    service.ports =
        vec![ServicePort { name: "".into(), protocol: Protocol::Tcp, port: 80, node_port: None }];
    let name = service.name.clone();
    index.apply(Update::ServiceApplied(service));
    let endpoint = |last: u8| Endpoint {
        address: [10, 0, 1, last].into(),
        conditions: Conditions::default(),
        node_name: Some(if last == 0 { "there" } else { "here" }.into()),
        hints: None,
    };
    index.apply(Update::EndpointSliceApplied(EndpointSlice {
        name: name.clone(),
        service: name,
        family: Family::V4,
        ports: vec![EndpointPort { name: "".into(), protocol: Protocol::Tcp, port: 8080 }],
        endpoints: (0..number).map(endpoint).collect(),
        trigger_time: None,
    }));
}

#[test]
fn unused_chains_are_kept_whatever_the_used_ones_are_but_not_too_many() {
    let mut index = Index::new("here");
    let mut machine = Machine::default();
    machine.converge(&[], &Environment::default());
    (2..82).for_each(|number| apply_load_balancer(&mut index, number));
    machine.apply(&index.take_changes());
    let used = machine.chains();
    let has_chain = |machine: &Machine, slots| {
        let chain = ServingChain::ClusterIp(Draw { slots, affinity: None, part: 0 });
        let observed = machine.kernel[&Family::V4].observe(Family::V4).unwrap();
        observed.chains.contains_key(&chain.to_string())
    };
    for count in 100..103 {
        machine.apply(&serve(&mut index, 0..count));
    }
    assert!(has_chain(&machine, 100), "one that was just left");
    for count in 103..250 {
        machine.apply(&serve(&mut index, 0..count));
        // 64, and those of a change.
        let unused = machine.chains() - used;
        assert!(unused <= 64 + 4, "{unused} unused chains after {count} scalings");
    }
    assert!(!has_chain(&machine, 100) && has_chain(&machine, 249));
}
