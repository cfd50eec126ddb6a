use std::net::IpAddr;

use portolan_core::{Masquerade, Pool, SessionAffinity, WhenEndpointGone};

use super::*;

const CLUSTER: Action = Action::Balance(Pool::Cluster);
const LOCAL: Action = Action::Balance(Pool::Local);

fn endpoints(lasts: &[u16]) -> Vec<EndpointAddress> {
    let ip = |last: &u16| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, *last]);
    lasts.iter().map(|last| EndpointAddress { ip: ip(last), port: 8080 }).collect()
}

/// A NodePort with endpoints 1 and 2 in the cluster, of which 2 is here.
fn port(family: Family, protocol: Protocol, number: u16, traffic: Traffic) -> PortPlan {
    let cluster_ip = Frontend {
        destination: Destination::ClusterIp([0xfd10, 0, 0, 0, 0, 0, 0, 1].into()),
        port: 80,
        traffic: Traffic::Everyone(CLUSTER),
        masquerade: Masquerade::UnlessLocalPod,
    };
    let (destination, masquerade) = (Destination::NodePort, Masquerade::Always);
    let node_port = Frontend { destination, port: number, traffic, masquerade };
    PortPlan {
        family,
        protocol,
        name: "".into(),
        cluster: endpoints(&[1, 2]),
        local: endpoints(&[2]),
        hairpin: Vec::new(),
        serving: endpoints(&[1, 2, 3]),
        when_endpoint_gone: WhenEndpointGone::Keep,
        affinity: Some(SessionAffinity { timeout_seconds: 90 }),
        source_ranges: None,
        frontends: vec![cluster_ip, node_port],
    }
}

fn served(ports: Vec<PortPlan>) -> Vec<(Transport, u16, usize)> {
    let name = ObjectName::new("shop", "web");
    let plan = ServicePlan { name: name.clone(), ports, health_check: None, ipvs_scheduler: None };
    let targets = targets(&plan).unwrap_or_default();
    for (node_port, target) in &targets {
        assert_eq!(target.service, name);
        let serving = (node_port.transport == Transport::Udp).then(|| endpoints(&[1, 2, 3]));
        assert_eq!(target.serving, serving);
        assert_eq!(target.affinity, Some(Duration::from_secs(90)));
    }
    let served = targets
        .into_iter()
        .map(|(node_port, target)| (node_port.transport, node_port.port, target.endpoints.len()));
    served.collect()
}

#[test]
fn node_ports_of_ipv6_are_served_but_not_those_of_sctp_or_ipv4() {
    let everyone = Traffic::Everyone(CLUSTER);
    let ports = Family::BOTH.into_iter().flat_map(|family| {
        let numbered = Protocol::ALL.into_iter().zip(match family {
            Family::V4 => 30_101..,
            Family::V6 => 30_001..,
        });
        numbered.map(move |(protocol, number)| port(family, protocol, number, everyone))
    });
    let expected = [(Transport::Tcp, 30_001, 2), (Transport::Udp, 30_002, 2)];
    assert_eq!(served(ports.collect()), expected);
}

#[test]
fn a_process_of_the_node_gets_what_the_policy_has_for_those_inside() {
    let by_origin = |inside, outside| Traffic::ByOrigin { inside, outside };
    let cases = [
        (Traffic::Everyone(CLUSTER), Some(2)),
        (Traffic::Everyone(LOCAL), Some(1)),
        (by_origin(CLUSTER, LOCAL), Some(2)),
        (by_origin(CLUSTER, Action::Drop), Some(2)),
        (by_origin(Action::Drop, LOCAL), None),
        (Traffic::Everyone(Action::Reject), None),
        (Traffic::Everyone(Action::Drop), None),
    ];
    for (traffic, expected) in cases {
        let served = served(vec![port(Family::V6, Protocol::Tcp, 30_080, traffic)]);
        assert_eq!(served.first().map(|it| it.2), expected, "{traffic:?}");
    }
}

#[test]
fn connections_of_tcp_may_have_to_end_also_where_nobody_takes_new_ones() {
    for when_endpoint_gone in [WhenEndpointGone::Drop, WhenEndpointGone::Reset] {
        for (action, takes) in [(CLUSTER, 2), (Action::Reject, 0), (Action::Drop, 0)] {
            let plain = port(Family::V6, Protocol::Tcp, 30_080, Traffic::Everyone(action));
            let plan = ServicePlan {
                name: ObjectName::new("shop", "web"),
                ports: vec![PortPlan { when_endpoint_gone, ..plain }],
                health_check: None,
                ipvs_scheduler: None,
            };
            let target = targets(&plan).unwrap().into_values().next().unwrap();
            assert_eq!(target.endpoints.len(), takes);
            assert_eq!(target.serving, Some(endpoints(&[1, 2, 3])));
        }
    }
}
