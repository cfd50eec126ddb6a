//! Which kinds are read, and which were probably meant to be.

use portolan_core::ObjectKind;

/// The kinds that are read, by API group and name.
const KNOWN: [(&str, &str, ObjectKind); 4] = [
    ("", "Service", ObjectKind::Service),
    ("", "Node", ObjectKind::Node),
    ("discovery.k8s.io", "EndpointSlice", ObjectKind::EndpointSlice),
    ("networking.k8s.io", "ServiceCIDR", ObjectKind::ServiceCIDR),
];

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// The kind, if it is one that is read. The version within the group does not matter: all
/// versions have the fields that are read.
pub(super) fn known_kind(api_version: &str, kind: &str) -> Option<ObjectKind> {
    let is_it =
        |known: &&(&str, &str, ObjectKind)| (known.0, known.1) == (group(api_version), kind);
    KNOWN.iter().find(is_it).map(|known| known.2)
}

/// What an object was probably meant to be that is of none of these kinds: API version and
/// kind, as they are written.
pub(super) fn meant(api_version: &str, kind: &str) -> Option<&'static str> {
    let group = group(api_version);
    let near = |known: &&(&str, &str, ObjectKind)| {
        is_near(kind, known.1) && (is_near(group, known.0) || !is_foreign(group))
    };
    KNOWN.iter().find(near).map(|known| match known.2 {
        ObjectKind::Service => "v1 Service",
        ObjectKind::Node => "v1 Node",
        ObjectKind::EndpointSlice => "discovery.k8s.io/v1 EndpointSlice",
        ObjectKind::ServiceCIDR => "networking.k8s.io/v1 ServiceCIDR",
    })
}

/// Other groups have kinds of their own, some under the same names: Knative has a Service.
/// Groups of Kubernetes itself are short, or end like this.
fn is_foreign(group: &str) -> bool {
    group.contains('.') && !group.ends_with(".k8s.io")
}

/// Two letters of a Service, one of a Node: `Role` is none.
fn is_near(text: &str, known: &str) -> bool {
    strsim::damerau_levenshtein(&text.to_lowercase(), &known.to_lowercase()) <= 1 + known.len() / 6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_misspelt_is_recognised_and_other_kinds_are_not_taken_for_it() {
        let service = Some("v1 Service");
        let slice = Some("discovery.k8s.io/v1 EndpointSlice");
        for (api_version, kind, expected) in [
            ("v1", "Servce", service),
            ("v1", "service", service),
            ("v1", "Services", service),
            ("apps/v1", "Service", service),
            ("v1", "Nod", Some("v1 Node")),
            ("v1", "EndpointSlice", slice),
            ("discovery.k8s.io/v1", "EndpointsSlice", slice),
            ("discovery.k8s.oi/v1", "EndpointSlice", slice),
            ("networking.k8s.io/v1", "ServiceCidr", Some("networking.k8s.io/v1 ServiceCIDR")),
            ("serving.knative.dev/v1", "Service", None),
            ("devices.kubeedge.io/v1", "Device", None),
            ("rbac.authorization.k8s.io/v1", "Role", None),
            ("v1", "ServiceAccount", None),
            ("v1", "Endpoints", None),
            ("v1", "Pod", None),
            ("apps/v1", "Deployment", None),
            ("coordination.k8s.io/v1", "Lease", None),
        ] {
            assert_eq!(known_kind(api_version, kind), None, "{api_version} {kind}");
            assert_eq!(meant(api_version, kind), expected, "{api_version} {kind}");
        }
    }
}
