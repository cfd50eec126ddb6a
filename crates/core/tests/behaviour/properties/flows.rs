//! The flows of a node on which everything comes and goes, and what is left of them.

use std::collections::{BTreeMap, BTreeSet};

use portolan_core::backend::NodePortAddresses;
use portolan_core::flows::{FlowJudge, FlowRules, UdpFlow};
use portolan_core::{EndpointAddress, Environment, Family, Index, Protocol};
use proptest::prelude::*;

use super::generate::{Step, steps};
use crate::support::{NODE, ip};

const NODE_ADDRESSES: [&str; 2] = ["203.0.113.1", "2001:db8:5::1"];
/// Has the right port and is nobody's.
const OTHER_HOST: &str = "203.0.113.9";

/// Destination and source of answers.
type Flow = (EndpointAddress, EndpointAddress);

fn environment() -> Environment {
    let listed = |text| NodePortAddresses::Listed(vec![ip(text)]);
    let [v4, v6] = NODE_ADDRESSES;
    Environment { node_ports_v4: listed(v4), node_ports_v6: listed(v6), ..Environment::default() }
}

/// Where UDP services are reached, and which endpoints serve them.
fn owners(index: &Index) -> BTreeMap<EndpointAddress, Vec<EndpointAddress>> {
    let ports = index.plans().flat_map(|plan| &plan.ports);
    let udp = ports.filter(|port| port.protocol == Protocol::Udp);
    udp.flat_map(|port| {
        port.frontends.iter().map(|frontend| {
            let own = NODE_ADDRESSES.map(ip).into_iter().find(|it| Family::of(*it) == port.family);
            let address = frontend.destination.address().or(own).unwrap();
            (EndpointAddress { ip: address, port: frontend.port }, port.serving.clone())
        })
    })
    .collect()
}

/// The flows that clients may have begun while this was so.
fn begun(index: &Index) -> BTreeSet<Flow> {
    let mut flows = BTreeSet::new();
    for (frontend, serving) in owners(index) {
        let stranger = EndpointAddress { ip: ip(OTHER_HOST), port: frontend.port };
        flows.extend([(stranger, stranger)]);
        match &serving[..] {
            [] => flows.extend([(frontend, frontend)]),
            serving => flows.extend(serving.iter().map(|endpoint| (frontend, *endpoint))),
        }
    }
    flows
}

/// The flows that go where they should.
fn right(index: &Index, flows: &BTreeSet<Flow>) -> BTreeSet<Flow> {
    let owners = owners(index);
    let goes_right = |(destination, reply): &Flow| match owners.get(destination).map(Vec::as_slice)
    {
        None | Some([]) => reply == destination,
        Some(serving) => serving.contains(reply),
    };
    flows.iter().copied().filter(goes_right).collect()
}

proptest! {
    #[test]
    fn cleaning_now_and_then_leaves_exactly_the_flows_that_go_where_they_should(
        steps in steps(),
        cleanings in prop::collection::vec(any::<bool>(), 40),
    ) {
        let mut index = Index::new(NODE);
        let (mut flows, mut rules) = (BTreeSet::new(), FlowRules::default());
        let environment = environment();
        for (step, clean) in steps.into_iter().zip(cleanings) {
            match step {
                Step::Update(update) => index.apply(update),
                Step::Look => {
                    let mut newer = FlowRules::default();
                    newer.note_changes(&index.take_changes());
                    rules.merge(newer);
                }
            }
            if clean {
                let judge = FlowJudge::new(&rules, &environment, &[]);
                let expected = right(&index, &flows);
                flows.retain(|(destination, reply_source)| {
                    let (destination, reply_source) = (*destination, *reply_source);
                    !judge.is_stale(UdpFlow { destination, reply_source })
                });
                prop_assert_eq!(&flows, &expected);
                rules = FlowRules::default();
            }
            flows.extend(begun(&index));
        }
    }
}
