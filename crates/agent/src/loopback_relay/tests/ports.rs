//! Which NodePorts are open.

use std::net::{TcpListener, TcpStream, UdpSocket};

use super::*;
use crate::control::PortState;
use crate::listen::LISTEN_AGAIN;
use crate::testing::count_warnings;

const OTHER: NodePort = NodePort { transport: Transport::Tcp, port: PORT + 1 };

fn endpoint() -> EndpointAddress {
    localhost(9).into()
}

fn on<const N: usize>(service: &str, node_ports: [NodePort; N]) -> Option<Targets> {
    let target = target(service, &[endpoint()], None).unwrap();
    Some(node_ports.map(|node_port| (node_port, target.clone())).into())
}

fn is_open(port: u16) -> bool {
    TcpStream::connect(localhost(port)).is_ok()
}

/// NodePort, Service and state of all that is open, or tried.
fn told(scene: &Scene) -> Vec<(u16, String, PortState)> {
    let ports = scene.report().ports.into_iter();
    ports.map(|port| (port.port, port.service.name.to_string(), port.state)).collect()
}

#[test]
fn node_ports_open_and_close_with_their_services_and_others_stay_as_they_are() {
    let name = "ports::node_ports_open_and_close_with_their_services_and_others_stay_as_they_are";
    isolated(name, async {
        let mut scene = Scene::new();
        scene.take_in(changed([("web", on("web", [TCP, UDP])), ("api", on("api", [OTHER]))])).await;
        assert!(is_open(PORT) && is_open(PORT + 1));
        let before = scene.relays.tasks();
        assert_eq!(before.keys().copied().collect::<Vec<_>>(), [TCP, OTHER, UDP]);

        scene.take_in(changed([("web", on("web", [UDP])), ("stranger", None)])).await;
        assert!(!is_open(PORT) && is_open(PORT + 1));
        let after = scene.relays.tasks();
        assert_eq!((after[&UDP], after[&OTHER]), (before[&UDP], before[&OTHER]));

        let complete = Announced { complete: true, ..changed([("api", on("api", [OTHER]))]) };
        scene.take_in(complete).await;
        assert_eq!(scene.relays.tasks(), [(OTHER, before[&OTHER])].into());
        assert_eq!(told(&scene), [(PORT + 1, "api".to_owned(), PortState::Open)]);

        drop(scene);
        tokio::task::yield_now().await;
        assert!(!is_open(PORT + 1), "nothing is left at the end");
    });
}

#[test]
fn a_node_port_goes_from_one_service_to_another_without_an_interruption() {
    let name = "ports::a_node_port_goes_from_one_service_to_another_without_an_interruption";
    isolated(name, async {
        let mut scene = Scene::new();
        scene.take_in(changed([("a", on("a", [TCP])), ("c", on("c", [OTHER]))])).await;
        let before = scene.relays.tasks();
        // Whichever of the two comes first in the news.
        for (from, to) in [("a", "b"), ("b", "a")] {
            scene.take_in(changed([(from, None), (to, on(to, [TCP]))])).await;
            assert_eq!(scene.relays.tasks(), before, "from {from} to {to}");
            assert_eq!(told(&scene)[0], (PORT, to.to_owned(), PortState::Open));
        }
    });
}

#[test]
fn a_port_that_is_taken_is_warned_of_once_and_served_when_it_is_free() {
    let name = "ports::a_port_that_is_taken_is_warned_of_once_and_served_when_it_is_free";
    isolated_and_paused(name, async {
        let (warnings, _guard) = count_warnings();
        let tcp = TcpListener::bind(localhost(PORT)).unwrap();
        let udp = UdpSocket::bind(localhost(PORT)).unwrap();
        let mut scene = Scene::new();
        scene.take_in(changed([("web", on("web", [TCP, UDP])), ("api", on("api", [OTHER]))])).await;
        assert!(is_open(PORT + 1));
        tokio::time::sleep(3 * LISTEN_AGAIN).await;
        assert_eq!(warnings.count(), 2, "once for each");
        let failed =
            scene.report().ports.into_iter().filter(
                |port| matches!(&port.state, PortState::Failed(why) if why.contains("in use")),
            );
        assert_eq!(failed.count(), 2);
        drop((tcp, udp));
        assert!(!is_open(PORT));
        tokio::time::sleep(LISTEN_AGAIN).await;
        assert!(is_open(PORT));
        assert!(scene.report().ports.iter().all(|port| port.state == PortState::Open));
        assert_eq!(warnings.count(), 2);
    });
}

#[test]
fn a_port_that_is_no_longer_wanted_is_not_tried_again() {
    isolated_and_paused("ports::a_port_that_is_no_longer_wanted_is_not_tried_again", async {
        let taken = TcpListener::bind(localhost(PORT)).unwrap();
        let mut scene = Scene::new();
        scene.take_in(changed([("web", on("web", [TCP]))])).await;
        scene.take_in(changed([("web", None)])).await;
        drop(taken);
        tokio::time::sleep(2 * LISTEN_AGAIN).await;
        assert!(!is_open(PORT));
        assert_eq!(told(&scene), []);
    });
}

#[test]
fn without_file_descriptors_a_port_waits_for_one() {
    isolated_and_paused("ports::without_file_descriptors_a_port_waits_for_one", async {
        let mut scene = Scene::with(Limits::new(9, 9, 1));
        scene.take_in(changed([("a", on("a", [TCP]))])).await;
        scene.take_in(changed([("b", on("b", [OTHER]))])).await;
        assert!(!is_open(PORT + 1));
        scene.take_in(changed([("a", None)])).await;
        tokio::time::sleep(2 * LISTEN_AGAIN).await;
        assert!(is_open(PORT + 1));
    });
}

#[test]
fn where_the_node_has_no_such_address_one_port_speaks_for_all() {
    let name = "ports::where_the_node_has_no_such_address_one_port_speaks_for_all";
    isolated_and_paused(name, async {
        std::fs::write("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "1").unwrap();
        let (warnings, _guard) = count_warnings();
        let mut scene = Scene::new();
        scene.take_in(changed([("web", on("web", [TCP, UDP])), ("api", on("api", [OTHER]))])).await;
        tokio::time::sleep(2 * LISTEN_AGAIN).await;
        assert_eq!(warnings.count(), 1);
        std::fs::write("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "0").unwrap();
        tokio::time::sleep(LISTEN_AGAIN).await;
        assert!(is_open(PORT) && is_open(PORT + 1));
    });
}
