//! Watches: what they begin with and what they tell.

use std::time::Duration;

use portolan_apiserver::{Api, Store};
use serde_json::json;

use crate::client::{Next, SERVICES, Watch, get, names, service, summary};

const STREAMING: &str = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan\
                         &allowWatchBookmarks=true";

pub(crate) fn three() -> Api {
    let api = Api::new();
    for name in ["a", "b", "c"] {
        api.store().put(&service(name, "10.0.0.1")).unwrap();
    }
    api
}

#[tokio::test(start_paused = true)]
async fn a_watch_begins_where_it_is_told() {
    let all = ["ADDED a 2", "ADDED b 3", "ADDED c 4"];
    let complete = ["ADDED a 2", "ADDED b 3", "ADDED c 4", "BOOKMARK 4 complete"];
    for (query, expected) in [
        ("watch=true", &all[..]),
        ("watch=true&resourceVersion=0", &all),
        ("watch=true&resourceVersion=2", &["ADDED b 3", "ADDED c 4"]),
        ("watch=true&resourceVersion=4", &[]),
        ("watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan", &[]),
        (STREAMING, &complete),
        (&format!("{STREAMING}&resourceVersion=0"), &complete),
        (&format!("{STREAMING}&resourceVersion=3"), &complete),
        (&STREAMING.replace("&allowWatchBookmarks=true", ""), &all),
    ] {
        let api = three();
        let mut watch = Watch::start(&api, &format!("{SERVICES}?{query}")).await;
        assert_eq!(watch.told().await, expected, "{query}");
        api.store().put(&service("d", "10.0.0.4")).unwrap();
        assert_eq!(watch.told().await, ["ADDED d 5"], "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_each_client_what_it_sees() {
    let api = three();
    let watch = |query: &'static str| Watch::start(&api, query);
    let mut everything = watch("/api/v1/services?watch=true&resourceVersion=4").await;
    let mut labelled =
        watch("/api/v1/services?watch=true&resourceVersion=4&labelSelector=seen%3Dyes").await;
    let mut unlabelled =
        watch("/api/v1/services?watch=true&resourceVersion=4&labelSelector=%21seen").await;
    let mut elsewhere = watch("/api/v1/namespaces/other/services?watch=true").await;
    let mut seen = service("b", "10.0.0.9");
    seen["metadata"]["labels"] = json!({"seen": "yes"});
    api.store().put(&seen).unwrap();
    seen["spec"]["clusterIP"] = json!("10.0.0.8");
    api.store().put(&seen).unwrap();
    api.store().put(&service("b", "10.0.0.9")).unwrap();
    api.store().delete("Service", Some("default"), "b").unwrap();
    for (watch, told) in [
        (&mut everything, &["MODIFIED b 5", "MODIFIED b 6", "MODIFIED b 7", "DELETED b 8"][..]),
        (&mut labelled, &["ADDED b 5", "MODIFIED b 6", "DELETED b 7"]),
        (&mut unlabelled, &["DELETED b 5", "ADDED b 7", "DELETED b 8"]),
        (&mut elsewhere, &[]),
    ] {
        assert_eq!(watch.told().await, told);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_is_gone_for_those_who_resume_and_for_those_who_lag() {
    let api = three();
    let at = |version: u64| format!("{SERVICES}?watch=true&resourceVersion={version}");
    let mut current = Watch::start(&api, &at(4)).await;
    assert_eq!(current.told().await, [""; 0]);
    let mut lagging = Watch::start(&api, &at(4)).await;
    assert_eq!(lagging.told().await, [""; 0]);
    api.store().put(&service("d", "10.0.0.1")).unwrap();
    assert_eq!(current.told().await, ["ADDED d 5"]);
    api.store().compact();
    assert_eq!(lagging.told().await, ["ERROR 410", "end"]);
    for version in [1, 4] {
        assert_eq!(Watch::start(&api, &at(version)).await.told().await, ["ERROR 410", "end"]);
    }
    let mut resumed = Watch::start(&api, &at(5)).await;
    api.store().put(&service("e", "10.0.0.1")).unwrap();
    for watch in [&mut current, &mut resumed] {
        assert_eq!(watch.told().await, ["ADDED e 6"], "nothing was missed");
    }
    // A version goes by for every resource at once, whichever changed.
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "m"}});
    api.store().put(&node).unwrap();
    api.store().compact();
    assert_eq!(Watch::start(&api, &at(6)).await.told().await, ["ERROR 410", "end"]);
    assert_eq!(Watch::start(&api, &at(7)).await.told().await, [""; 0]);
    // The same by the window, which counts changes of the resource.
    api.store().set_window(2);
    api.store()
        .put(&json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}))
        .unwrap();
    for name in ["f", "g", "h"] {
        api.store().put(&service(name, "10.0.0.1")).unwrap();
    }
    let mut known = Watch::start(&api, &at(9)).await;
    assert_eq!(known.told().await, ["ADDED g 10", "ADDED h 11"]);
    assert_eq!(Watch::start(&api, &at(8)).await.told().await, ["ERROR 410", "end"]);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_still_to_come_is_waited_for() {
    let api = three();
    let mut watch = Watch::start(&api, &format!("{SERVICES}?watch=true&resourceVersion=6")).await;
    for name in ["d", "e", "f"] {
        api.store().put(&service(name, "10.0.0.1")).unwrap();
    }
    assert_eq!(watch.told().await, ["ADDED f 7"]);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_put_as_it_is_stays_what_it_is() {
    let api = three();
    let mut watch = Watch::start(&api, &format!("{SERVICES}?watch=true&resourceVersion=4")).await;
    let mut same = service("b", "10.0.0.1");
    same["metadata"]["resourceVersion"] = json!("999");
    assert_eq!(api.store().put(&same), Ok(3), "its version");
    assert_eq!(watch.told().await, [""; 0]);
    assert_eq!(api.store().put(&service("b", "10.0.0.2")), Ok(5));
    assert_eq!(watch.told().await, ["MODIFIED b 5"]);
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_wakes_who_waits_for_it() {
    type Happen = fn(&Store) -> u64;
    let happens: [(Happen, &str); 4] = [
        (|store| store.put(&service("d", "10.0.0.4")).unwrap(), "ADDED d 5"),
        (|store| store.put_all([service("d", "10.0.0.4")]).unwrap(), "ADDED d 5"),
        (|store| store.delete("Service", Some("default"), "b").unwrap(), "DELETED b 5"),
        (|store| store.delete_namespace("default").unwrap(), "DELETED a 5"),
    ];
    for (happen, told) in happens {
        let api = three();
        let path = format!("{SERVICES}?watch=true&resourceVersion=4");
        let mut watch = Watch::start(&api, &path).await;
        let later = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            happen(api.store());
        };
        let (next, ()) = tokio::join!(watch.next(), later);
        let Next::Event(event) = next else { panic!("{next:?} instead of {told}") };
        assert_eq!(summary(&event), told);
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_changes_at_once_none_is_lost() {
    let api = three();
    let path = format!("{SERVICES}?watch=true&resourceVersion=4&allowWatchBookmarks=true");
    let mut watch = Watch::start(&api, &path).await;
    for number in 0..1000 {
        api.store().put(&service(&format!("s{number}"), "10.0.0.1")).unwrap();
    }
    let told = watch.told().await;
    let expected = (0..1000).map(|number| format!("ADDED s{number} {}", number + 5));
    assert_eq!(told, expected.collect::<Vec<String>>());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_in_beta_is_told_in_beta() {
    let api = Api::new();
    let mut slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "a-1", "namespace": "default"}, "endpoints": [],
    });
    api.store().put(&slice).unwrap();
    for version in ["v1", "v1beta1"] {
        let path = format!("/apis/discovery.k8s.io/{version}/endpointslices");
        let version = json!(format!("discovery.k8s.io/{version}"));
        let (_, list) = get(&api, &path).await;
        assert_eq!((&list["apiVersion"], names(&list)), (&version, vec!["a-1".to_owned()]));
        let mut watch = Watch::start(&api, &format!("{path}?{STREAMING}")).await;
        slice["endpoints"] =
            json!([{"addresses": [format!("10.0.0.{}", version.to_string().len())]}]);
        api.store().put(&slice).unwrap();
        for _ in 0..3 {
            let Next::Event(event) = watch.next().await else { panic!() };
            assert_eq!(event["object"]["apiVersion"], version, "{event}");
            let told = summary(&event);
            assert!(told.contains("a-1") || told.contains("complete"), "{told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_namespace_goes_object_by_object() {
    let api = three();
    api.store()
        .put(&json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "a-1", "namespace": "default"}, "addressType": "IPv4",
        }))
        .unwrap();
    let mut other = service("a", "10.0.0.2");
    other["metadata"]["namespace"] = json!("other");
    api.store().put(&other).unwrap();
    let mut watch = Watch::start(&api, &format!("{SERVICES}?watch=true&resourceVersion=6")).await;
    assert_eq!(api.store().delete_namespace("default"), Ok(10));
    assert_eq!(watch.told().await, ["DELETED a 7", "DELETED b 8", "DELETED c 9"]);
    assert_eq!((api.store().len("Service"), api.store().len("EndpointSlice")), (1, 0));
    assert!(api.store().delete_namespace("default").is_err());
}
