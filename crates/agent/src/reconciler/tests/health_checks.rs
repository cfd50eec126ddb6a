//! What load balancers are told after which call.

use portolan_core::backend::NodePortAddresses;
use portolan_core::{HealthCheck, Service};
use tokio::sync::mpsc::UnboundedReceiver;

use super::*;
use crate::announced::Announced;
use crate::service_health::{News, channel};
use crate::testing::{balanced, local_slice};

/// A scene in which the server set is the test, before the first call.
fn listed(listed: Vec<Service>, lasts: &[u8]) -> (Scene, UnboundedReceiver<News>) {
    let (health_checks, news) = channel();
    let Scene { reconciler, now } = Scene::new();
    let mut scene = Scene { reconciler: reconciler.with_health_checks(health_checks), now };
    scene.receive(services(listed));
    scene.receive(slices(vec![local_slice("web", lasts)]));
    (scene, news)
}

fn web() -> Vec<Service> {
    vec![balanced("web", 1, 32000), service("plain", 2)]
}

fn serve(scene: &mut Scene, lasts: &[u8]) {
    scene.receive(SourceEvent::Update(Update::EndpointSliceApplied(local_slice("web", lasts))));
}

/// What news say of each Service.
type Counts = Vec<(String, Option<usize>)>;

/// Whether the news are complete, and what they say of each Service.
fn told(news: &mut UnboundedReceiver<News>) -> Option<(bool, Counts)> {
    let Announced { complete, by_service } = news.try_recv().ok()?.checks;
    let count = |check: Option<HealthCheck>| check.and_then(|check| check.local_v4);
    let checks = by_service.into_iter().map(|(name, check)| (name.name.to_string(), count(check)));
    Some((complete, checks.collect()))
}

fn web_has(count: Option<usize>) -> Counts {
    vec![("web".to_owned(), count)]
}

#[test]
fn load_balancers_hear_of_a_change_once_the_kernel_has_it() {
    let (mut scene, mut news) = listed(web(), &[1]);
    assert!(scene.work());
    assert_eq!(told(&mut news), None);
    scene.finish(Ok(Done::Synced(SyncReport::default())));
    assert_eq!(told(&mut news), Some((true, web_has(Some(1)))));

    serve(&mut scene, &[1, 2]);
    assert!(scene.work());
    assert_eq!(told(&mut news), None);
    scene.finish(Ok(Done::Synced(SyncReport::default())));
    assert_eq!(told(&mut news), Some((false, web_has(Some(2)))));

    scene.receive(SourceEvent::Update(Update::ServiceDeleted(balanced("web", 1, 1).name)));
    scene.succeed();
    assert_eq!(told(&mut news), Some((false, web_has(None))));
    assert_eq!(told(&mut news), None);
}

#[test]
fn what_does_not_concern_load_balancers_is_not_told() {
    let (mut scene, mut news) = listed(web(), &[1]);
    scene.succeed();
    told(&mut news);
    scene.receive(slice_applied("plain", &[7]));
    scene.succeed();
    assert_eq!(news.try_recv().ok(), None);
}

#[test]
fn after_a_failed_call_everything_is_told_by_the_converge_that_makes_up_for_it() {
    let (mut scene, mut news) = listed(web(), &[1]);
    scene.succeed();
    told(&mut news);
    scene.receive(SourceEvent::Update(Update::ServiceDeleted(balanced("web", 1, 1).name)));
    scene.fail();
    assert_eq!(told(&mut news), None);
    scene.receive(services(vec![balanced("other", 3, 32001), balanced("web", 1, 32000)]));
    scene.later(60);
    scene.succeed();
    let other = ("other".to_owned(), Some(0));
    let all = [vec![other], web_has(Some(1))].concat();
    assert_eq!(told(&mut news), Some((true, all)));
}

#[test]
fn what_a_failed_call_was_to_do_is_forgotten_if_it_no_longer_holds() {
    let (mut scene, mut news) = listed(web(), &[1]);
    scene.succeed();
    told(&mut news);
    serve(&mut scene, &[1, 2]);
    scene.fail();
    scene.receive(SourceEvent::Update(Update::ServiceDeleted(balanced("web", 1, 1).name)));
    scene.later(60);
    scene.succeed();
    assert_eq!(told(&mut news), Some((true, Vec::new())));
}

#[test]
fn addresses_are_told_when_they_are_served_and_changes_wait_for_their_own_call() {
    let (mut scene, mut news) = listed(web(), &[1]);
    scene.receive(node(&["192.0.2.1"], &[]));
    scene.succeed();
    let served_on = |news: News| news.served_on.map(|served_on| served_on.v4);
    let listed = |text: &str| Some(NodePortAddresses::Listed(vec![text.parse().unwrap()]));
    assert_eq!(news.try_recv().ok().map(served_on), Some(listed("192.0.2.1")));

    scene.receive(node(&["192.0.2.2"], &[]));
    serve(&mut scene, &[1, 2]);
    assert!(matches!(scene.reconciler.next_work(scene.now), Some(Work::Adapt(_))));
    assert_eq!(news.try_recv().ok(), None);
    scene.finish(Ok(Done::Synced(SyncReport::default())));
    let adapted = news.try_recv().unwrap();
    assert!(adapted.checks.is_empty(), "{adapted:?}");
    assert_eq!(served_on(adapted), listed("192.0.2.2"));
    scene.succeed();
    let changed = news.try_recv().unwrap();
    assert_eq!((changed.checks.by_service.len(), changed.served_on), (1, None));
}

#[test]
fn a_look_at_the_kernel_tells_nothing() {
    let (mut scene, mut news) = listed(web(), &[1]);
    scene.succeed();
    told(&mut news);
    serve(&mut scene, &[1, 2]);
    scene.later(CHECK_EVERY.as_secs());
    assert!(matches!(scene.reconciler.next_work(scene.now), Some(Work::Check)));
    scene.finish(Ok(checked(false)));
    assert_eq!(told(&mut news), None);
    scene.succeed();
    assert_eq!(told(&mut news), Some((false, web_has(Some(2)))));
}
