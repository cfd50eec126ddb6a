//! When NodePorts are opened and closed on `::1`.

use std::net::IpAddr;
use std::sync::Arc;

use portolan_core::{EndpointSlice, Family, Service, ServiceType};
use tokio::sync::mpsc::UnboundedReceiver;

use super::*;
use crate::announced::Announced;
use crate::loopback_relay::{Counters, LoopbackRelay, Targets};

/// A Service with a NodePort of IPv6.
fn on_node(name: &str, last: u16, node_port: u16) -> Service {
    let mut service = Service {
        service_type: ServiceType::NodePort,
        cluster_ips: vec![IpAddr::from([0xfd10, 0, 0, 0, 0, 0, 0, last])],
        ..service(name, 1)
    };
    service.ports.iter_mut().for_each(|port| port.node_port = Some(node_port));
    service
}

/// Its endpoints.
fn behind(name: &str, lasts: &[u8]) -> EndpointSlice {
    let mut slice = slice(name, lasts);
    slice.family = Family::V6;
    for (endpoint, last) in slice.endpoints.iter_mut().zip(lasts) {
        endpoint.address = IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(*last)]);
    }
    slice
}

fn serve(scene: &mut Scene, name: &str, lasts: &[u8]) {
    scene.receive(SourceEvent::Update(Update::EndpointSliceApplied(behind(name, lasts))));
}

/// A scene in which the relay is the test, before the first call. `web` has an endpoint.
fn listed() -> (Scene, UnboundedReceiver<Announced<Targets>>) {
    let (loopback, news) = LoopbackRelay::without_thread(Arc::new(Counters::default()));
    let Scene { reconciler, now } = Scene::new();
    let mut scene = Scene { reconciler: reconciler.with_loopback(Some(loopback)), now };
    scene.receive(services(vec![on_node("web", 1, 30_080), service("plain", 2)]));
    scene.receive(slices(vec![behind("web", &[1])]));
    (scene, news)
}

/// NodePort and number of endpoints by Service; `None` if it has nothing there.
type Ports = Vec<(String, Option<(u16, usize)>)>;

/// Whether the news are complete, and what they say.
fn told(news: &mut UnboundedReceiver<Announced<Targets>>) -> Option<(bool, Ports)> {
    let Announced { complete, by_service } = news.try_recv().ok()?;
    let first = |targets: Targets| {
        let (node_port, target) = targets.into_iter().next()?;
        Some((node_port.port, target.endpoints.len()))
    };
    let ports =
        by_service.into_iter().map(|(name, it)| (name.name.to_string(), it.and_then(first)));
    Some((complete, ports.collect()))
}

fn web(port: Option<(u16, usize)>) -> Ports {
    vec![("web".to_owned(), port)]
}

#[test]
fn node_ports_open_and_close_once_the_kernel_has_them() {
    let (mut scene, mut news) = listed();
    assert!(scene.work());
    assert_eq!(told(&mut news), None);
    scene.finish(Ok(Done::Synced(SyncReport::default())));
    assert_eq!(told(&mut news), Some((true, web(Some((30_080, 1))))));

    for (lasts, expected) in [(&[1, 2][..], Some((30_080, 2))), (&[], None)] {
        serve(&mut scene, "web", lasts);
        assert!(scene.work());
        assert_eq!(told(&mut news), None);
        scene.finish(Ok(Done::Synced(SyncReport::default())));
        assert_eq!(told(&mut news), Some((false, web(expected))));
    }
}

#[test]
fn what_concerns_no_node_port_of_ipv6_is_not_told() {
    let (mut scene, mut news) = listed();
    scene.succeed();
    told(&mut news);
    scene.receive(slice_applied("plain", &[7]));
    scene.succeed();
    scene.receive(node(&["192.0.2.1", "2001:db8::1"], &[]));
    scene.succeed();
    assert_eq!(told(&mut news), None);
}

#[test]
fn what_failed_calls_were_to_do_is_done_by_the_converge_that_makes_up_for_them() {
    let (mut scene, mut news) = listed();
    scene.succeed();
    told(&mut news);
    serve(&mut scene, "web", &[]);
    scene.fail();
    assert_eq!(told(&mut news), None);
    scene.receive(SourceEvent::Update(Update::ServiceApplied(on_node("api", 3, 30_090))));
    serve(&mut scene, "api", &[1, 2, 3]);
    scene.later(60);
    scene.succeed();
    let api = vec![("api".to_owned(), Some((30_090, 3)))];
    assert_eq!(told(&mut news), Some((true, api)), "what is left out is closed");
}

#[test]
fn only_who_asked_for_localhost_is_told_of_it() {
    let (scene, _news) = listed();
    assert!(scene.reconciler.dump().loopback.is_some());
    assert!(Scene::new().reconciler.dump().loopback.is_none());
}
