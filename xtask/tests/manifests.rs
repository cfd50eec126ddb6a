//! The manifests: every field is one that Kubernetes knows, and every name leads somewhere.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod kubernetes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use k8s_openapi::Resource;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ConfigMap, Container, PodSpec, ServiceAccount, Volume};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kubernetes::{directory, documents, judge, object, yaml_files};
use portolan_agent::config::{Given, Settings, read_file};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const NAMESPACE: &str = "kube-system";

/// The one object of a kind.
fn the<T: Resource + Serialize + DeserializeOwned>() -> T {
    let documents = yaml_files(&directory("manifests")).into_iter().flat_map(|p| documents(&p));
    let mut found = documents.filter_map(|document| object::<T>(&document));
    let object = found.next().unwrap().unwrap();
    assert!(found.next().is_none(), "more than one {}", T::KIND);
    object
}

fn pod() -> PodSpec {
    the::<DaemonSet>().spec.unwrap().template.spec.unwrap()
}

fn container() -> Container {
    let [container] = <[Container; 1]>::try_from(pod().containers).unwrap();
    container
}

#[test]
fn every_document_is_an_object_that_kubernetes_knows_in_full() {
    for path in yaml_files(&directory("manifests")) {
        for document in documents(&path) {
            match judge(&document) {
                Some(result) => assert_eq!(result, Ok(()), "{}", path.display()),
                None => assert_eq!(document["kind"], "Kustomization", "{}", path.display()),
            }
        }
    }
}

#[test]
fn a_misspelt_field_is_noticed() {
    let document = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "a", "nameSpace": "b"},
    });
    let result = object::<ServiceAccount>(&document).unwrap();
    assert_eq!(result.unwrap_err(), "unknown field or value: .metadata.nameSpace");
}

#[test]
fn the_kustomization_lists_every_file_and_no_other() {
    let files: BTreeSet<String> = yaml_files(&directory("manifests"))
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "kustomization.yaml")
        .collect();
    let kustomization = documents(&directory("manifests/kustomization.yaml")).remove(0);
    let resources: BTreeSet<String> =
        serde_json::from_value(kustomization["resources"].clone()).unwrap();
    assert_eq!(resources, files);
    assert_eq!(kustomization["namespace"], NAMESPACE);
}

#[test]
fn the_agent_may_read_what_it_watches_and_nothing_else() {
    let binding = the::<ClusterRoleBinding>();
    let role = the::<ClusterRole>();
    let account = the::<ServiceAccount>().metadata;
    assert_eq!(
        (binding.role_ref.kind, Some(binding.role_ref.name)),
        ("ClusterRole".into(), role.metadata.name)
    );
    let [subject] = <[_; 1]>::try_from(binding.subjects.unwrap()).unwrap();
    assert_eq!((Some(subject.name), subject.namespace), (account.name.clone(), account.namespace));
    assert_eq!(pod().service_account_name, account.name);

    let rules: BTreeMap<(String, String), Vec<String>> = role
        .rules
        .unwrap()
        .into_iter()
        .flat_map(|rule| {
            let [group] = <[String; 1]>::try_from(rule.api_groups.unwrap()).unwrap();
            let resources = rule.resources.unwrap().into_iter();
            resources.map(move |resource| ((group.clone(), resource), rule.verbs.clone()))
        })
        .collect();
    let rule = |group: &str, resource: &str, verbs: &[&str]| {
        ((group.to_owned(), resource.to_owned()), verbs.iter().map(ToString::to_string).collect())
    };
    let expected = BTreeMap::from([
        rule("", "nodes", &["get", "list", "watch"]),
        rule("", "services", &["list", "watch"]),
        rule("discovery.k8s.io", "endpointslices", &["list", "watch"]),
        rule("networking.k8s.io", "servicecidrs", &["list", "watch"]),
    ]);
    assert_eq!(rules, expected);
}

