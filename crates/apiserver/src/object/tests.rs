use serde_json::json;

use super::*;

#[test]
fn an_object_keeps_what_it_has_and_gets_its_version() {
    let object = json!({
        "apiVersion": "v1", "kind": "Service", "spec": {"clusterIP": "10.0.0.1"},
        "metadata": {"name": "a", "resourceVersion": "9", "labels": {"x": "y"}},
    });
    let stored = Draft::new(&object).unwrap().seal(41);
    let mut expected = object;
    expected["metadata"]["namespace"] = json!("default");
    for (bytes, version) in [(stored.bytes().clone(), "41"), (stored.as_of(1000), "1000")] {
        expected["metadata"]["resourceVersion"] = json!(version);
        assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), expected);
    }
    let item = [b"{", &stored.item()[..]].concat();
    let item: Value = serde_json::from_slice(&item).unwrap();
    assert_eq!(item["spec"], expected["spec"]);
    assert_eq!((item.get("kind"), item.get("apiVersion")), (None, None));
    assert_eq!(stored.selectable.labels.get("x").map(AsRef::as_ref), Some("y"));
    assert_eq!(stored.selectable.cluster_ip.as_deref(), Some("10.0.0.1"));
}

#[test]
fn an_object_of_nothing_but_a_name_is_json() {
    for resource in Resource::ALL {
        let (kind, version) = (resource.kind(), resource.api_version());
        let object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "a"}});
        let stored = Draft::new(&object).unwrap().seal(1);
        let read: Value = serde_json::from_slice(stored.bytes()).unwrap();
        assert_eq!(read["kind"], kind);
        assert_eq!(read["metadata"].get("namespace").is_some(), resource.is_namespaced());
    }
}

#[test]
fn what_is_not_served_is_refused() {
    let named = json!({"name": "a"});
    for (object, error) in [
        (json!({"apiVersion": "v1", "kind": "Pod", "metadata": named}), "\"Pod\" in \"v1\""),
        (json!({"apiVersion": "v1", "kind": "EndpointSlice", "metadata": named}), "in \"v1\""),
        (json!([]), "kind \"\""),
        (json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": ""}}), "Node without"),
        (json!({"apiVersion": "v1", "kind": "Node"}), "Node without"),
    ] {
        let found = Draft::new(&object).unwrap_err().to_string();
        assert!(found.contains(error), "{found}");
    }
}
