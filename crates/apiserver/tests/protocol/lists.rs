//! Lists: pages, versions and selectors.

use portolan_apiserver::{Api, Resource};
use serde_json::{Value, json};

use crate::client::{SERVICES, get, names, service};

/// Services `s0` to `s9`, of which those with even numbers have a label.
fn ten() -> Api {
    let api = Api::new();
    for number in 0..10 {
        let mut service = service(&format!("s{number}"), &format!("10.0.0.{number}"));
        if number % 2 == 0 {
            service["metadata"]["labels"] = json!({"even": "yes"});
        }
        api.store().put(&service).unwrap();
    }
    api
}

fn continue_of(list: &Value) -> Option<String> {
    list["metadata"]["continue"].as_str().map(str::to_owned)
}

#[tokio::test(start_paused = true)]
async fn a_list_is_what_the_api_says_it_is() {
    let api = ten();
    let (status, list) = get(&api, SERVICES).await;
    assert_eq!(status, 200);
    assert_eq!(
        (list["kind"].as_str(), list["apiVersion"].as_str()),
        (Some("ServiceList"), Some("v1"))
    );
    assert_eq!(list["metadata"], json!({"resourceVersion": "11"}));
    assert_eq!(list["items"][3]["metadata"]["resourceVersion"], "5");
    assert_eq!(list["items"][3]["spec"]["clusterIP"], "10.0.0.3");
    assert_eq!(list["items"][3].get("kind"), None);
    assert_eq!(names(&list).len(), 10);
    for resource in Resource::ALL.into_iter().filter(|found| *found != Resource::Services) {
        let group = match resource {
            Resource::EndpointSlices => "/apis/discovery.k8s.io/v1",
            Resource::ServiceCidrs => "/apis/networking.k8s.io/v1",
            _ => "/api/v1",
        };
        let (_, list) = get(&api, &format!("{group}/{}", resource.plural())).await;
        assert_eq!(list["kind"], format!("{}List", resource.kind()));
        assert_eq!(list["items"], json!([]));
    }
}

