//! Health and dump as the loop goes on. What is asked of the backend is tested with the
//! loop itself.

mod backend_facts;
mod explain;
mod flows;
mod health_checks;
mod loopback;
mod measure;
mod switching;
mod unread;

use portolan_core::{Environment, NodeInfo, ObjectKind, SyncReport, Update};
use portolan_watch::{Cause, Notice};

use super::healing::CHECK_EVERY;
use super::problems::SETTLE;
use super::*;
use crate::backend_thread::{BackendFacts, Done, Outcome, WorkError};
use crate::config::Patience;
use crate::control::Dump;
use crate::testing::{config, node, service, services, slice, slice_applied, slices};

struct Scene {
    reconciler: Reconciler,
    now: Instant,
}

/// What a look at the kernel comes to where nothing is known of the affinity maps.
fn checked(disturbed: bool) -> Done {
    Done::Checked { disturbed, remembered: Vec::new() }
}

impl Scene {
    fn new() -> Scene {
        let read: ReadInterfaces = Box::new(|| Ok(Vec::new()));
        Scene { reconciler: Reconciler::new(config(), read), now: Instant::now() }
    }

    /// After the first sync.
    fn synced() -> Scene {
        let mut scene = Scene::new();
        scene.list();
        scene.succeed();
        scene
    }

    fn receive(&mut self, event: SourceEvent) {
        self.reconciler.receive(event, self.now);
    }

    fn list(&mut self) {
        self.receive(services(vec![service("web", 1)]));
        self.receive(slices(vec![slice("web", &[1])]));
    }

    fn later(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.reconciler.wake(self.now);
    }

    /// Whether there is something to do for the kernel. Nobody disturbs it meanwhile.
    fn work(&mut self) -> bool {
        match self.reconciler.next_work(self.now) {
            Some(Work::Check) => {
                self.finish(Ok(checked(false)));
                self.work()
            }
            work => work.is_some(),
        }
    }

    fn finish(&mut self, result: Result<Done, WorkError>) {
        self.reconciler.finish(
            Outcome { result, facts: BackendFacts::default(), took: Duration::ZERO },
            self.now,
        );
    }

    fn succeed(&mut self) {
        assert!(self.work());
        self.finish(Ok(Done::Synced(SyncReport::default())));
    }

    fn fail(&mut self) {
        assert!(self.work());
        self.finish(Err(WorkError::Backend("no luck".into())));
    }

    fn waiting_seconds(&self) -> Option<u64> {
        let since = self.reconciler.health().waiting_since?;
        Some(self.now.duration_since(since).as_secs())
    }
}

#[test]
fn nothing_waits_for_the_kernel_until_everything_is_listed() {
    let mut scene = Scene::new();
    scene.receive(services(vec![service("web", 1)]));
    scene.later(100);
    assert_eq!(scene.waiting_seconds(), None);
    scene.receive(slices(Vec::new()));
    assert_eq!(scene.waiting_seconds(), Some(0));
    scene.succeed();
    assert_eq!(scene.waiting_seconds(), None);
    assert!(scene.reconciler.health().last_sync.is_some());
}

#[test]
fn a_change_waits_from_its_event_until_a_sync_that_holds_it_succeeds() {
    let mut scene = Scene::new();
    scene.list();
    scene.succeed();
    scene.receive(slice_applied("web", &[1, 2]));
    scene.fail();
    scene.later(15);
    assert_eq!(scene.waiting_seconds(), Some(15), "a failed sync does not count");
    scene.receive(slice_applied("web", &[1, 2, 3]));
    scene.fail();
    scene.later(20);
    assert_eq!(scene.waiting_seconds(), Some(35), "news does not make the wait shorter");
    assert!(scene.work());
    scene.later(3);
    assert_eq!(scene.waiting_seconds(), Some(38), "nor does a sync that goes on");
    scene.receive(slice_applied("web", &[1]));
    scene.later(1);
    scene.finish(Ok(Done::Synced(SyncReport::default())));
    assert_eq!(scene.waiting_seconds(), Some(1), "what came during the sync still waits");
    scene.succeed();
    assert_eq!(scene.waiting_seconds(), None);
}

#[test]
fn an_event_that_changes_nothing_does_not_wait() {
    let mut scene = Scene::new();
    scene.list();
    scene.succeed();
    scene.receive(slice_applied("web", &[1]));
    assert!(!scene.work());
    assert_eq!(scene.waiting_seconds(), None);
}

#[test]
fn after_a_failure_the_next_call_waits_for_the_pause_or_for_news() {
    let mut scene = Scene::new();
    scene.list();
    scene.fail();
    assert!(!scene.work());
    scene.later(1);
    scene.fail();
    scene.later(1);
    assert!(!scene.work(), "the second pause is longer");
    scene.receive(slice_applied("web", &[1, 2]));
    assert!(scene.work(), "but news ends it");
}

#[test]
fn a_node_that_leaves_or_is_deleted_is_told_to_the_health_server() {
    let node = |leaving| {
        SourceEvent::Update(Update::NodeApplied(NodeInfo { leaving, ..NodeInfo::default() }))
    };
    let mut scene = Scene::new();
    assert!(!scene.reconciler.health().node_leaving, "a source may know no Node");
    for (event, leaving) in [
        (node(false), false),
        (node(true), true),
        (node(false), false),
        (SourceEvent::Update(Update::NodeDeleted), true),
        (node(false), false),
    ] {
        scene.receive(event);
        assert_eq!(scene.reconciler.health().node_leaving, leaving);
    }
}

