//! Random edits of a small cluster whose objects often collide.

use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::{
    Conditions, Endpoint, EndpointPort, EndpointSlice, Environment, Family, ObjectName, Protocol,
    Service, ServicePort, ServiceType, SessionAffinity, Update, WhenEndpointGone,
};
use proptest::prelude::*;

/// Any way to recognise pods and to take NodePorts.
pub(crate) fn environment() -> impl Strategy<Value = Environment> {
    let pods = prop_oneof![
        Just(LocalPods::Unknown),
        Just(LocalPods::Source("10.0.0.0/8".parse().unwrap())),
        Just(LocalPods::Source("10.0.0.0/11".parse().unwrap())),
        Just(LocalPods::Interface("cni0".to_owned())),
        Just(LocalPods::InterfacePrefix("veth".to_owned())),
    ];
    let node_ports = prop_oneof![
        Just(NodePortAddresses::Any),
        Just(NodePortAddresses::Listed(vec!["192.168.0.2".parse().unwrap()])),
        Just(NodePortAddresses::Listed(vec![])),
    ];
    let flags = (any::<bool>(), any::<bool>());
    (pods, node_ports, flags).prop_map(|(pods, node_ports, (cidr, localhost))| Environment {
        localhost_node_ports: localhost,
        service_cidrs: if cidr { vec!["172.30.0.0/16".parse().unwrap()] } else { vec![] },
        node_ports_v4: node_ports,
        local_pods_v4: pods,
        ..Environment::default()
    })
}

const TYPES: &[ServiceType] =
    &[ServiceType::ClusterIP, ServiceType::NodePort, ServiceType::LoadBalancer];

const PROTOCOLS: &[Protocol] = &[Protocol::Tcp, Protocol::Udp];

const WHEN_ENDPOINT_GONE: &[WhenEndpointGone] =
    &[WhenEndpointGone::Keep, WhenEndpointGone::Drop, WhenEndpointGone::Reset];

/// Nothing to nftables: only IPVS reads it.
const SCHEDULERS: &[&str] = &["rr", "mh,mh-port"];

prop_compose! {
    fn service()(
        number in 0..6u8,
        v6 in any::<bool>(),
        kind in prop::sample::select(TYPES),
        ports in prop::collection::vec((0..3u16, prop::sample::select(PROTOCOLS), any::<bool>()), 0..3),
        external_local in any::<bool>(),
        internal_local in any::<bool>(),
        external in prop::option::of(0..4u8),
        load_balancer in prop::option::of(0..3u8),
        affinity in prop::option::of(1..3u32),
        (ranges, tcp_when_endpoint_gone, ipvs_scheduler) in (
            prop::collection::vec((0..4u8, 7..32u8), 0..3),
            prop::sample::select(WHEN_ENDPOINT_GONE),
            prop::option::of(prop::sample::select(SCHEDULERS)),
        ),
    ) -> Update {
        let mut cluster_ips = vec![format!("172.30.0.{number}").parse().unwrap()];
        if v6 {
            cluster_ips.push(format!("fd00:172:30::{number}").parse().unwrap());
        }
        let addresses = |it: Option<u8>, network: &str| {
            it.map(|it| format!("{network}.{it}").parse().unwrap()).into_iter().collect()
        };
        Update::ServiceApplied(Service {
            created: Some(i64::from(number)),
            service_type: kind,
            cluster_ips,
            ports: ports
                .into_iter()
                .map(|(port, protocol, node)| ServicePort {
                    name: format!("p{port}").into(),
                    protocol,
                    port: 80 + port,
                    node_port: node.then_some(30_000 + u16::from(number) + port),
                })
                .collect(),
            external_ips: addresses(external, "192.168.99"),
            load_balancer_ips: addresses(load_balancer, "1.2.3"),
            external_policy_local: external_local,
            internal_policy_local: internal_local,
            session_affinity: affinity.map(|hours| SessionAffinity { timeout_seconds: 3600 * hours }),
            source_ranges: ranges
                .into_iter()
                .map(|(number, length)| format!("20{number}.0.113.{number}/{length}").parse().unwrap())
                .collect(),
            tcp_when_endpoint_gone,
            ipvs_scheduler: ipvs_scheduler.map(|text| text.parse().unwrap()),
            ..Service::new(ObjectName::new("ns", &format!("s{number}")))
        })
    }
}

prop_compose! {
    fn slice()(
        number in 0..6u8,
        which in 0..2u8,
        v6 in any::<bool>(),
        endpoints in prop::collection::vec((0..40u8, any::<bool>(), any::<bool>(), any::<bool>()), 0..30),
    ) -> Update {
        let (family, network) = if v6 { (Family::V6, "fd00::") } else { (Family::V4, "10.0.0.") };
        Update::EndpointSliceApplied(EndpointSlice {
            name: ObjectName::new("ns", &format!("s{number}-{which}-{v6}")),
            service: ObjectName::new("ns", &format!("s{number}")),
            family,
            ports: (0..3)
                .map(|port| EndpointPort {
                    name: format!("p{port}").into(),
                    protocol: Protocol::Tcp,
                    port: 8080 + port,
                })
                .collect(),
            endpoints: endpoints
                .into_iter()
                .map(|(address, here, ready, terminating)| Endpoint {
                    address: format!("{network}{address}").parse().unwrap(),
                    conditions: Conditions { ready, serving: true, terminating },
                    node_name: Some(if here { "here" } else { "there" }.into()),
                    hints: None,
                })
                .collect(),
            trigger_time: None,
        })
    }
}

/// An edit.
pub(crate) fn update() -> impl Strategy<Value = Update> {
    prop_oneof![
        4 => slice(),
        3 => service(),
        1 => (0..6u8).prop_map(|it| Update::ServiceDeleted(ObjectName::new("ns", &format!("s{it}")))),
        1 => (0..6u8, 0..2u8, any::<bool>()).prop_map(|(number, which, v6)| {
            Update::EndpointSliceDeleted(ObjectName::new("ns", &format!("s{number}-{which}-{v6}")))
        }),
    ]
}
