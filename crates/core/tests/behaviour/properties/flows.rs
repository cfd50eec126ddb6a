//! The flows of a node on which everything comes and goes, and what is left of them.

use std::collections::{BTreeMap, BTreeSet};

use portolan_core::backend::NodePortAddresses;
use portolan_core::flows::{FlowJudge, FlowRules, TrackedFlow};
use portolan_core::{EndpointAddress, Environment, Family, Index, PortPlan, Protocol};
use proptest::prelude::*;

use super::generate::{Step, steps};
use crate::support::{NODE, ip};

const NODE_ADDRESSES: [&str; 2] = ["203.0.113.1", "2001:db8:5::1"];
/// Has the right port and is nobody's.
const OTHER_HOST: &str = "203.0.113.9";

/// Protocol, destination and source of answers.
type Flow = (Protocol, EndpointAddress, EndpointAddress);

fn environment() -> Environment {
    let listed = |text| NodePortAddresses::Listed(vec![ip(text)]);
    let [v4, v6] = NODE_ADDRESSES;
    Environment { node_ports_v4: listed(v4), node_ports_v6: listed(v6), ..Environment::default() }
}

/// Where services are reached, and by which port.
fn owners(index: &Index) -> BTreeMap<(Protocol, EndpointAddress), &PortPlan> {
    let ports = index.plans().flat_map(|plan| &plan.ports);
    let ports = ports.filter(|port| port.protocol != Protocol::Sctp);
    ports
        .flat_map(|port| {
            port.frontends.iter().map(move |frontend| {
                let is_of_family = |it: &std::net::IpAddr| Family::of(*it) == port.family;
                let own = NODE_ADDRESSES.map(ip).into_iter().find(is_of_family);
                let address = frontend.destination.address().or(own).unwrap();
                let address = EndpointAddress { ip: address, port: frontend.port };
                ((port.protocol, address), port)
            })
        })
        .collect()
}

/// The flows that clients may have begun while this was so. TCP is rejected where nobody
/// serves.
fn begun(index: &Index) -> BTreeSet<Flow> {
    let mut flows = BTreeSet::new();
    for ((protocol, frontend), port) in owners(index) {
        let stranger = EndpointAddress { ip: ip(OTHER_HOST), port: frontend.port };
        flows.insert((protocol, stranger, stranger));
        match protocol {
            Protocol::Udp if port.serving.is_empty() => {
                flows.insert((protocol, frontend, frontend));
            }
            Protocol::Udp => {
                flows.extend(port.serving.iter().map(|endpoint| (protocol, frontend, *endpoint)));
            }
            _ => {
                let pools = port.cluster.iter().chain(&port.local);
                flows.extend(pools.map(|endpoint| (protocol, frontend, *endpoint)));
            }
        }
    }
    flows
}

/// The flows that may go on.
fn right(index: &Index, flows: &BTreeSet<Flow>) -> BTreeSet<Flow> {
    let owners = owners(index);
    let goes_right = |(protocol, destination, reply): &Flow| {
        let owner = owners.get(&(*protocol, *destination));
        match (protocol, owner) {
            (Protocol::Udp, None) => reply == destination,
            (_, None) => true,
            (Protocol::Tcp, Some(port)) if port.when_endpoint_gone.is_keep() => true,
            (Protocol::Tcp, Some(port)) => port.serving.contains(reply),
            (_, Some(port)) if port.serving.is_empty() => reply == destination,
            (_, Some(port)) => port.serving.contains(reply),
        }
    };
    flows.iter().copied().filter(goes_right).collect()
}

fn tracked((protocol, destination, reply_source): Flow) -> TrackedFlow {
    TrackedFlow { protocol, destination, reply_source, answered: true }
}

proptest! {
    #[test]
    fn cleaning_now_and_then_leaves_exactly_the_flows_that_go_where_they_should(
        steps in steps(),
        cleanings in prop::collection::vec(any::<bool>(), 40),
    ) {
        let mut index = Index::new(NODE);
        let (mut flows, mut rules) = (BTreeSet::new(), FlowRules::default());
        let mut waiting = BTreeSet::new();
        let environment = environment();
        for (step, clean) in steps.into_iter().zip(cleanings) {
            // Who is owned by nobody is sent packets that nobody translates.
            let known: Vec<_> = owners(&index).into_keys().collect();
            match step {
                Step::Update(update) => index.apply(update),
                Step::Look => {
                    let mut newer = FlowRules::default();
                    newer.note_changes(&index.take_changes());
                    rules.merge(newer);
                }
            }
            let owned = owners(&index);
            waiting.extend(known.into_iter().filter(|it| !owned.contains_key(it)));
            if clean {
                let judge = FlowJudge::new(&rules, &environment, &[]);
                let expected = right(&index, &flows);
                flows.retain(|flow| !judge.is_stale(tracked(*flow)));
                prop_assert_eq!(&flows, &expected);
                waiting.retain(|(protocol, destination)| {
                    let flow = tracked((*protocol, *destination, *destination));
                    !judge.is_stale(TrackedFlow { answered: false, ..flow })
                });
                let left = waiting.iter().find(|it| it.0 == Protocol::Tcp && owned.contains_key(it));
                prop_assert_eq!(left, None, "begun before the frontend was there");
                rules = FlowRules::default();
            }
            flows.extend(begun(&index));
        }
    }
}
