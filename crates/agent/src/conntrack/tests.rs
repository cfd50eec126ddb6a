//! The thread with a flow table that is a list.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};

use portolan_core::flows::{FlowJudge, TrackedFlow};
use portolan_core::{
    BackendError, Change, Family, Index, Protocol, Service, Update, WhenEndpointGone,
};
use portolan_netlink::conntrack::{Flow, Tuple};

use super::sweep::FlowTable;
use super::*;
use crate::health::Health;
use crate::metrics::{HealthAnswers, LoopMetrics};
use crate::testing::{page_of, sample, service, slice, udp_service, udp_slice};

const DESTINATION: &str = "10.96.0.1:53";
const FIRST: &str = "10.244.0.1:8080";
const SECOND: &str = "10.244.0.2:8080";
const ELSEWHERE: &str = "192.0.2.1:53";
/// The number of a flow that cannot be deleted.
const STUCK: u32 = 99;
const LISTED: Did = Did::Listed(Family::V4, Protocol::Udp, Flows::All);

/// What the thread did.
#[derive(Debug, PartialEq)]
enum Did {
    Listed(Family, Protocol, Flows),
    Deleted(u32),
}

#[derive(Debug, PartialEq)]
enum Flows {
    All,
    Unanswered,
}

struct FakeTable {
    flows: Vec<Flow>,
    fails: Arc<Mutex<u32>>,
    did: Sender<Did>,
}

impl FlowTable for FakeTable {
    fn flows(
        &mut self,
        family: Family,
        protocol: Protocol,
        unanswered: bool,
        visit: &mut dyn FnMut(Flow),
    ) -> Result<(), BackendError> {
        let which = if unanswered { Flows::Unanswered } else { Flows::All };
        self.did.send(Did::Listed(family, protocol, which))?;
        let flows = self.flows.iter().filter(|flow| flow.protocol == protocol.number());
        flows.copied().for_each(visit);
        let mut fails = self.fails.lock().unwrap();
        match fails.checked_sub(1) {
            None => Ok(()),
            Some(left) => {
                *fails = left;
                Err("interrupted".into())
            }
        }
    }

    fn delete(&mut self, flow: &Flow) -> Result<bool, BackendError> {
        if flow.id == STUCK {
            return Err("busy".into());
        }
        self.did.send(Did::Deleted(flow.id))?;
        Ok(true)
    }
}

fn flow(id: u32, destination: &str, reply_source: &str) -> Flow {
    let address = |text: &str| -> SocketAddr { text.parse().unwrap() };
    let client = address("10.244.0.9:40000");
    Flow {
        protocol: 17,
        original: Tuple { source: client, destination: address(destination) },
        reply: Tuple { source: address(reply_source), destination: client },
        answered: true,
        id,
        zone: 0,
    }
}

/// Flow 1 to the first endpoint, 2 to the second, 3 to somebody else.
fn fake(fails: u32) -> (OpenFlowTable, Receiver<Did>) {
    let (did, receiver) = channel();
    let flows = vec![
        flow(1, DESTINATION, FIRST),
        flow(2, DESTINATION, SECOND),
        flow(3, ELSEWHERE, ELSEWHERE),
    ];
    let fails = Arc::new(Mutex::new(fails));
    let open: OpenFlowTable = Box::new(move || {
        Ok(Box::new(FakeTable {
            flows: flows.clone(),
            fails: Arc::clone(&fails),
            did: did.clone(),
        }))
    });
    (open, receiver)
}

/// The rules of a service whose endpoints change.
fn rules(before: &[u8], after: &[u8]) -> FlowRules {
    let mut index = Index::new("node-a");
    index.apply(Update::ServiceApplied(udp_service("dns", 1)));
    index.apply(Update::EndpointSliceApplied(udp_slice("dns", before)));
    index.take_changes();
    index.apply(Update::EndpointSliceApplied(udp_slice("dns", after)));
    let changes: Vec<Change> = index.take_changes();
    let mut rules = FlowRules::default();
    rules.note_changes(&changes);
    rules
}

#[test]
fn what_is_confirmed_is_swept_and_what_is_only_announced_is_not() {
    let (open, did) = fake(0);
    let cleaner = FlowCleaner::start(open).unwrap();
    cleaner.announce(rules(&[1, 2], &[2]));
    assert!(cleaner.due().is_empty());
    cleaner.confirm(&Environment::default());
    assert_eq!(did.recv(), Ok(LISTED));
    assert_eq!(did.recv(), Ok(Did::Deleted(1)));
    drop(cleaner);
    assert!(did.recv().is_err(), "the thread ends, and no other flow does");
}

#[test]
fn nothing_to_confirm_wakes_nobody() {
    let (open, did) = fake(0);
    let cleaner = FlowCleaner::start(open).unwrap();
    cleaner.announce(rules(&[1], &[1]));
    cleaner.confirm(&Environment::default());
    drop(cleaner);
    assert!(did.recv().is_err());
}

#[test]
fn a_job_that_failed_is_repeated_with_what_came_since() {
    let (open, did) = fake(1);
    let cleaner = FlowCleaner::start(open).unwrap();
    cleaner.announce(rules(&[1, 2], &[2]));
    cleaner.confirm(&Environment::default());
    assert_eq!(did.recv(), Ok(LISTED));
    assert_eq!(did.recv(), Ok(Did::Deleted(1)), "what was listed is used");
    cleaner.announce(rules(&[2], &[]));
    cleaner.confirm(&Environment::default());
    assert_eq!(did.recv(), Ok(LISTED));
    assert_eq!(did.recv(), Ok(Did::Deleted(1)));
    assert_eq!(did.recv(), Ok(Did::Deleted(2)));
}

