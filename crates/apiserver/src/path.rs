//! Paths of the API.

use crate::object::Key;
use crate::resource::{Dialect, Resource};

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// All objects of a resource, or those in a namespace.
    Objects { resource: Resource, dialect: Dialect, namespace: Option<String> },
    /// One object, or a part of it such as its status.
    Object { resource: Resource, key: Key },
    /// What an API offers: one with this group (`None` for all groups) and version.
    Group { group: Option<String>, version: Option<String> },
    /// `/version`.
    Version,
    /// `/healthz` and its siblings.
    Health,
    /// Objects of a resource that is not kept here, such as events.
    Other,
    /// Nothing that an API server has.
    Nothing,
}

impl Target {
    pub(crate) fn parse(path: &str) -> Target {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let group = |group: &str, version: Option<&str>| Target::Group {
            group: Some(group.to_owned()),
            version: version.map(str::to_owned),
        };
        match *segments.as_slice() {
            ["version"] => Target::Version,
            ["healthz" | "readyz" | "livez"] => Target::Health,
            ["apis"] => Target::Group { group: None, version: None },
            ["api"] => group("", None),
            ["api", version] => group("", Some(version)),
            ["apis", name] => group(name, None),
            ["apis", name, version] => group(name, Some(version)),
            ["api", "v1", ref rest @ ..] => objects("", Dialect::Stable, rest),
            ["apis", name, "v1", ref rest @ ..] => objects(name, Dialect::Stable, rest),
            ["apis", name @ "discovery.k8s.io", "v1beta1", ref rest @ ..] => {
                objects(name, Dialect::Beta, rest)
            }
            ["apis", _, _, ..] => Target::Other,
            _ => Target::Nothing,
        }
    }
}

fn objects(group: &str, dialect: Dialect, path: &[&str]) -> Target {
    let (namespace, path) = match *path {
        ["namespaces", namespace, ref rest @ ..] if !rest.is_empty() && rest != ["status"] => {
            (Some(namespace), rest)
        }
        _ => (None, path),
    };
    let Some((plural, rest)) = path.split_first() else { return Target::Nothing };
    let Some(resource) = Resource::of_plural(group, plural) else { return Target::Other };
    match (rest.first(), namespace) {
        (Some(_), None) if resource.is_namespaced() => Target::Nothing,
        (_, Some(_)) if !resource.is_namespaced() => Target::Nothing,
        (None, namespace) => {
            let namespace = namespace.map(str::to_owned);
            Target::Objects { resource, dialect, namespace }
        }
        (Some(name), namespace) => {
            Target::Object { resource, key: Key::new(namespace.unwrap_or_default(), name) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_names_what_the_api_means() {
        let (stable, beta) = (Dialect::Stable, Dialect::Beta);
        let all = |resource| Target::Objects { resource, dialect: stable, namespace: None };
        let one =
            |resource, namespace, name| Target::Object { resource, key: Key::new(namespace, name) };
        let group = |group: Option<&str>, version: Option<&str>| Target::Group {
            group: group.map(str::to_owned),
            version: version.map(str::to_owned),
        };
        for (path, target) in [
            ("/api/v1/services", all(Resource::Services)),
            ("/api/v1/namespaces", all(Resource::Namespaces)),
            ("/apis/networking.k8s.io/v1/servicecidrs", all(Resource::ServiceCidrs)),
            (
                "/apis/discovery.k8s.io/v1/namespaces/a/endpointslices",
                Target::Objects {
                    resource: Resource::EndpointSlices,
                    dialect: stable,
                    namespace: Some("a".to_owned()),
                },
            ),
            (
                "/apis/discovery.k8s.io/v1beta1/endpointslices",
                Target::Objects {
                    resource: Resource::EndpointSlices,
                    dialect: beta,
                    namespace: None,
                },
            ),
            ("/apis/networking.k8s.io/v1beta1/servicecidrs", Target::Other),
            ("/api/v1/namespaces/a", one(Resource::Namespaces, "", "a")),
            ("/api/v1/namespaces/a/status", one(Resource::Namespaces, "", "a")),
            ("/api/v1/namespaces/a/services/b", one(Resource::Services, "a", "b")),
            ("/api/v1/nodes/a/status", one(Resource::Nodes, "", "a")),
            ("/api/v1/services/a", Target::Nothing),
            ("/api/v1/namespaces/a/nodes", Target::Nothing),
            ("/api/v1/namespaces/a/events", Target::Other),
            ("/apis/events.k8s.io/v1/namespaces/a/events", Target::Other),
            ("/apis/discovery.k8s.io/v1/services", Target::Other),
            ("/apis", group(None, None)),
            ("/api", group(Some(""), None)),
            ("/api/v1", group(Some(""), Some("v1"))),
            ("/apis/discovery.k8s.io/v1", group(Some("discovery.k8s.io"), Some("v1"))),
            ("/version", Target::Version),
            ("/readyz", Target::Health),
            ("/", Target::Nothing),
            ("/metrics", Target::Nothing),
        ] {
            assert_eq!(Target::parse(path), target, "{path}");
        }
    }
}
