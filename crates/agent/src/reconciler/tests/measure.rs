//! What is counted, from the event to the kernel.

use jiff::Timestamp;
use portolan_core::{EndpointSlice, Family, Problem};

use super::*;
use crate::testing::{balanced, page, sample};

const SERVICES: &str = "kubeproxy_sync_proxy_rules_service_changes";
const ENDPOINTS: &str = "kubeproxy_sync_proxy_rules_endpoint_changes";

impl Scene {
    fn sample(&self, name: &str) -> Option<f64> {
        sample(&page(&self.reconciler.measure.metrics).text(), name)
    }

    /// How many events of a kind there were, and how many of them wait.
    fn changes(&self, kind: &str) -> (f64, f64) {
        let sample = |suffix| self.sample(&format!("{kind}_{suffix}")).unwrap();
        (sample("total"), sample("pending"))
    }
}

#[test]
fn an_event_is_pending_until_the_kernel_has_it_and_counted_once() {
    let mut scene = Scene::new();
    scene.receive(services(vec![service("web", 1), service("api", 2)]));
    assert_eq!(scene.changes(SERVICES), (2.0, 2.0));
    scene.receive(slices(vec![slice("web", &[1])]));
    assert_eq!(scene.changes(ENDPOINTS), (1.0, 1.0));
    scene.fail();
    assert_eq!((scene.changes(SERVICES), scene.changes(ENDPOINTS)), ((2.0, 2.0), (1.0, 1.0)));
    scene.later(1);
    assert!(scene.work());
    scene.receive(slice_applied("web", &[1, 2]));
    scene.finish(Ok(Done::Synced(SyncReport::default())));
    assert_eq!((scene.changes(SERVICES), scene.changes(ENDPOINTS)), ((2.0, 0.0), (2.0, 1.0)));
    scene.succeed();
    assert_eq!(scene.changes(ENDPOINTS), (2.0, 0.0));
    scene.receive(slice_applied("web", &[1, 2]));
    assert!(!scene.work(), "nothing is to be done");
    assert_eq!(scene.changes(ENDPOINTS), (3.0, 0.0));
}

#[test]
fn events_stay_pending_while_the_kernel_takes_another_environment_or_is_looked_at() {
    let mut scene = Scene::new();
    scene.list();
    scene.succeed();
    scene.receive(node(&["192.0.2.1"], &[]));
    scene.receive(slice_applied("web", &[1, 2]));
    assert!(matches!(scene.reconciler.next_work(scene.now), Some(Work::Adapt(_))));
    scene.finish(Ok(Done::Synced(SyncReport::default())));
    assert_eq!(scene.changes(ENDPOINTS), (2.0, 1.0));
    scene.later(5);
    assert!(matches!(scene.reconciler.next_work(scene.now), Some(Work::Check)));
    scene.finish(Ok(checked(false)));
    assert_eq!(scene.changes(ENDPOINTS), (2.0, 1.0));
    scene.succeed();
    assert_eq!(scene.changes(ENDPOINTS), (2.0, 0.0));
}

#[test]
fn the_last_event_is_known_by_its_time_once_everything_is_listed() {
    let queued = "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds{ip_family=\"IPv4\"}";
    let before = Timestamp::now().as_second();
    let mut scene = Scene::new();
    scene.receive(services(Vec::new()));
    assert_eq!(scene.sample(queued), None);
    scene.receive(slices(Vec::new()));
    assert!(scene.sample(queued).unwrap() >= before as f64);
    scene.succeed();
    let synced =
        scene.sample("kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family=\"IPv6\"}");
    assert!(synced >= scene.sample(queued));
}

#[test]
fn an_event_that_changes_nothing_does_not_look_as_if_it_waited() {
    let sample = |scene: &Scene, what: &str| {
        let name = format!("kubeproxy_sync_proxy_rules_last_{what}_seconds");
        scene.sample(&format!("{name}{{ip_family=\"IPv4\"}}")).unwrap()
    };
    let mut scene = Scene::new();
    scene.list();
    scene.succeed();
    std::thread::sleep(Duration::from_millis(5));
    scene.receive(slices(vec![slice("web", &[1]), slice("nobody", &[7])]));
    let queued = sample(&scene, "queued_timestamp");
    assert!(queued > sample(&scene, "timestamp"));
    assert!(!scene.work(), "no service is another");
    assert!(sample(&scene, "timestamp") >= queued);
}

/// An event that was triggered `seconds` after the agent started; or before, if negative.
fn triggered(seconds: i64, lasts: &[u8]) -> SourceEvent {
    let time = Timestamp::now().as_millisecond() + seconds * 1000;
    let slice = EndpointSlice { trigger_time: Some(time), ..slice("web", lasts) };
    SourceEvent::Update(Update::EndpointSliceApplied(slice))
}

