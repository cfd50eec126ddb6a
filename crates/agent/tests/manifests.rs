//! The configuration that the manifests ship.

use std::path::Path;

use portolan_agent::config::{Given, LocalPodDetection, NodePortSelection, Settings, parse};
use serde_json::Value;

const CONFIG_MAP: &str = include_str!("../../../manifests/config-map.yaml");

#[test]
fn the_config_map_holds_a_configuration_that_the_agent_takes() {
    let config_map: Value = serde_saphyr::from_str(CONFIG_MAP).unwrap();
    let text = config_map.pointer("/data/config.yaml").and_then(Value::as_str).unwrap();
    let file = parse(text, Path::new("config.yaml")).unwrap();
    assert_eq!(file.warnings, Vec::<String>::new());
    let node_name = Some(Given::new("worker-1".to_owned(), "--node-name"));
    let flags = Settings { node_name, ..Settings::default() };
    let config = flags.or(file.settings).resolve().unwrap();
    assert_eq!(config.warnings(), Vec::<String>::new());
    assert_eq!(config.local_pods, LocalPodDetection::NodeCidr);
    assert_eq!(config.node_ports, NodePortSelection::Primary);
}
