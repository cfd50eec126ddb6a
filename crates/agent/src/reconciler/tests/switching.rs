//! Changing the backend while it serves.

use portolan_core::Draining;
use portolan_core::backend::NodePortAddresses;
use tokio::sync::oneshot;

use super::*;
use crate::config::{BackendKind, NodePortSelection};
use crate::reconciler::{SwitchError, SwitchRequest, Switched};

impl Scene {
    fn request(&mut self, to: BackendKind) -> oneshot::Receiver<Result<Switched, SwitchError>> {
        let (reply, answer) = oneshot::channel();
        let by = "test".to_owned();
        self.reconciler.request_switch(SwitchRequest { to, by, reply }, self.now);
        answer
    }

    /// The next call, which changes the backend.
    fn switch(&mut self) -> (BackendKind, usize, Environment) {
        match self.reconciler.next_work(self.now) {
            Some(Work::Switch { to, plans, environment }) => (to, plans.len(), environment),
            work => panic!("{work:?}"),
        }
    }
}

fn from(from: BackendKind) -> Result<Switched, SwitchError> {
    Ok(Switched { from, draining: None })
}

#[test]
fn the_backend_changes_with_all_plans_and_who_asked_hears_when_it_is_done() {
    let mut scene = Scene::synced();
    let mut answer = scene.request(BackendKind::Ipvs);
    // What came meanwhile is in it.
    scene.receive(services(vec![service("web", 1), service("api", 2)]));
    let (to, plans, _) = scene.switch();
    assert_eq!((to, plans), (BackendKind::Ipvs, 2));
    assert!(answer.try_recv().is_err(), "it is not done yet");
    scene.finish(Ok(Done::Synced(SyncReport::default())));
    assert_eq!(answer.try_recv(), Ok(from(BackendKind::Nftables)));
    assert!(!scene.work(), "nothing is left to do");
    let again = scene.request(BackendKind::Ipvs).try_recv();
    assert_eq!(again, Ok(from(BackendKind::Ipvs)), "it is that already");
    assert!(!scene.work());
}

#[test]
fn who_asked_hears_what_stays_with_the_old_backend() {
    let mut scene = Scene::synced();
    let mut answer = scene.request(BackendKind::Ipvs);
    scene.switch();
    let left = Draining { backend: "ipvs".to_owned(), connections: 7, ..Draining::default() };
    let facts = BackendFacts { draining: Some(left.clone()), ..BackendFacts::default() };
    let result = Ok(Done::Synced(SyncReport::default()));
    scene.reconciler.finish(Outcome { result, facts, took: Duration::ZERO }, scene.now);
    assert_eq!(answer.try_recv().unwrap().unwrap().draining, Some(left));
}

#[test]
fn a_backend_that_refuses_leaves_the_old_one_which_is_converged() {
    let mut scene = Scene::synced();
    let mut answer = scene.request(BackendKind::Ipvs);
    scene.switch();
    scene.finish(Err(WorkError::Backend("no IPVS".into())));
    let refused = answer.try_recv().unwrap().unwrap_err();
    assert_eq!(refused.to_string(), "the backend stays nftables: no IPVS");
    let status = scene.reconciler.dump().status;
    assert_eq!((status.last_error, status.failures), (None, 0), "the old one has not failed");
    for family in ["IPv4", "IPv6"] {
        let failures = "kubeproxy_sync_proxy_rules_nftables_sync_failures_total";
        assert_eq!(scene.value(&format!("{failures}{{ip_family=\"{family}\"}}")), 0.0);
    }
    let work = scene.reconciler.next_work(scene.now);
    assert!(matches!(work, Some(Work::Converge { .. })), "{work:?}");
    scene.finish(Ok(Done::Synced(SyncReport::default())));
    // It can be asked for again.
    scene.request(BackendKind::Ipvs);
    assert_eq!(scene.switch().0, BackendKind::Ipvs);
}

/// Why a change of the backend is refused at once.
fn refusal(scene: &mut Scene, to: BackendKind) -> String {
    let answer = scene.request(to).try_recv();
    answer.expect("an answer at once").expect_err("a refusal").to_string()
}

