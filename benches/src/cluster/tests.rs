use std::collections::HashSet;

use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::ServiceCIDR;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;

fn cluster(shares: Shares) -> Cluster {
    Cluster::new(&Spec {
        services: 200,
        endpoints: 7,
        vary_endpoints: false,
        shares,
        zones: 3,
        deployment: 250,
        managed_fields: true,
    })
}

const MIXED: Shares = Shares {
    node_port: 0.2,
    load_balancer: 0.1,
    affinity: 0.1,
    local: 0.5,
    udp: 0.1,
    dual_stack: 0.2,
};

/// The API's own types know every field, and lose none.
fn is_whole<T: Serialize + DeserializeOwned>(value: &Value) {
    let typed: T = serde_json::from_value(value.clone()).unwrap();
    let again = serde_json::to_value(&typed).unwrap();
    assert_eq!(&again, value);
}

fn of_kind(cluster: &Cluster, kind: &str) -> Vec<Value> {
    cluster.objects().filter(|object| object["kind"] == kind).collect()
}

fn addresses(edit: &Edit) -> HashSet<String> {
    let endpoints = edit.objects.iter().flat_map(|it| it["endpoints"].as_array().unwrap());
    endpoints.map(|it| it["addresses"][0].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_object_is_one_that_kubernetes_knows_in_full() {
    for object in cluster(MIXED).objects() {
        match object["kind"].as_str().unwrap() {
            "Service" => is_whole::<Service>(&object),
            "EndpointSlice" => is_whole::<EndpointSlice>(&object),
            "Node" => is_whole::<Node>(&object),
            "ServiceCIDR" => is_whole::<ServiceCIDR>(&object),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn services_and_slices_say_who_wrote_them_as_real_ones_do_unless_that_is_left_out() {
    let with = cluster(MIXED);
    let mut without = with.clone();
    without.spec.managed_fields = false;
    for (managed, bare) in with.objects().zip(without.objects()) {
        let kind = bare["kind"].as_str().unwrap();
        let entries = &managed["metadata"]["managedFields"];
        assert!(bare["metadata"].get("managedFields").is_none(), "{bare}");
        if ["Service", "EndpointSlice"].contains(&kind) {
            let length = entries.to_string().len();
            assert!((600..2_000).contains(&length), "{length} bytes of {kind}: {entries}");
            assert!(!entries.to_string().contains("endpoints\":{\""), "{entries}");
        } else {
            assert!(entries.is_null(), "{kind}");
        }
    }
}

#[test]
fn there_are_as_many_services_and_endpoints_as_asked_for_and_one_deployment() {
    let cluster = cluster(Shares::PLAIN);
    assert_eq!(of_kind(&cluster, "Service").len(), 201);
    let slices = of_kind(&cluster, "EndpointSlice");
    assert_eq!(slices.len(), 203);
    let endpoints: usize =
        slices.iter().map(|slice| slice["endpoints"].as_array().unwrap().len()).sum();
    assert_eq!(endpoints, 200 * 7 + 250);
    // Every eighth service has two ports.
    let endpoints = 200 * 7 + 25 * 7 + 250;
    let expected = Frontends { cluster_ips: 226, load_balancers: 0, endpoints };
    assert_eq!(cluster.frontends(&HashSet::new()), expected);
    assert_eq!(cluster.addresses(&HashSet::new()).len(), 200 * 7 + 250);
}

#[test]
fn no_address_and_no_node_port_is_given_twice() {
    let cluster = cluster(MIXED);
    let mut seen = HashSet::new();
    for service in of_kind(&cluster, "Service") {
        for address in service["spec"]["clusterIPs"].as_array().unwrap() {
            assert!(seen.insert(address.to_string()), "{address}");
        }
        for port in service["spec"]["ports"].as_array().unwrap() {
            let port = &port["nodePort"];
            assert!(port.is_null() || seen.insert(port.to_string()), "{port}");
        }
    }
    for slice in of_kind(&cluster, "EndpointSlice") {
        for endpoint in slice["endpoints"].as_array().unwrap() {
            assert!(seen.insert(endpoint["addresses"][0].to_string()), "{endpoint}");
        }
    }
}

#[test]
fn a_replaced_pod_leaves_everybody_else_where_they_were() {
    let mut cluster = cluster(Shares::PLAIN);
    let before: HashSet<u32> = cluster.pods(5).concat().into_iter().collect();
    let edit = cluster.replace(5, 3, 1);
    let after: HashSet<u32> = cluster.pods(5).concat().into_iter().collect();
    assert_eq!(before.intersection(&after).count(), 6);
    assert_eq!((edit.fresh.len(), edit.gone.len(), edit.objects.len()), (1, 1, 1));
    assert!(addresses(&edit).contains(&edit.fresh[0].v4.to_string()));
    assert!(!addresses(&edit).contains(&edit.gone[0].v4.to_string()));
}

#[test]
fn a_step_of_a_rolling_update_writes_the_slices_that_it_touches_only() {
    let mut cluster = cluster(Shares::PLAIN);
    let deployment = cluster.deployment().unwrap();
    let edit = cluster.replace(deployment, 95, 10);
    assert_eq!((edit.fresh.len(), edit.gone.len(), edit.objects.len()), (10, 10, 2));
    let all = cluster.replace(deployment, 240, 400);
    assert_eq!((all.fresh.len(), all.objects.len()), (250, 3));
    let distinct: HashSet<_> = all.fresh.iter().chain(&edit.fresh).collect();
    assert_eq!(distinct.len(), 260);
}

#[test]
fn scaling_up_and_down_changes_one_pod_each() {
    let mut cluster = cluster(Shares::PLAIN);
    let up = cluster.scale_up(5);
    assert_eq!((addresses(&up).len(), up.fresh.len()), (8, 1));
    let down = cluster.scale_down(5);
    assert_eq!((addresses(&down).len(), down.gone.len()), (7, 1));
    assert!(addresses(&down).contains(&up.fresh[0].v4.to_string()));
}

#[test]
fn both_families_of_a_service_are_edited_together() {
    let mut cluster = cluster(Shares { dual_stack: 1.0, ..Shares::PLAIN });
    let edit = cluster.replace(5, 0, 1);
    let families: Vec<_> = edit.objects.iter().map(|it| it["addressType"].clone()).collect();
    assert_eq!(families, ["IPv4", "IPv6"]);
    let written: Vec<_> = edit.fresh[0].all().map(|address| address.to_string()).collect();
    let objects = edit.objects.iter().zip(written);
    for (object, address) in objects {
        let endpoints = object["endpoints"].as_array().unwrap();
        assert!(endpoints.iter().any(|it| it["addresses"][0] == address.as_str()), "{address}");
    }
}

#[test]
fn a_target_leads_to_its_endpoint_alone() {
    let endpoint = "10.255.0.3:8081".parse().unwrap();
    for order in 0..8 {
        let target = Target { endpoint, udp: false, affinity: false };
        let (address, [service, slice]) = cluster(MIXED).target(order, &target);
        assert_eq!(service["spec"]["clusterIP"], address.ip().to_string());
        assert_eq!(service["spec"]["ports"][0]["port"], address.port());
        assert_eq!(slice["endpoints"][0]["addresses"], serde_json::json!(["10.255.0.3"]));
        assert_eq!(
            (&slice["ports"][0]["port"], &slice["ports"][0]["name"]),
            (&8081.into(), &"http".into())
        );
        assert_eq!(slice["endpoints"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn what_a_node_has_is_counted_by_the_objects_that_it_is_made_of() {
    let mut cluster = cluster(MIXED);
    let port = |object: &Value| object["spec"]["ports"].as_array().unwrap().len();
    for edited in [false, true] {
        if edited {
            cluster.scale_up(3);
            cluster.scale_down(9);
        }
        let services = of_kind(&cluster, "Service");
        let ips = |it: &Value| it["spec"]["clusterIPs"].as_array().unwrap().len();
        let external = |it: &Value| it.pointer("/status/loadBalancer/ingress/0").is_some();
        let cluster_ips = services.iter().map(|it| port(it) * ips(it)).sum::<usize>();
        let load_balancers = services.iter().filter(|it| external(it)).map(port).sum::<usize>();
        let found = cluster.frontends(&HashSet::new());
        assert_eq!((found.cluster_ips, found.load_balancers), (cluster_ips, load_balancers));
        let slices = of_kind(&cluster, "EndpointSlice");
        let endpoints = slices.iter().flat_map(|it| it["endpoints"].as_array().unwrap());
        let written: HashSet<std::net::IpAddr> =
            endpoints.map(|it| it["addresses"][0].as_str().unwrap().parse().unwrap()).collect();
        assert_eq!(cluster.addresses(&HashSet::new()), written);
        let all: HashSet<u32> = (0..cluster.services()).collect();
        assert_eq!(cluster.frontends(&all), Frontends::default());
        assert_eq!(cluster.addresses(&all).len(), 0);
    }
}

#[test]
fn a_target_with_a_second_port_has_a_second_frontend() {
    let endpoint = "10.255.0.3:8081".parse().unwrap();
    for order in 0..8 {
        let (cluster, target) = (cluster(MIXED), Target { endpoint, udp: false, affinity: false });
        let (_, [service, slice]) = cluster.target(order, &target);
        let ports = service["spec"]["ports"].as_array().unwrap().len();
        assert_eq!(slice["ports"].as_array().unwrap().len(), ports);
        let expected = Frontends { cluster_ips: ports, load_balancers: 0, endpoints: ports };
        assert_eq!(cluster.frontends_of_target(order, &target), expected);
    }
}

#[test]
fn services_differ_in_their_endpoints_where_that_is_asked_for_and_share_no_pod() {
    for services in [200, 201] {
        let mut spec = cluster(Shares::PLAIN).spec;
        (spec.services, spec.vary_endpoints) = (services, true);
        let cluster = Cluster::new(&spec);
        let counts: Vec<usize> = (0..services).map(|it| cluster.pods(it).concat().len()).collect();
        assert_eq!(
            counts.iter().collect::<HashSet<_>>(),
            (1..=13).collect::<Vec<_>>().iter().collect()
        );
        let all: Vec<u32> = (0..=services).flat_map(|it| cluster.pods(it).concat()).collect();
        assert_eq!(all, (0..services * 7 + 250).collect::<Vec<_>>());
    }
}

#[test]
fn rounds_touch_every_service_before_one_again() {
    for services in [20, 1_000, 7_919, 15_838] {
        let spec = Spec {
            services,
            endpoints: 1,
            vary_endpoints: false,
            shares: Shares::PLAIN,
            zones: 1,
            deployment: 0,
            managed_fields: false,
        };
        let cluster = Cluster::new(&spec);
        let touched: HashSet<u32> = (0..services).map(|round| cluster.spread(round)).collect();
        assert_eq!(touched.len(), services as usize);
    }
}

#[test]
fn a_namespace_is_written_again_with_everything_that_was_in_it() {
    let cluster = cluster(Shares::PLAIN);
    let (name, objects, gone) = cluster.namespace_of(45);
    assert_eq!(objects.len(), 40);
    assert!(objects.iter().all(|it| it["metadata"]["namespace"] == name.as_str()));
    let pods: HashSet<_> = gone.iter().flat_map(|edit| &edit.gone).collect();
    assert_eq!((gone.len(), pods.len()), (20, 140));
    let elsewhere = cluster.objects().filter(|it| it["metadata"]["namespace"] == name.as_str());
    assert_eq!(elsewhere.count(), 40);
}