#[tokio::test(start_paused = true)]
async fn pages_show_one_version_whatever_happens_meanwhile() {
    for selector in ["", "&labelSelector=even"] {
        let api = ten();
        let (_, first) = get(&api, &format!("{SERVICES}?limit=3{selector}")).await;
        let mut found = names(&first);
        let mut token = continue_of(&first);
        let remaining = selector.is_empty().then(|| json!(7));
        assert_eq!(first["metadata"].get("remainingItemCount").cloned(), remaining);
        for change in 0_u8.. {
            let Some(next) = token else { break };
            let (_, page) =
                get(&api, &format!("{SERVICES}?limit=3&continue={next}{selector}")).await;
            assert_eq!(page["metadata"]["resourceVersion"], "11");
            found.extend(names(&page));
            token = continue_of(&page);
            // After every page something comes, changes and goes.
            api.store().put(&service(&format!("s6{change}"), "10.0.1.0")).unwrap();
            api.store().put(&service("s8", &format!("10.0.1.{change}"))).unwrap();
            let _ = api.store().delete("Service", Some("default"), "s9");
        }
        let all = (0..10).map(|number| format!("s{number}"));
        let expected: Vec<String> = match selector {
            "" => all.collect(),
            _ => all.step_by(2).collect(),
        };
        assert_eq!(found, expected, "{selector}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_remains_of_a_namespace_is_in_that_namespace() {
    let api = ten();
    for name in ["a", "b"] {
        let mut other = service(name, "None");
        other["metadata"]["namespace"] = json!("zoo");
        api.store().put(&other).unwrap();
    }
    for (path, remaining) in [
        (SERVICES, 9),
        ("/api/v1/namespaces/default/services", 7),
        ("/api/v1/namespaces/zoo/services", 0),
    ] {
        let (_, page) = get(&api, &format!("{path}?limit=3")).await;
        let told = page["metadata"].get("remainingItemCount").cloned();
        assert_eq!(told, (remaining > 0).then(|| json!(remaining)), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_has_the_version_of_its_token_and_no_other() {
    let api = ten();
    let (_, first) = get(&api, &format!("{SERVICES}?limit=3")).await;
    let token = continue_of(&first).unwrap();
    for (version, code) in [("", 200), ("0", 200), ("11", 400), ("5", 400)] {
        let path = format!("{SERVICES}?limit=3&continue={token}&resourceVersion={version}");
        assert_eq!(get(&api, &path).await.0, code, "{version:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_can_be_of_an_older_version_until_that_is_forgotten() {
    let api = ten();
    let path = format!("{SERVICES}?resourceVersion=5&resourceVersionMatch=Exact");
    let (_, list) = get(&api, &path).await;
    assert_eq!(names(&list), ["s0", "s1", "s2", "s3"]);
    assert_eq!(list["metadata"]["resourceVersion"], "5");
    let (_, page) = get(&api, &format!("{SERVICES}?limit=1")).await;
    let token = continue_of(&page).unwrap();
    api.store().put(&service("new", "10.0.1.0")).unwrap();
    api.store().compact();
    for path in [path, format!("{SERVICES}?limit=1&continue={token}")] {
        let (status, refusal) = get(&api, &path).await;
        assert_eq!((status.as_u16(), refusal["reason"].as_str()), (410, Some("Expired")), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_list_has_what_an_object_was_then_however_often_it_changed() {
    let api = Api::new();
    for last in 1..=4 {
        api.store().put(&service("a", &format!("10.0.0.{last}"))).unwrap();
    }
    api.store().delete("Service", Some("default"), "a").unwrap();
    for (version, address) in [(2, "10.0.0.1"), (3, "10.0.0.2"), (4, "10.0.0.3"), (5, "10.0.0.4")] {
        let path = format!("{SERVICES}?resourceVersion={version}&resourceVersionMatch=Exact");
        let (_, list) = get(&api, &path).await;
        assert_eq!(list["items"][0]["spec"]["clusterIP"], address, "{version}");
    }
    assert_eq!(get(&api, SERVICES).await.1["items"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_version_is_the_least_that_a_list_shows() {
    let api = ten();
    for query in ["", "resourceVersion=0", "resourceVersion=5", "resourceVersion=11"] {
        for version_match in ["", "&resourceVersionMatch=NotOlderThan"] {
            if query.is_empty() && !version_match.is_empty() {
                continue;
            }
            let (_, list) = get(&api, &format!("{SERVICES}?{query}{version_match}")).await;
            assert_eq!(list["metadata"]["resourceVersion"], "11", "{query}");
        }
    }
    let (status, refusal) = get(&api, &format!("{SERVICES}?resourceVersion=12")).await;
    assert_eq!(status, 504);
    assert_eq!(refusal["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
    let (_, list) = get(&api, &format!("{SERVICES}?resourceVersion=0&limit=2")).await;
    assert_eq!(names(&list).len(), 10, "as from the cache of an API server");
}

#[tokio::test(start_paused = true)]
async fn selectors_and_namespaces_are_obeyed() {
    let api = ten();
    let mut other = service("s1", "None");
    other["metadata"]["namespace"] = json!("other");
    api.store().put(&other).unwrap();
    for (path, count) in [
        ("/api/v1/services?labelSelector=%21even", 6),
        ("/api/v1/services?labelSelector=even+in+%28yes%2Cno%29", 5),
        ("/api/v1/services?fieldSelector=spec.clusterIP%21%3DNone", 10),
        ("/api/v1/services?fieldSelector=metadata.name%3Ds1", 2),
        ("/api/v1/services?fieldSelector=metadata.name%3Ds1%2Cmetadata.namespace%3Dother", 1),
        ("/api/v1/namespaces/other/services", 1),
        ("/api/v1/namespaces/nowhere/services", 0),
    ] {
        let (_, list) = get(&api, path).await;
        assert_eq!(names(&list).len(), count, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn lists_of_any_length_are_whole() {
    let api = Api::new();
    // Far more than is sent at a time.
    for number in 0..1000 {
        let service = service(&format!("s{number:04}"), &"x".repeat(number));
        api.store().put(&service).unwrap();
    }
    let (_, list) = get(&api, SERVICES).await;
    assert_eq!(names(&list).len(), 1000);
    assert!(names(&list).is_sorted());
}
