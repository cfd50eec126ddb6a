use portolan_core::explain::{Client, NodeView, Packet, Question};
use portolan_core::{
    Endpoint, EndpointPort, EndpointSlice, Environment, Family, Index, ObjectName, Protocol,
    Service, ServicePort, Update,
};

use super::*;

const HOSTILE: &str = "a\n  verdict   FAKE\u{1b}[31m";

fn service() -> Service {
    let port =
        ServicePort { name: HOSTILE.into(), protocol: Protocol::Tcp, port: 80, node_port: None };
    let name = ObjectName::new(HOSTILE, HOSTILE);
    Service { cluster_ips: vec![[10, 96, 0, 1].into()], ports: vec![port], ..Service::new(name) }
}

fn slice(last: u8) -> EndpointSlice {
    let endpoint = Endpoint {
        address: [10, 244, 0, last].into(),
        conditions: Default::default(),
        node_name: Some(HOSTILE.into()),
        hints: None,
    };
    EndpointSlice {
        name: ObjectName::new(HOSTILE, "slice"),
        service: ObjectName::new(HOSTILE, HOSTILE),
        family: Family::V4,
        ports: vec![EndpointPort { name: HOSTILE.into(), protocol: Protocol::Tcp, port: 8080 }],
        endpoints: vec![endpoint],
        trigger_time: None,
    }
}

fn told(index: &Index, question: &Question) -> String {
    let environment = Environment::default();
    let node = NodeView {
        environment: &environment,
        addresses: &[],
        masquerade_all: false,
        ipvs_scheduler: None,
    };
    text(&index.explain(&node, question))
}

fn questions() -> [Question; 2] {
    let interface = Some(HOSTILE.to_owned());
    let client = Client { interface, ..Client::default() };
    let packet = Packet {
        client: client.clone(),
        protocol: Protocol::Tcp,
        destination: [10, 96, 0, 1].into(),
        port: 80,
    };
    let name = ObjectName::new(HOSTILE, HOSTILE);
    [Question::Packet(packet), Question::Service { name, client }]
}

#[test]
fn no_name_forges_a_line_or_commands_the_terminal() {
    let mut index = Index::new("node-a");
    index.apply(Update::ServiceApplied(service()));
    index.apply(Update::EndpointSliceApplied(slice(1)));
    index.take_changes();
    for question in questions() {
        let text = told(&index, &question);
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.contains(r"a\n  verdict   FAKE\u{1b}[31m"), "{text}");
        let verdicts = text.lines().filter(|line| line.starts_with("  verdict")).count();
        assert!(verdicts <= 1, "{text}");
    }
}

#[test]
fn what_the_kernel_was_not_given_yet_is_said() {
    let mut index = Index::new("node-a");
    index.apply(Update::ServiceApplied(service()));
    index.apply(Update::EndpointSliceApplied(slice(1)));
    index.take_changes();
    index.apply(Update::EndpointSliceApplied(slice(2)));
    for question in questions() {
        let text = told(&index, &question);
        assert!(text.contains("what the kernel was given last"), "{text}");
    }
    let [packet, _] = questions();
    let text = told(&index, &packet);
    assert!(text.contains("left out: not given to the kernel yet"), "{text}");
}