#[test]
fn programming_is_measured_for_what_was_triggered_in_the_agents_time_even_if_a_sync_fails() {
    let counts = |scene: &Scene| {
        let count = |family| {
            let name = "kubeproxy_network_programming_duration_seconds_count";
            scene.sample(&format!("{name}{{ip_family=\"{family}\"}}"))
        };
        [count(Family::V4), count(Family::V6)].map(Option::unwrap)
    };
    let mut scene = Scene::new();
    scene.list();
    scene.receive(triggered(-3600, &[1, 2]));
    scene.succeed();
    assert_eq!(counts(&scene), [0.0, 0.0], "there was no agent yet");
    // The clock of the other machine is ahead.
    scene.receive(triggered(3, &[1]));
    scene.fail();
    assert_eq!(counts(&scene), [0.0, 0.0], "it is not in the kernel");
    scene.receive(triggered(4, &[1, 2]));
    scene.later(1);
    scene.succeed();
    assert_eq!(counts(&scene), [2.0, 0.0]);
    scene.receive(triggered(5, &[1, 2]));
    assert!(!scene.work());
    assert_eq!(counts(&scene), [2.0, 0.0], "nothing has changed");
}

#[test]
fn what_is_programmed_follows_the_kernel_and_not_the_events() {
    let programmed = |scene: &Scene| {
        ["services", "frontends{ip_family=\"IPv4\"}", "endpoints{ip_family=\"IPv4\"}"]
            .map(|name| scene.sample(&format!("portolan_programmed_{name}")).unwrap())
    };
    let mut scene = Scene::new();
    scene.receive(services(vec![service("web", 1), service("api", 2)]));
    scene.receive(slices(vec![slice("web", &[1, 2])]));
    scene.fail();
    assert_eq!(programmed(&scene), [0.0; 3]);
    scene.later(1);
    scene.succeed();
    assert_eq!(programmed(&scene), [2.0, 2.0, 2.0]);
    scene.receive(slice_applied("web", &[1, 2, 3]));
    scene.receive(SourceEvent::Update(Update::ServiceDeleted(service("api", 2).name)));
    scene.fail();
    assert_eq!(programmed(&scene), [2.0, 2.0, 2.0]);
    scene.succeed();
    assert_eq!(programmed(&scene), [1.0, 1.0, 3.0]);
    scene.receive(services(Vec::new()));
    scene.succeed();
    assert_eq!(programmed(&scene), [0.0; 3]);
}

#[test]
fn ports_that_a_local_policy_leaves_silent_are_counted_by_policy() {
    let silent = |scene: &Scene| {
        ["internal", "external"].map(|policy| {
            let name = "kubeproxy_sync_proxy_rules_no_local_endpoints_total";
            let labels = format!("ip_family=\"IPv4\",traffic_policy=\"{policy}\"");
            scene.sample(&format!("{name}{{{labels}}}")).unwrap()
        })
    };
    let mut internal = service("internal", 1);
    internal.internal_policy_local = true;
    let mut external = balanced("external", 2, 32000);
    external.load_balancer_ips = vec!["192.0.2.9".parse().unwrap()];
    let mut scene = Scene::new();
    scene.receive(services(vec![internal, external, service("cluster", 3)]));
    scene.receive(slices(Vec::new()));
    scene.succeed();
    assert_eq!(silent(&scene), [0.0, 0.0], "where there is no endpoint, clients are refused");
    for (name, expected) in
        [("internal", [1.0, 0.0]), ("external", [1.0, 1.0]), ("cluster", [1.0, 1.0])]
    {
        scene.receive(slice_applied(name, &[1]));
        scene.succeed();
        assert_eq!(silent(&scene), expected, "{name}");
    }
    for (name, expected) in [("internal", [0.0, 1.0]), ("external", [0.0, 0.0])] {
        let here = crate::testing::local_slice(name, &[1]);
        scene.receive(SourceEvent::Update(Update::EndpointSliceApplied(here)));
        scene.succeed();
        assert_eq!(silent(&scene), expected, "{name}");
    }
}

#[test]
fn problems_are_counted_by_reason_as_long_as_they_are_there() {
    let counts = |scene: &Scene| {
        ["conflict", "object", "source"].map(|reason| {
            scene.sample(&format!("portolan_problems{{reason=\"{reason}\"}}")).unwrap()
        })
    };
    let bad_field = Problem {
        kind: ObjectKind::Service,
        object: service("web", 1).name,
        field: "spec.ports[0].port".to_owned(),
        reason: "bad".to_owned(),
    };
    let other = Notice { place: None, cause: Cause::Other("shop.yaml: not YAML".to_owned()) };
    let problems = |problems| SourceEvent::Problems { origin: "shop.yaml".to_owned(), problems };
    let mut scene = Scene::new();
    scene.receive(node(&["192.0.2.1"], &[]));
    scene.receive(services(vec![service("web", 1), service("twin", 1)]));
    scene.receive(slices(Vec::new()));
    assert_eq!(counts(&scene), [1.0, 0.0, 0.0]);
    scene.receive(problems(vec![bad_field.into(), other.clone()]));
    assert_eq!(counts(&scene), [1.0, 1.0, 1.0]);
    scene.receive(problems(vec![other]));
    assert_eq!(counts(&scene), [1.0, 0.0, 1.0]);
    scene.receive(problems(Vec::new()));
    scene.receive(services(vec![service("web", 1)]));
    assert_eq!(counts(&scene), [0.0, 0.0, 0.0]);
    let mut nowhere = Scene::new();
    nowhere.list();
    nowhere.succeed();
    assert_eq!(counts(&nowhere), [0.0, 0.0, 1.0], "this node has no address");
}
