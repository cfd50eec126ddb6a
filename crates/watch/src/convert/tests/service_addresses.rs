use super::*;

#[test]
fn sloppy_addresses_are_canonical_afterwards() {
    let service = served(&json!({
        "metadata": {"name": "web"},
        "spec": {
            "clusterIP": "172.30.0.041", "ports": [{"port": 80}],
            "externalIPs": ["192.168.099.022", " 192.168.99.22 ", "::ffff:192.0.2.7"],
            "loadBalancerSourceRanges": [" 203.0.113.000/025"],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.004"}]}},
    }));
    let texts = |addresses: &[std::net::IpAddr]| -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    };
    assert_eq!(texts(&service.cluster_ips), ["172.30.0.41"]);
    assert_eq!(texts(&service.external_ips), ["192.168.99.22", "192.0.2.7"]);
    assert_eq!(texts(&service.load_balancer_ips), ["1.2.3.4"]);
    assert_eq!(service.source_ranges, ["203.0.113.0/25".parse::<IpNet>().unwrap()]);
}

#[test]
fn cluster_ips_follow_the_families() {
    for (spec, expected) in [
        (json!({"clusterIP": "10.0.0.1"}), vec!["10.0.0.1"]),
        (json!({"clusterIP": "10.0.0.1", "ipFamilies": ["IPv4"]}), vec!["10.0.0.1"]),
        (json!({"clusterIP": "10.0.0.1", "ipFamilies": ["IPv4", "IPv6"]}), vec!["10.0.0.1"]),
        (json!({"clusterIP": "10.0.0.1", "ipFamilies": ["IPv6"]}), vec![]),
        (json!({"clusterIPs": ["fd00::1", "10.0.0.1"]}), vec!["fd00::1", "10.0.0.1"]),
        (json!({"clusterIPs": ["fd00::1", "10.0.0.1"], "ipFamilies": ["IPv4", "IPv6"]}), vec![]),
        (json!({"clusterIPs": ["10.0.0.1", "10.0.0.2"]}), vec!["10.0.0.1"]),
        (json!({"clusterIPs": ["::ffff:10.0.0.1"], "ipFamilies": ["IPv6"]}), vec![]),
        (json!({"clusterIP": "10.0.0.1", "clusterIPs": []}), vec!["10.0.0.1"]),
    ] {
        let (service, problems) = service(&json!({"metadata": {"name": "web"}, "spec": spec}));
        let found = service.map_or(Vec::new(), |service| service.cluster_ips);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{spec}");
        assert_eq!(problems.is_empty(), found.len() >= list_len(&spec), "{spec}: {problems:?}");
    }
}

fn list_len(spec: &Value) -> usize {
    spec.get("clusterIPs").and_then(Value::as_array).map_or(1, Vec::len)
}

#[test]
fn a_range_of_length_zero_lifts_the_restriction_of_its_family_only() {
    for (ranges, expected) in [
        (json!(["10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32"]), vec!["0.0.0.0/0", "2001:db8::/32"]),
        (json!(["10.0.0.0/8", "::/0"]), vec!["10.0.0.0/8", "::/0"]),
        (json!(["10.0.0.0/8", "0.0.0.0/0"]), vec![]),
        (json!(["0.0.0.0/0", "::/0"]), vec![]),
        (json!([]), vec![]),
        (Value::Null, vec![]),
    ] {
        let manifest = with(&service_manifest(), "/spec/loadBalancerSourceRanges", ranges.clone());
        assert_eq!(source_ranges(&manifest), expected, "{ranges}");
    }
}

#[test]
fn a_source_range_that_cannot_be_read_opens_nothing() {
    for (ranges, expected) in [
        (json!(["10.0.0.0/33"]), vec!["0.0.0.0/32"]),
        (json!(["10.0.0.0/33", "10.0.0.0/8"]), vec!["10.0.0.0/8"]),
        (json!(["10.0.0.0/33", "0.0.0.0/0"]), vec![]),
        (json!(["10.0.0.0/33", "::/0"]), vec!["::/0", "0.0.0.0/32"]),
        (json!(["fd00::/129", "10.0.0.0/8"]), vec!["10.0.0.0/8", "::/128"]),
        (json!([7]), vec!["0.0.0.0/32", "::/128"]),
        (json!("10.0.0.0/8"), vec!["0.0.0.0/32", "::/128"]),
    ] {
        let manifest = with(&service_manifest(), "/spec/loadBalancerSourceRanges", ranges.clone());
        assert_eq!(source_ranges(&manifest), expected, "{ranges}");
        let problems = service(&manifest).1;
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].ends_with("it lets nobody in"), "{problems:?}");
    }
}

/// A text of another family, or one that only looks so, closes both where it is alone: core
/// takes ranges of one family only for a restriction of both.
#[test]
fn a_source_range_that_cannot_be_read_opens_nothing_on_a_service_of_one_family() {
    for (cluster_ip, family) in [("10.96.0.1", "IPv4"), ("fd00:96::1", "IPv6")] {
        for range in ["fd00::/129", "203.0.113.0/24:", "10.0.0.0/33", "fd00/64"] {
            let manifest = with(&service_manifest(), "/spec/clusterIP", json!(cluster_ip));
            let manifest = with(&manifest, "/spec/clusterIPs", json!([cluster_ip]));
            let manifest = with(&manifest, "/spec/ipFamilies", json!([family]));
            let manifest = with(&manifest, "/spec/loadBalancerSourceRanges", json!([range]));
            assert_eq!(source_ranges(&manifest).len(), 1, "{cluster_ip}: {range}");
        }
    }
}

fn source_ranges(manifest: &Value) -> Vec<String> {
    served(manifest).source_ranges.iter().map(ToString::to_string).collect()
}