#[test]
fn a_dump_tells_how_the_agent_is_and_what_it_serves() {
    let mut scene = Scene::new();
    scene.list();
    scene.fail();
    let Dump { status, services, .. } = scene.reconciler.dump();
    assert_eq!((status.synced, status.syncs, status.failures), (false, 0, 1));
    assert_eq!(status.last_error.as_deref(), Some("no luck"));
    assert_eq!((status.service_count, status.endpoint_count), (1, 1));
    assert_eq!((status.node_name.as_str(), services.len()), ("node-a", 1));
    scene.later(1);
    scene.succeed();
    let status = scene.reconciler.dump().status;
    assert_eq!((status.synced, status.syncs, status.failures), (true, 1, 0));
    assert_eq!(status.last_error, None);
}

#[test]
fn a_dump_lists_what_the_source_and_the_index_cannot_use() {
    let mut scene = Scene::new();
    scene.receive(node(&["192.0.2.1"], &[]));
    scene.receive(services(vec![service("web", 1), service("twin", 1)]));
    scene.receive(slices(Vec::new()));
    let notice = Notice { place: None, cause: Cause::Other("shop.yaml: not YAML".to_owned()) };
    let problems = |problems| SourceEvent::Problems { origin: "shop.yaml".to_owned(), problems };
    scene.receive(problems(vec![notice.clone()]));
    scene.succeed();
    let dumped = scene.reconciler.dump().problems;
    assert_eq!(dumped.first(), Some(&notice));
    assert!(
        dumped.iter().any(|notice| matches!(
            &notice.cause,
            Cause::Object(problem) if problem.kind == ObjectKind::Service
        )),
        "two services with one address: {dumped:?}"
    );
    scene.receive(problems(Vec::new()));
    scene.receive(services(vec![service("web", 1)]));
    scene.succeed();
    assert_eq!(scene.reconciler.dump().problems, []);
}

#[test]
fn a_dump_says_that_nobody_serves_node_ports_until_the_node_is_known() {
    let mut scene = Scene::new();
    scene.list();
    scene.succeed();
    let problems = scene.reconciler.dump().problems;
    assert!(problems.iter().any(|problem| problem.to_string().contains("NodePorts")));
    scene.receive(node(&["192.0.2.1"], &[]));
    scene.succeed();
    assert_eq!(scene.reconciler.dump().problems, []);
}

#[test]
fn problems_of_the_index_are_told_once_they_have_settled_and_wake_nobody_after() {
    let mut scene = Scene::new();
    scene.receive(services(vec![service("web", 1), service("twin", 1)]));
    scene.receive(slices(Vec::new()));
    scene.succeed();
    assert_eq!(scene.reconciler.wake_at(), Some(scene.now + SETTLE));
    let synced = scene.now;
    scene.later(1);
    assert!(!scene.work());
    assert_eq!(scene.reconciler.wake_at(), Some(synced + CHECK_EVERY));
}

#[test]
fn changes_go_on_while_the_kernel_is_looked_at_and_the_look_itself_waits_for_nothing() {
    let mut scene = Scene::new();
    scene.list();
    scene.succeed();
    scene.later(5);
    assert!(matches!(scene.reconciler.next_work(scene.now), Some(Work::Check)));
    assert_eq!(scene.waiting_seconds(), None);
    scene.receive(slice_applied("web", &[1, 2]));
    scene.later(1);
    scene.finish(Ok(checked(false)));
    assert_eq!(scene.waiting_seconds(), Some(1));
    assert!(matches!(scene.reconciler.next_work(scene.now), Some(Work::Apply(_))));
}

#[test]
fn what_others_did_waits_from_the_moment_it_is_found() {
    let mut scene = Scene::new();
    scene.list();
    scene.succeed();
    scene.later(5);
    assert!(matches!(scene.reconciler.next_work(scene.now), Some(Work::Check)));
    scene.finish(Ok(checked(true)));
    scene.later(2);
    assert_eq!(scene.waiting_seconds(), Some(2));
    assert!(matches!(scene.reconciler.next_work(scene.now), Some(Work::Converge { .. })));
}

#[test]
fn while_the_node_is_waited_for_the_agent_is_live_but_not_synced() {
    let patience = Patience { node: Duration::from_secs(30), service_cidrs: Duration::ZERO };
    let read: ReadInterfaces = Box::new(|| Ok(Vec::new()));
    let reconciler = Reconciler::new(Config { patience, ..config() }, read);
    let mut scene = Scene { reconciler, now: Instant::now() };
    scene.list();
    assert!(!scene.work());
    let listed = scene.now;
    let told = Some(listed + Duration::from_secs(2));
    assert_eq!(scene.reconciler.wake_at(), told, "the operator is told why");
    scene.later(2);
    assert!(!scene.work());
    assert_eq!(scene.reconciler.wake_at(), Some(listed + Duration::from_secs(30)), "once");
    scene.later(28);
    assert_eq!(scene.waiting_seconds(), Some(30));
    scene.succeed();
}
