//! Metadata as a deployment tool leaves it.

use serde_json::{Value, json};

use super::names;

/// When everything was made. Services differ by a second each, so that none is as old as
/// another.
const EPOCH_SECONDS: u32 = 1_735_689_600;

pub(super) fn of_service(number: u32) -> Value {
    let name = names::service(number);
    let namespace = names::namespace(number);
    json!({
        "name": name,
        "namespace": namespace,
        "uid": names::uid("Service", number),
        "creationTimestamp": created(number),
        "labels": labels(&name),
        "annotations": {
            "meta.helm.sh/release-name": format!("{name}-release"),
            "meta.helm.sh/release-namespace": namespace,
        },
    })
}

pub(super) fn of_slice(number: u32, name: &str) -> Value {
    let service = names::service(number);
    let mut labels = labels(&service);
    if let Some(labels) = labels.as_object_mut() {
        let managed = "endpointslice.kubernetes.io/managed-by";
        labels.insert(managed.to_owned(), json!("endpointslice-controller.k8s.io"));
        labels.insert("kubernetes.io/service-name".to_owned(), json!(service));
    }
    json!({
        "name": name,
        "generateName": format!("{service}-"),
        "namespace": names::namespace(number),
        "uid": names::uid(name, number),
        "creationTimestamp": created(number),
        "generation": 1,
        "labels": labels,
        "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": created(number)},
        "ownerReferences": [{
            "apiVersion": "v1",
            "kind": "Service",
            "name": service,
            "uid": names::uid("Service", number),
            "controller": true,
            "blockOwnerDeletion": true,
        }],
    })
}

pub(super) fn labels(service: &str) -> Value {
    json!({
        "app.kubernetes.io/name": service,
        "app.kubernetes.io/instance": format!("{service}-release"),
        "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/version": "3.14.159",
        "helm.sh/chart": format!("{service}-3.14.159"),
    })
}

/// A time of the API, RFC 3339 in UTC.
pub(super) fn created(number: u32) -> String {
    let seconds = EPOCH_SECONDS + number;
    let time = |divisor: u32, modulus: u32| seconds / divisor % modulus;
    // The first of January 2025 begins at the epoch above; 50,000 seconds stay in its month.
    let day = (seconds - EPOCH_SECONDS) / 86_400 % 28 + 1;
    format!("2025-01-{day:02}T{:02}:{:02}:{:02}Z", time(3600, 24), time(60, 60), time(1, 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_made_one_second_after_another() {
        assert_eq!(created(0), "2025-01-01T00:00:00Z");
        assert_eq!(created(1), "2025-01-01T00:00:01Z");
        assert_eq!(created(90_061), "2025-01-02T01:01:01Z");
    }
}
