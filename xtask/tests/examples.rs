//! The example cluster: what `kubectl get -o yaml` would print, and consistent in itself.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod kubernetes;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::Resource;
use k8s_openapi::api::core::v1::{Node, Service, ServiceSpec};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::ServiceCIDR;
use kubernetes::{directory, documents, judge, object, yaml_files};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// All objects of a kind.
fn all<T: Resource + Serialize + DeserializeOwned>() -> Vec<T> {
    let files = yaml_files(&directory("examples/cluster"));
    let documents = files.iter().flat_map(|path| documents(path));
    documents.filter_map(|document| object::<T>(&document)).map(Result::unwrap).collect()
}

fn services() -> BTreeMap<String, Service> {
    all().into_iter().map(|it: Service| (it.metadata.name.clone().unwrap(), it)).collect()
}

fn spec(name: &str) -> ServiceSpec {
    services().remove(name).unwrap().spec.unwrap()
}

fn networks(texts: Vec<String>) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// The name of the Service that a slice belongs to, and whether it is of IPv4.
fn owner(slice: &EndpointSlice) -> (String, bool) {
    let labels = slice.metadata.labels.as_ref().unwrap();
    (labels["kubernetes.io/service-name"].clone(), slice.address_type == "IPv4")
}

#[test]
fn every_document_is_an_object_that_kubernetes_knows_in_full() {
    for path in yaml_files(&directory("examples/cluster")) {
        for document in documents(&path) {
            assert_eq!(judge(&document), Some(Ok(())), "{}", path.display());
        }
    }
}

#[test]
fn every_service_has_one_slice_of_each_family_that_is_its_own() {
    let services = services();
    let mut found = BTreeSet::new();
    for slice in all::<EndpointSlice>() {
        let (name, v4) = owner(&slice);
        let service = &services[&name].metadata;
        let references = slice.metadata.owner_references.as_ref().unwrap();
        assert_eq!(Some(&references[0].uid), service.uid.as_ref(), "{name}");
        assert_eq!(slice.metadata.namespace, service.namespace, "{name}");
        assert!(found.insert((name, v4)), "a second slice of one family");
    }
    assert_eq!(found.len(), 2 * services.len());
}

#[test]
fn every_port_of_a_service_leads_to_a_port_of_its_endpoints() {
    for slice in all::<EndpointSlice>().iter().filter(|slice| !slice.endpoints.is_empty()) {
        let (name, _) = owner(slice);
        let of_service: Vec<_> = spec(&name)
            .ports
            .unwrap()
            .into_iter()
            .map(|port| (port.name, port.protocol, port.target_port))
            .collect();
        let of_slice: Vec<_> = slice
            .ports
            .iter()
            .flatten()
            .map(|port| {
                use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::Int;
                (port.name.clone(), port.protocol.clone(), port.port.map(Int))
            })
            .collect();
        assert_eq!(of_slice, of_service, "{name}");
    }
}

#[test]
fn every_endpoint_has_an_address_of_its_node_and_no_other_has_it() {
    let [node] = <[Node; 1]>::try_from(all()).unwrap();
    let here = networks(node.spec.unwrap().pod_cidrs.unwrap());
    let mut seen = BTreeSet::new();
    for slice in all::<EndpointSlice>() {
        for endpoint in slice.endpoints {
            let address: IpAddr = endpoint.addresses[0].parse().unwrap();
            let local = here.iter().any(|network| network.contains(&address));
            assert_eq!(local, endpoint.node_name == node.metadata.name, "{address}");
            assert_eq!(address.is_ipv4(), slice.address_type == "IPv4", "{address}");
            assert!(seen.insert(address), "{address} twice");
        }
    }
}

#[test]
fn every_service_has_a_cluster_ip_of_each_family_and_shares_no_address() {
    let [cidr] = <[ServiceCIDR; 1]>::try_from(all()).unwrap();
    let networks = networks(cidr.spec.unwrap().cidrs.unwrap());
    let mut seen = BTreeSet::new();
    for (name, service) in services() {
        let spec = service.spec.unwrap();
        let ips = spec.cluster_ips.unwrap();
        assert_eq!((ips.len(), ips.first()), (2, spec.cluster_ip.as_ref()), "{name}");
        for (ip, network) in ips.iter().zip(&networks) {
            assert!(network.contains(&ip.parse::<IpAddr>().unwrap()), "{name}: {ip}");
            assert!(seen.insert(ip.clone()), "{name}: {ip} twice");
        }
        for port in spec.ports.unwrap().iter().filter_map(|port| port.node_port) {
            assert!(seen.insert(port.to_string()), "{name}: {port} twice");
        }
    }
}

#[test]
fn each_service_shows_what_its_name_says() {
    let local = Some("Local".to_owned());
    assert_eq!(spec("local-only").external_traffic_policy, local);
    assert_eq!(spec("cache").internal_traffic_policy, local);
    assert_eq!(spec("web").ports.unwrap()[0].node_port, Some(30080));
    assert_eq!(spec("dns").ports.unwrap().len(), 2);
    let slices = all::<EndpointSlice>();
    let endpoints = |name: &str| -> usize {
        slices.iter().filter(|slice| owner(slice).0 == name).map(|it| it.endpoints.len()).sum()
    };
    assert_eq!(["web", "dns", "local-only", "cache", "empty"].map(endpoints), [6, 4, 4, 4, 0]);
}