#[test]
fn what_the_thread_does_is_counted_and_a_failure_is_known_until_a_success() {
    let (open, did) = fake(1);
    let cleaner = FlowCleaner::start(open).unwrap();
    cleaner.announce(rules(&[1, 2], &[2]));
    cleaner.confirm(&Environment::default());
    let next = || did.recv().unwrap();
    assert_eq!((next(), next()), (LISTED, Did::Deleted(1)));
    until("the failure is told", || cleaner.failure().as_deref() == Some("interrupted"));
    assert_eq!((next(), next()), (LISTED, Did::Deleted(1)));
    until("it is mended", || cleaner.failure().is_none());
    assert_eq!(cleaner.metrics().total_deleted(), 2);
    let (agent, answers) = (LoopMetrics::default(), HealthAnswers::default());
    let page = page_of(&agent, cleaner.metrics(), &answers, Health::default()).text();
    let v4 = |name: &str| sample(&page, &format!("{name}{{ip_family=\"IPv4\"}}"));
    assert_eq!(v4("kubeproxy_conntrack_reconciler_deleted_entries_total"), Some(2.0));
    assert_eq!(v4("portolan_conntrack_listed_entries_total"), Some(6.0), "three flows, twice");
    let duration = "kubeproxy_conntrack_reconciler_sync_duration_seconds_count";
    assert_eq!(v4(duration), Some(1.0), "only what was done is measured");
    assert_eq!(sample(&page, &format!("{duration}{{ip_family=\"IPv6\"}}")), Some(0.0));
    assert_eq!(sample(&page, "portolan_conntrack_failures_total"), Some(1.0));
}

/// The thread tells what it did before it is done with it.
fn until(what: &str, so: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if so() {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("{what}: still not");
}

#[test]
fn a_flow_that_cannot_be_deleted_keeps_nobody_from_the_others() {
    let (did, receiver) = channel();
    let flows = vec![flow(STUCK, DESTINATION, FIRST), flow(1, DESTINATION, FIRST)];
    let mut open: OpenFlowTable = Box::new(move || {
        let (flows, fails) = (flows.clone(), Arc::default());
        Ok(Box::new(FakeTable { flows, fails, did: did.clone() }))
    });
    let rules = rules(&[1, 2], &[2]);
    let swept = sweep(&mut open, &rules, &Environment::default(), &FlowRules::default);
    assert_eq!(swept.unwrap_err().to_string(), "busy", "it is tried again");
    drop(open);
    assert!(receiver.iter().any(|did| did == Did::Deleted(1)));
}

#[test]
fn a_flow_is_spared_if_what_became_known_meanwhile_allows_it() {
    let cases = [(rules(&[2], &[1, 2]), None), (FlowRules::default(), Some(1))];
    for (later, expected) in cases {
        let (mut open, did) = fake(0);
        let old = rules(&[1, 2], &[2]);
        sweep(&mut open, &old, &Environment::default(), &|| later.clone()).unwrap();
        drop(open);
        let deleted = did.iter().find_map(|did| match did {
            Did::Deleted(id) => Some(id),
            Did::Listed(..) => None,
        });
        assert_eq!(deleted, expected);
    }
}

#[test]
fn later_is_all_that_was_announced_whether_or_not_it_was_confirmed() {
    let allows = |cleaner: &FlowCleaner, reply_source: &str| {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap().into();
        let (destination, reply_source) = (address(DESTINATION), address(reply_source));
        let later = cleaner.shared.later();
        let judge = FlowJudge::new(&later, &Environment::default(), &[]);
        !judge.is_stale(TrackedFlow {
            protocol: Protocol::Udp,
            destination,
            reply_source,
            answered: true,
        })
    };
    let cleaner = FlowCleaner::without_thread();
    cleaner.announce(rules(&[1], &[2]));
    assert!(!allows(&cleaner, FIRST) && allows(&cleaner, SECOND));
    cleaner.confirm(&Environment::default());
    assert!(!allows(&cleaner, FIRST) && allows(&cleaner, SECOND));
    cleaner.announce(rules(&[2], &[1]));
    assert!(allows(&cleaner, FIRST) && !allows(&cleaner, SECOND));
}

#[test]
fn tcp_flows_are_listed_only_as_far_as_a_service_makes_them_suspect() {
    let web = |when| Service { tcp_when_endpoint_gone: when, ..service("web", 1) };
    let cases = [
        (WhenEndpointGone::Keep, Some(Flows::Unanswered), None),
        (WhenEndpointGone::Drop, Some(Flows::All), Some(Flows::All)),
        (WhenEndpointGone::Reset, Some(Flows::All), Some(Flows::All)),
    ];
    for (when, at_first, later) in cases {
        let mut index = Index::new("node-a");
        index.apply(Update::ServiceApplied(web(when)));
        for (last, expected) in [(1, at_first), (2, later)] {
            index.apply(Update::EndpointSliceApplied(slice("web", &[last])));
            let mut rules = FlowRules::default();
            rules.note_changes(&index.take_changes());
            let (mut open, did) = fake(0);
            sweep(&mut open, &rules, &Environment::default(), &FlowRules::default).unwrap();
            drop(open);
            let expected = expected.map(|it| Did::Listed(Family::V4, Protocol::Tcp, it));
            assert_eq!(did.iter().collect::<Vec<_>>(), Vec::from_iter(expected), "{when:?} {last}");
        }
    }
}
