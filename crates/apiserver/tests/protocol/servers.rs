//! Servers that are behind, end watches, or go wrong a number of times.

use portolan_apiserver::{Fault, Resource};

use crate::client::{Next, SERVICES, Watch, get, names};
use crate::faults::{RESUMED, STREAMING, recovers, three};

#[tokio::test(start_paused = true)]
async fn a_server_that_is_behind_tells_an_older_state_until_it_catches_up() {
    let fault = Fault::Behind { resource_version: 3 };
    let api = three(fault.clone());
    let mut open = Watch::start(&api, RESUMED).await;
    let mut streaming = Watch::start(&api, STREAMING).await;
    assert_eq!(open.told().await, ["ADDED b 3"]);
    assert_eq!(streaming.told().await, ["ADDED a 2", "ADDED b 3", "BOOKMARK 3 complete"]);
    let (_, list) = get(&api, SERVICES).await;
    assert_eq!((names(&list).len(), &list["metadata"]["resourceVersion"]), (2, &"3".into()));
    let (status, _) = get(&api, &format!("{SERVICES}?resourceVersion=4")).await;
    assert_eq!(status, 504);
    let mut ahead = Watch::start(&api, "/api/v1/services?watch=true&resourceVersion=4").await;
    assert_eq!(ahead.told().await, [""; 0]);
    recovers(&api, &fault).await;
    for watch in [&mut open, &mut streaming] {
        assert_eq!(watch.told().await, ["ADDED c 4"]);
    }
    assert_eq!(ahead.told().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn of_two_servers_that_are_behind_the_one_further_behind_is_asked() {
    let api = three(Fault::Behind { resource_version: 2 });
    api.faults().begin(&[Resource::Services], Fault::Behind { resource_version: 3 });
    assert_eq!(names(&get(&api, SERVICES).await.1), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn open_watches_end_and_are_cut_when_that_is_said() {
    let api = three(Fault::Expired);
    api.faults().clear();
    for (interrupt, ends) in [
        (portolan_apiserver::Faults::end_watches as fn(&_, &[Resource]), Next::End),
        (portolan_apiserver::Faults::cut_watches, Next::Cut(String::new())),
    ] {
        let mut watch = Watch::start(&api, RESUMED).await;
        let mut other = Watch::start(&api, "/api/v1/nodes?watch=true").await;
        assert_eq!(watch.told().await, ["ADDED b 3", "ADDED c 4"]);
        interrupt(api.faults(), &[Resource::Services]);
        assert_eq!(watch.next().await, ends);
        assert_eq!(other.next().await, Next::Silence);
        let mut again = Watch::start(&api, RESUMED).await;
        assert_eq!(again.told().await, ["ADDED b 3", "ADDED c 4"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_strikes_as_often_as_it_was_told() {
    let api = three(Fault::Expired);
    api.faults().clear();
    let refused = |code| Fault::Refused { code, retry_after: None };
    api.faults().begin_for(&[Resource::Services], refused(500), 2);
    api.faults().begin_for(&[Resource::Services, Resource::Nodes], refused(503), 1);
    api.faults().begin_for(&[Resource::Nodes], refused(429), 0);
    let mut found = Vec::new();
    for path in [SERVICES, SERVICES, SERVICES, SERVICES, "/api/v1/nodes"] {
        found.push(get(&api, path).await.0.as_u16());
    }
    assert_eq!(found, [500, 500, 503, 200, 200]);
    assert_eq!(api.faults().struck(), 3);
}
