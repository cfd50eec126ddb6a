//! What the API says of itself.

use serde_json::{Value, json};

use crate::resource::Resource;

/// The groups besides the core group.
const GROUPS: [&str; 2] = ["discovery.k8s.io", "networking.k8s.io"];

/// `/version`: the newest Kubernetes of which everything that is served here is known.
pub(crate) fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "gitVersion": "v1.36.2", "gitCommit": "", "buildDate": "",
        "gitTreeState": "clean", "goVersion": "", "compiler": "", "platform": "linux/amd64",
    })
}

/// What is at `/api`, `/apis` and below; `None` if nothing is.
pub(crate) fn group(group: Option<&str>, version: Option<&str>) -> Option<Value> {
    match (group, version) {
        (None, _) => Some(json!({
            "kind": "APIGroupList", "apiVersion": "v1", "groups": GROUPS.map(api_group),
        })),
        (Some(""), None) => Some(json!({
            "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [],
        })),
        (Some(group), None) => GROUPS.contains(&group).then(|| api_group(group)),
        (Some(group @ "discovery.k8s.io"), Some("v1beta1")) => Some(resources(group, "v1beta1")),
        (Some(group), Some("v1")) => {
            (group.is_empty() || GROUPS.contains(&group)).then(|| resources(group, "v1"))
        }
        (Some(_), Some(_)) => None,
    }
}

fn api_group(name: &str) -> Value {
    let version = json!({"groupVersion": format!("{name}/v1"), "version": "v1"});
    json!({
        "kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": [version],
        "preferredVersion": version,
    })
}

fn resources(group: &str, version: &str) -> Value {
    let resources: Vec<Value> = Resource::ALL
        .into_iter()
        .filter(|resource| resource.group() == group)
        .map(|resource| {
            json!({
                "name": resource.plural(), "singularName": resource.kind().to_lowercase(),
                "kind": resource.kind(), "namespaced": resource.is_namespaced(),
                "verbs": ["get", "list", "watch"],
            })
        })
        .collect();
    let version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version,
        "resources": resources,
    })
}