#[test]
fn everything_that_the_pod_takes_from_the_config_map_is_there() {
    let map = the::<ConfigMap>();
    let data = map.data.unwrap();
    for reference in container().env.unwrap().into_iter().filter_map(|env| env.value_from) {
        if let Some(key) = reference.config_map_key_ref {
            assert_eq!(Some(key.name), map.metadata.name);
            assert!(data.contains_key(&key.key), "{}", key.key);
        }
    }
    let volumes = pod().volumes.unwrap();
    let source = volumes.iter().find_map(|volume| volume.config_map.as_ref()).unwrap();
    assert_eq!(Some(&source.name), map.metadata.name.as_ref());
    for item in source.items.as_ref().unwrap() {
        assert!(data.contains_key(&item.key), "{}", item.key);
    }
}

#[test]
fn the_file_named_by_the_config_flag_is_mounted() {
    let container = container();
    let arguments = container.args.unwrap();
    let flag = arguments.iter().position(|argument| argument == "--config").unwrap();
    let volumes = pod().volumes.unwrap();
    let volume = |name: &str| -> &Volume { volumes.iter().find(|it| it.name == name).unwrap() };
    let mounted = container.volume_mounts.unwrap().into_iter().flat_map(|mount| {
        let items = volume(&mount.name).config_map.as_ref().and_then(|it| it.items.clone());
        let path = mount.mount_path;
        items.unwrap_or_default().into_iter().map(move |item| format!("{path}/{}", item.path))
    });
    assert_eq!(mounted.collect::<Vec<_>>(), [arguments[flag + 1].clone()]);
}

#[test]
fn no_flag_keeps_the_agents_from_a_backend_that_the_config_map_asks_for() {
    let arguments = container().args.unwrap();
    assert!(!arguments.iter().any(|it| it.contains("backend") || it.contains("proxy-mode")));
    let config = &the::<ConfigMap>().data.unwrap()["config.yaml"];
    assert!(config.contains("\nbackend: nftables\n"), "{config}");
}

#[test]
fn the_agent_accepts_its_configuration_file_and_finds_the_rest_of_the_pod_as_it_says() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("config.yaml");
    std::fs::write(&path, &the::<ConfigMap>().data.unwrap()["config.yaml"]).unwrap();
    let file = read_file(&path).unwrap();
    assert_eq!(file.warnings, [""; 0]);
    let node_name = Some(Given::new("demo-node".to_owned(), "--node-name"));
    let flags = Settings { node_name, ..Settings::default() };
    let config = flags.or(file.settings).resolve().unwrap();
    assert_eq!(config.warnings(), [""; 0]);

    let container = container();
    let ports = container.ports.unwrap();
    let port = |name: &str| {
        let port = ports.iter().find(|port| port.name.as_deref() == Some(name));
        port.map(|port| port.container_port)
    };
    assert_eq!(config.healthz.map(|it| i32::from(it.port())), port("healthz"));
    let metrics = config.metrics.unwrap();
    assert_eq!(Some(i32::from(metrics.port())), port("metrics"));
    assert!(metrics.ip().is_loopback(), "nobody is let in who did not ask for it");
    let socket = config.control_socket.unwrap();
    let mounts = container.volume_mounts.unwrap();
    assert!(mounts.iter().any(|it| Some(Path::new(&it.mount_path)) == socket.parent()));
}

#[test]
fn the_pod_is_found_by_its_selector_and_its_probes_by_their_port() {
    let spec = the::<DaemonSet>().spec.unwrap();
    assert_eq!(spec.selector.match_labels, spec.template.metadata.unwrap().labels);
    let container = container();
    let ports = serde_json::to_value(container.ports).unwrap();
    for probe in [container.liveness_probe, container.readiness_probe] {
        let probe = serde_json::to_value(probe).unwrap();
        assert_eq!(probe["httpGet"]["port"], ports[0]["name"]);
    }
}

#[test]
fn the_container_can_change_the_network_and_nothing_else() {
    assert_eq!(pod().host_network, Some(true));
    let context: Value = serde_json::to_value(container().security_context).unwrap();
    let expected = json!({
        "privileged": false,
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "runAsUser": 0,
        "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    assert_eq!(context, expected);
}

#[test]
fn the_node_is_never_without_an_agent_for_want_of_room() {
    let pod = pod();
    assert_eq!(pod.priority_class_name.as_deref(), Some("system-node-critical"));
    let tolerations = serde_json::to_value(pod.tolerations).unwrap();
    assert_eq!(tolerations, json!([{"operator": "Exists"}]));
}
