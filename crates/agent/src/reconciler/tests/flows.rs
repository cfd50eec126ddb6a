//! Which flows are looked at after which call.

use std::net::SocketAddr;

use portolan_core::Protocol;
use portolan_core::flows::{FlowJudge, TrackedFlow};

use super::*;
use crate::conntrack::FlowCleaner;
use crate::testing::{udp_service, udp_slice};

/// A scene with a service `dns`, as it is before the first call.
fn listed(lasts: &[u8]) -> Scene {
    let mut scene = Scene::new();
    scene.receive(services(vec![udp_service("dns", 1), service("web", 2)]));
    scene.receive(slices(vec![udp_slice("dns", lasts), slice("web", &[1])]));
    scene
}

fn serve(scene: &mut Scene, lasts: &[u8]) {
    let update = Update::EndpointSliceApplied(udp_slice("dns", lasts));
    scene.receive(SourceEvent::Update(update));
}

/// Whether flows to the service are to be deleted by now that are not translated, that go
/// to the first endpoint, and that go to the second.
fn stale(scene: &Scene) -> [bool; 3] {
    let due = scene.reconciler.flows.due();
    let environment = scene.reconciler.surroundings.environment();
    let judge = FlowJudge::new(&due, &environment, &[]);
    ["10.96.0.1:53", "10.244.0.1:8080", "10.244.0.2:8080"].map(|reply_source| {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap().into();
        let (destination, reply_source) = (address("10.96.0.1:53"), address(reply_source));
        let protocol = Protocol::Udp;
        judge.is_stale(TrackedFlow { protocol, destination, reply_source, answered: true })
    })
}

#[test]
fn after_the_start_every_flow_must_be_one_of_its_owner() {
    let mut scene = listed(&[1]);
    assert_eq!(stale(&scene), [false; 3]);
    scene.succeed();
    assert_eq!(stale(&scene), [true, false, true]);
}

#[test]
fn flows_are_stale_only_once_the_kernel_has_the_change() {
    let mut scene = listed(&[]);
    scene.succeed();
    assert_eq!(stale(&scene), [false, true, true]);
    serve(&mut scene, &[1]);
    assert!(scene.work());
    assert_eq!(stale(&scene), [false, true, true]);
    scene.finish(Ok(Done::Synced(SyncReport::default())));
    assert_eq!(stale(&scene), [true, false, true]);
}

#[test]
fn what_failed_calls_left_behind_is_looked_at_after_the_converge_that_makes_up_for_them() {
    let mut scene = listed(&[1]);
    scene.succeed();
    scene.receive(SourceEvent::Update(Update::ServiceDeleted(udp_service("dns", 1).name)));
    scene.fail();
    assert_eq!(stale(&scene), [true, false, true]);
    scene.later(60);
    scene.succeed();
    assert_eq!(stale(&scene), [false, true, false], "nobody's, and the old plan says whose");
}

#[test]
fn a_look_at_the_kernel_confirms_nothing() {
    let mut scene = listed(&[1]);
    scene.succeed();
    serve(&mut scene, &[2]);
    scene.later(CHECK_EVERY.as_secs());
    assert!(matches!(scene.reconciler.next_work(scene.now), Some(Work::Check)));
    scene.finish(Ok(checked(false)));
    assert_eq!(stale(&scene), [true, false, true]);
    scene.succeed();
    assert_eq!(stale(&scene), [true, true, false]);
}

#[test]
fn another_environment_makes_flows_suspect_only_if_other_addresses_take_node_ports() {
    let mut scene = listed(&[1]);
    scene.succeed();
    let cidrs = vec!["10.96.0.0/16".parse().unwrap()];
    let cases = [
        (SourceEvent::Update(Update::ServiceCidrsReset(cidrs)), false),
        (node(&["192.0.2.9"], &[]), true),
    ];
    for (event, suspect) in cases {
        scene.reconciler.flows = FlowCleaner::without_thread();
        scene.receive(event);
        assert!(matches!(scene.reconciler.next_work(scene.now), Some(Work::Adapt(_))));
        scene.finish(Ok(Done::Synced(SyncReport::default())));
        assert_eq!(!scene.reconciler.flows.due().is_empty(), suspect);
    }
}

#[test]
fn connections_begun_while_rules_were_missing_are_looked_at_after_the_converge_that_restores_them()
{
    let mut scene = listed(&[1]);
    scene.succeed();
    let begun_early = |scene: &Scene| {
        let due = scene.reconciler.flows.due();
        let web = "10.96.0.2:80".parse::<SocketAddr>().unwrap().into();
        let judge = FlowJudge::new(&due, &Environment::default(), &[]);
        judge.is_stale(TrackedFlow {
            protocol: Protocol::Tcp,
            destination: web,
            reply_source: web,
            answered: false,
        })
    };
    assert!(begun_early(&scene), "before the start there were none");
    scene.reconciler.flows = FlowCleaner::without_thread();
    scene.receive(SourceEvent::Update(Update::EndpointSliceApplied(slice("web", &[2]))));
    scene.succeed();
    assert!(!begun_early(&scene), "nothing was missing");
    scene.later(CHECK_EVERY.as_secs());
    assert!(matches!(scene.reconciler.next_work(scene.now), Some(Work::Check)));
    scene.finish(Ok(checked(true)));
    scene.succeed();
    assert!(begun_early(&scene));
}