#[test]
fn who_asks_before_the_first_sync_hears_at_once_what_it_waits_for() {
    let patience =
        Patience { node: Duration::from_secs(30), service_cidrs: Duration::from_secs(60) };
    let read: ReadInterfaces = Box::new(|| Ok(Vec::new()));
    let reconciler = Reconciler::new(Config { patience, ..config() }, read);
    let mut scene = Scene { reconciler, now: Instant::now() };
    scene.receive(services(vec![service("web", 1)]));
    for to in [BackendKind::Ipvs, BackendKind::Nftables] {
        let refusal = refusal(&mut scene, to);
        assert!(refusal.contains("has not synchronised yet"), "{refusal}");
        assert!(refusal.contains("all Services and EndpointSlices"), "{refusal}");
        assert!(refusal.contains("can it be read?"), "{refusal}");
    }
    scene.receive(slices(vec![slice("web", &[1])]));
    scene.later(10);
    let refused = refusal(&mut scene, BackendKind::Ipvs);
    assert!(refused.contains("this node's Node and the ServiceCIDRs"), "{refused}");
    assert!(refused.contains("50 s"), "{refused}");
    scene.receive(node(&["192.0.2.1"], &[]));
    let refused = refusal(&mut scene, BackendKind::Ipvs);
    assert!(!refused.contains("Node") && refused.contains("the ServiceCIDRs"), "{refused}");
    scene.later(50);
    scene.succeed();
    assert!(!scene.work(), "nobody waits for another backend");
}

#[test]
fn the_old_backend_converges_first_and_only_one_change_is_under_way() {
    let mut scene = Scene::new();
    scene.list();
    assert!(matches!(scene.reconciler.next_work(scene.now), Some(Work::Converge { .. })));
    let mut first = scene.request(BackendKind::Ipvs);
    let mut second = scene.request(BackendKind::Nftables);
    assert_eq!(second.try_recv(), Ok(Err(SwitchError::UnderWay)));
    scene.finish(Ok(Done::Synced(SyncReport::default())));
    scene.switch();
    let third = scene.request(BackendKind::Nftables).try_recv();
    assert_eq!(third, Ok(Err(SwitchError::UnderWay)));
    scene.finish(Ok(Done::Synced(SyncReport::default())));
    assert_eq!(first.try_recv(), Ok(from(BackendKind::Nftables)));
}

#[test]
fn a_backend_that_cannot_converge_can_be_left_without_a_long_wait() {
    let mut scene = Scene::new();
    scene.list();
    for seconds in [1, 2, 4, 8, 16] {
        scene.fail();
        scene.later(seconds);
    }
    scene.fail();
    scene.later(5);
    assert!(!scene.work(), "it waits");
    let mut answer = scene.request(BackendKind::Ipvs);
    assert_eq!(scene.switch().0, BackendKind::Ipvs);
    scene.finish(Err(WorkError::Backend("no IPVS".into())));
    assert!(answer.try_recv().unwrap().is_err());
    scene.later(60);
    let work = scene.reconciler.next_work(scene.now);
    assert!(matches!(work, Some(Work::Converge { .. })), "the old one goes on: {work:?}");
    scene.finish(Err(WorkError::Backend("no luck".into())));
    scene.request(BackendKind::Ipvs);
    scene.later(1);
    scene.switch();
    scene.finish(Ok(Done::Synced(SyncReport::default())));
    assert!(!scene.work(), "the new one has done all");
}

#[test]
fn ipvs_is_told_every_address_that_takes_node_ports() {
    let read: ReadInterfaces = Box::new(|| Ok(vec!["192.0.2.1".parse().unwrap()]));
    let node_ports = NodePortSelection::Networks(Vec::new());
    let reconciler = Reconciler::new(Config { node_ports, ..config() }, read);
    let mut scene = Scene { reconciler, now: Instant::now() };
    scene.list();
    scene.succeed();
    for (to, expected) in [
        (BackendKind::Ipvs, NodePortAddresses::Listed(vec!["192.0.2.1".parse().unwrap()])),
        (BackendKind::Nftables, NodePortAddresses::Any),
    ] {
        scene.request(to);
        assert_eq!(scene.switch().2.node_ports_v4, expected);
        scene.finish(Ok(Done::Synced(SyncReport::default())));
    }
}
