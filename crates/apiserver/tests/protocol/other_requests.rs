//! Single objects, what the API says of itself, and what clients write.

use http::Request;
use http_body_util::{BodyExt, Empty};
use portolan_apiserver::{Api, Resource};
use serde_json::Value;

use crate::client::{SERVICES, get, send, service};

#[tokio::test(start_paused = true)]
async fn one_object_is_found_by_its_name() {
    let api = Api::new();
    api.store().put(&service("a", "10.0.0.1")).unwrap();
    let (status, object) = get(&api, "/api/v1/namespaces/default/services/a").await;
    assert_eq!((status.as_u16(), object["kind"].as_str()), (200, Some("Service")));
    assert_eq!(object["metadata"]["resourceVersion"], "2");
    for missing in [
        "/api/v1/namespaces/default/services/b",
        "/api/v1/namespaces/other/services/a",
        "/api/v1/nodes/a",
        "/api/v1/pods",
    ] {
        let (status, refusal) = get(&api, missing).await;
        assert_eq!((status.as_u16(), refusal["reason"].as_str()), (404, Some("NotFound")));
    }
}

#[tokio::test(start_paused = true)]
async fn the_api_says_what_it_has() {
    let api = Api::new();
    for (path, kind) in [
        ("/api", "APIVersions"),
        ("/apis", "APIGroupList"),
        ("/apis/discovery.k8s.io", "APIGroup"),
        ("/api/v1", "APIResourceList"),
        ("/apis/discovery.k8s.io/v1", "APIResourceList"),
        ("/apis/networking.k8s.io/v1", "APIResourceList"),
    ] {
        let (status, found) = get(&api, path).await;
        assert_eq!((status.as_u16(), found["kind"].as_str()), (200, Some(kind)), "{path}");
    }
    let (_, slices) = get(&api, "/apis/discovery.k8s.io/v1").await;
    assert_eq!(slices["resources"][0]["name"], "endpointslices");
    assert_eq!(get(&api, "/version").await.1["major"], "1");
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/apis/apps", 404), ("/", 404)] {
        assert_eq!(send(&api, "GET", path, "").await.status(), status, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_service_proxy_writes_is_accepted_and_forgotten() {
    let api = Api::new();
    api.store().put(&service("a", "10.0.0.1")).unwrap();
    let event = r#"{"kind":"Event","apiVersion":"events.k8s.io/v1"}"#;
    for (method, path, status, answer) in [
        ("POST", "/apis/events.k8s.io/v1/namespaces/default/events", 201, "Event"),
        ("POST", "/api/v1/namespaces/default/events", 201, "Event"),
        ("PUT", "/api/v1/nodes/n/status", 200, "Event"),
        ("PATCH", "/api/v1/namespaces/default/services/a/status", 200, "Service"),
        ("PATCH", "/api/v1/nodes/n/status", 404, "Status"),
        ("DELETE", "/api/v1/namespaces/default/services/a", 200, "Status"),
    ] {
        let response = send(&api, method, path, event).await;
        assert_eq!(response.status(), status, "{method} {path}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["kind"], answer, "{method} {path}");
    }
    assert_eq!((api.store().resource_version(), api.store().len("Service")), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn only_json_is_spoken() {
    for (accept, status) in [
        ("application/json", 200),
        ("application/vnd.kubernetes.protobuf,application/json;q=0.5", 200),
        ("*/*", 200),
        ("application/vnd.kubernetes.protobuf", 406),
    ] {
        let request = Request::builder().uri(SERVICES).header("Accept", accept);
        let request = request.body(Empty::new()).unwrap();
        assert_eq!(Api::new().answer(request).await.unwrap().status(), status, "{accept}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_is_remembered() {
    let api = Api::new();
    get(&api, "/api/v1/services?limit=1").await;
    get(&api, "/version").await;
    let requests = api.requests();
    assert_eq!((requests[0].path.as_str(), requests[0].query.as_str()), (SERVICES, "limit=1"));
    assert_eq!(requests.len(), 2);
    assert_eq!((api.requests_for(Resource::Services), api.requests_for(Resource::Nodes)), (1, 0));
}
