//! Small clusters in which everything collides with everything.

use std::sync::Arc;

use ipnet::IpNet;
use portolan_core::{
    Conditions, Endpoint, EndpointPort, EndpointSlice, Family, Hints, NodeInfo, ObjectName,
    Protocol, Service, ServicePort, ServiceType, SessionAffinity, Update, WhenEndpointGone,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::support::{ip, ips, nets};

/// What happens to an index.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// It is told something.
    Update(Update),
    /// Its changes are taken.
    Look,
}

/// Enough steps for objects to come, change, move and go.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![3 => update().prop_map(Step::Update), 1 => Just(Step::Look)];
    vec(step, 1..40)
}

fn update() -> impl Strategy<Value = Update> {
    prop_oneof![
        8 => service().prop_map(Update::ServiceApplied),
        2 => service_name().prop_map(Update::ServiceDeleted),
        1 => vec(service(), 0..5).prop_map(Update::ServicesReset),
        8 => slice().prop_map(Update::EndpointSliceApplied),
        2 => slice_name().prop_map(Update::EndpointSliceDeleted),
        1 => vec(slice(), 0..5).prop_map(Update::EndpointSlicesReset),
        2 => node().prop_map(Update::NodeApplied),
        1 => Just(Update::NodeDeleted),
        1 => networks(&["10.96.0.0/16", "fd00:96::/112"]).prop_map(Update::ServiceCidrsReset),
    ]
}

fn service_name() -> impl Strategy<Value = ObjectName> {
    (select(vec!["x", "y"]), select(vec!["a", "b", "c"])).prop_map(|(n, s)| ObjectName::new(n, s))
}

fn slice_name() -> impl Strategy<Value = ObjectName> {
    (select(vec!["x", "y"]), select(vec!["1", "2", "3"])).prop_map(|(n, s)| ObjectName::new(n, s))
}

fn some_of(addresses: &[&str]) -> impl Strategy<Value = Vec<std::net::IpAddr>> + use<> {
    let all = ips(addresses);
    let most = all.len();
    subsequence(all, 0..=most)
}

fn networks(texts: &[&str]) -> impl Strategy<Value = Vec<IpNet>> + use<> {
    let all = nets(texts);
    let most = all.len();
    subsequence(all, 0..=most)
}

prop_compose! {
    fn service()(
        name in service_name(),
        created in option::of(0..3_i64),
        service_type in prop_oneof![
            4 => Just(ServiceType::ClusterIP),
            2 => Just(ServiceType::NodePort),
            2 => Just(ServiceType::LoadBalancer),
            1 => Just(ServiceType::ExternalName),
        ],
        cluster_ips in some_of(&["10.96.0.1", "10.96.0.2", "fd00:96::1"]),
        ports in vec(service_port(), 0..4),
        external_ips in some_of(&["192.0.2.1", "10.96.0.1", "2001:db8::1", "127.0.0.1"]),
        load_balancer_ips in some_of(&["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
        source_ranges in networks(&["198.51.100.0/24", "2001:db8:9::/48", "0.0.0.0/0"]),
        (external_policy_local, internal_policy_local) in any::<(bool, bool)>(),
        health_check_node_port in option::of(select(vec![32000, 32001])),
        (session_affinity, tcp_when_endpoint_gone, ipvs_scheduler) in (
            option::of(Just(SessionAffinity { timeout_seconds: 10_800 })),
            select(vec![WhenEndpointGone::Keep, WhenEndpointGone::Drop, WhenEndpointGone::Reset]),
            option::of(select(vec!["rr", "mh,mh-port"]).prop_map(|text| text.parse().unwrap())),
        ),
    ) -> Service {
        Service {
            name,
            created,
            service_type,
            cluster_ips,
            ports,
            external_ips,
            load_balancer_ips,
            source_ranges,
            external_policy_local,
            internal_policy_local,
            session_affinity,
            health_check_node_port,
            tcp_when_endpoint_gone,
            ipvs_scheduler,
        }
    }
}

fn port_name() -> impl Strategy<Value = Arc<str>> {
    select(vec!["", "http"]).prop_map(Arc::from)
}

fn protocol() -> impl Strategy<Value = Protocol> {
    select(Protocol::ALL.to_vec())
}

prop_compose! {
    fn service_port()(
        name in port_name(),
        protocol in protocol(),
        port in select(vec![53, 80]),
        node_port in option::of(select(vec![30080, 30081])),
    ) -> ServicePort {
        ServicePort { name, protocol, port, node_port }
    }
}

prop_compose! {
    fn slice()(
        name in slice_name(),
        service in select(vec!["a", "b", "c"]),
        family in select(Family::BOTH.to_vec()),
        ports in vec(slice_port(), 0..4),
        endpoints in vec(endpoint(), 0..5),
    ) -> EndpointSlice {
        let service = ObjectName { namespace: Arc::clone(&name.namespace), name: service.into() };
        EndpointSlice { name, service, family, ports, endpoints, trigger_time: None }
    }
}

prop_compose! {
    fn slice_port()(
        name in port_name(),
        protocol in protocol(),
        port in select(vec![8080, 9090]),
    ) -> EndpointPort {
        EndpointPort { name, protocol, port }
    }
}

prop_compose! {
    fn endpoint()(
        address in select(vec!["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "fd00::2"]),
        (ready, serving, terminating) in any::<(bool, bool, bool)>(),
        node_name in option::of(select(vec!["here", "elsewhere"])),
        hints in option::of((zones(), option::of(select(vec!["here", "elsewhere"])))),
    ) -> Endpoint {
        Endpoint {
            address: ip(address),
            conditions: Conditions { ready, serving, terminating },
            node_name: node_name.map(Arc::from),
            hints: hints.map(|(zones, node)| {
                Arc::new(Hints { zones, nodes: node.into_iter().map(Arc::from).collect() })
            }),
        }
    }
}

fn zones() -> impl Strategy<Value = Vec<Arc<str>>> {
    subsequence(vec![Arc::from("a"), Arc::from("b")], 0..=2)
}

prop_compose! {
    fn node()(zone in option::of(select(vec!["a", "b", "c"])), leaving: bool) -> NodeInfo {
        NodeInfo { zone: zone.map(Arc::from), leaving, ..NodeInfo::default() }
    }
}
