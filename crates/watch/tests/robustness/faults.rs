//! Each fault, for each resource, from the start and later.

use std::time::Duration;

use portolan_apiserver::{Fault, Resource};

use crate::cluster::Cluster;
use crate::observer::Observer;
use crate::state::WATCHED;

/// How long faults last: more than any back-off, and than what it takes to notice a
/// connection that died.
const DURATION: Duration = Duration::from_secs(300);

/// Between changes of the cluster.
const PAUSE: Duration = Duration::from_secs(20);

/// Requests for a resource while faults last: about one in eight seconds.
const MOST_REQUESTS: usize = 40;

const fn refused(code: u16) -> Fault {
    Fault::Refused { code, retry_after: None }
}

const NO_STREAMING: Fault = Fault::StreamingListsRefused { code: 422 };

/// The agent asks for the whole state again.
const AGAIN: Fault = Fault::Expired;

/// What goes wrong at the same time.
const MATRIX: [&[Fault]; 33] = [
    &[refused(400)],
    &[refused(401)],
    &[refused(403)],
    &[refused(404)],
    &[refused(410)],
    &[refused(429)],
    &[refused(500)],
    &[refused(503)],
    &[refused(504)],
    &[Fault::Refused { code: 429, retry_after: Some(5) }],
    &[Fault::Refused { code: 503, retry_after: Some(5) }],
    &[Fault::Unknown],
    &[Fault::CutBeforeAnswer],
    &[AGAIN, Fault::CutInList],
    &[Fault::CutInEvent],
    &[Fault::GarbledEvent],
    &[Fault::DuplicateEvents],
    &[Fault::Expired],
    &[Fault::ExpiredInWatch],
    &[Fault::Unanswered],
    &[Fault::Silence],
    &[Fault::Trickle { bytes: 20, pause: Duration::from_millis(100) }],
    &[Fault::ShortWatches(Duration::ZERO)],
    &[Fault::ShortWatches(Duration::from_secs(1))],
    &[Fault::ShortWatches(Duration::from_secs(10))],
    &[AGAIN, NO_STREAMING],
    &[AGAIN, Fault::StreamingListsRefused { code: 400 }],
    &[AGAIN, Fault::StreamingListsIgnored],
    &[AGAIN, NO_STREAMING, Fault::CutInList],
    &[AGAIN, NO_STREAMING, Fault::GarbledList],
    &[AGAIN, NO_STREAMING, Fault::Silence],
    &[AGAIN, NO_STREAMING, Fault::CutInEvent],
    &[NO_STREAMING, Fault::ExpiredInWatch],
];

/// A cluster, and an agent that knows it.
async fn settled() -> (Cluster, Observer) {
    let cluster = Cluster::new();
    let mut observer = Observer::start(&cluster.api).await;
    observer.settle(&cluster).await;
    (cluster, observer)
}

/// The cluster changes, and nothing but what it was is told. In the end of that, the agent
/// knows everything about the resources that nothing is wrong with.
async fn endure(cluster: &mut Cluster, observer: &mut Observer, struck: Resource) {
    let before = cluster.api.requests_for(struck);
    for _ in 0..DURATION.as_secs() / PAUSE.as_secs() {
        WATCHED.iter().for_each(|resource| cluster.change(*resource));
        observer.pass(PAUSE, cluster).await;
    }
    for resource in WATCHED.into_iter().filter(|resource| *resource != struck) {
        assert!(observer.knows(resource, cluster), "{resource:?} was held back");
    }
    let requests = cluster.api.requests_for(struck) - before;
    assert!(requests <= MOST_REQUESTS, "{requests} requests");
}

/// The faults end, and the agent knows everything there is, and what comes after.
async fn recover(cluster: &mut Cluster, mut observer: Observer) {
    cluster.api.faults().clear();
    observer.settle(cluster).await;
    WATCHED.iter().for_each(|resource| cluster.change(*resource));
    observer.settle(cluster).await;
    observer.stop();
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_later_nothing_is_lost_and_nothing_made_up() {
    for faults in MATRIX {
        for resource in WATCHED {
            eprintln!("{faults:?}, {resource:?}");
            let (mut cluster, mut observer) = settled().await;
            let struck = cluster.api.faults().struck();
            for fault in faults {
                cluster.api.faults().begin(&[resource], fault.clone());
            }
            cluster.api.faults().end_watches(&[resource]);
            endure(&mut cluster, &mut observer, resource).await;
            assert!(cluster.api.faults().struck() > struck, "nothing went wrong");
            recover(&mut cluster, observer).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_at_first_is_over_when_it_ends() {
    for faults in MATRIX {
        for resource in WATCHED {
            eprintln!("{faults:?}, {resource:?}");
            let mut cluster = Cluster::new();
            for fault in faults {
                cluster.api.faults().begin(&[resource], fault.clone());
            }
            let mut observer = Observer::start(&cluster.api).await;
            endure(&mut cluster, &mut observer, resource).await;
            recover(&mut cluster, observer).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_forgotten_meanwhile_is_found_again() {
    for faults in MATRIX {
        for resource in WATCHED {
            eprintln!("{faults:?}, {resource:?}");
            let (mut cluster, mut observer) = settled().await;
            for fault in faults {
                cluster.api.faults().begin(&[resource], fault.clone());
            }
            cluster.api.faults().cut_watches(&[resource]);
            cluster.change(resource);
            observer.pass(PAUSE, &cluster).await;
            cluster.change(resource);
            cluster.api.store().compact();
            recover(&mut cluster, observer).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_behind_is_believed_and_catches_up() {
    for resource in WATCHED {
        let (mut cluster, mut observer) = settled().await;
        let older = cluster.api.store().resource_version();
        WATCHED.iter().for_each(|resource| cluster.change(*resource));
        observer.settle(&cluster).await;
        let faults = cluster.api.faults();
        faults.begin(&[resource], Fault::Behind { resource_version: older });
        // It has forgotten what the agent has seen, which is yet to come there.
        faults.begin_for(&[resource], Fault::Expired, 1);
        faults.end_watches(&[resource]);
        observer.pass(PAUSE, &cluster).await;
        assert!(!observer.knows(resource, &cluster), "{resource:?}: it tells an older state");
        endure(&mut cluster, &mut observer, resource).await;
        recover(&mut cluster, observer).await;
    }
}
