//! The kinds of objects that are served.

/// A kind of objects, as the API names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// `services` of `v1`.
    Services,
    /// `endpointslices` of `discovery.k8s.io/v1`.
    EndpointSlices,
    /// `nodes` of `v1`.
    Nodes,
    /// `servicecidrs` of `networking.k8s.io/v1`.
    ServiceCidrs,
    /// `namespaces` of `v1`.
    Namespaces,
}

impl Resource {
    /// All of them.
    pub const ALL: [Resource; 5] = [
        Resource::Services,
        Resource::EndpointSlices,
        Resource::Nodes,
        Resource::ServiceCidrs,
        Resource::Namespaces,
    ];

    /// `kind` of its objects.
    pub fn kind(self) -> &'static str {
        match self {
            Resource::Services => "Service",
            Resource::EndpointSlices => "EndpointSlice",
            Resource::Nodes => "Node",
            Resource::ServiceCidrs => "ServiceCIDR",
            Resource::Namespaces => "Namespace",
        }
    }

    /// Its name in paths.
    pub fn plural(self) -> &'static str {
        match self {
            Resource::Services => "services",
            Resource::EndpointSlices => "endpointslices",
            Resource::Nodes => "nodes",
            Resource::ServiceCidrs => "servicecidrs",
            Resource::Namespaces => "namespaces",
        }
    }

    /// The group of the API; empty for the core group.
    pub(crate) fn group(self) -> &'static str {
        match self {
            Resource::Services | Resource::Nodes | Resource::Namespaces => "",
            Resource::EndpointSlices => "discovery.k8s.io",
            Resource::ServiceCidrs => "networking.k8s.io",
        }
    }

    /// `apiVersion` of its objects, as they are stored.
    pub(crate) fn api_version(self) -> &'static str {
        match self {
            Resource::Services | Resource::Nodes | Resource::Namespaces => "v1",
            Resource::EndpointSlices => "discovery.k8s.io/v1",
            Resource::ServiceCidrs => "networking.k8s.io/v1",
        }
    }

    /// `apiVersion` of its objects, as they are told.
    pub(crate) fn told_version(self, dialect: Dialect) -> &'static str {
        match (dialect, self) {
            (Dialect::Beta, Resource::EndpointSlices) => "discovery.k8s.io/v1beta1",
            _ => self.api_version(),
        }
    }

    /// Whether its objects belong to namespaces.
    pub(crate) fn is_namespaced(self) -> bool {
        matches!(self, Resource::Services | Resource::EndpointSlices)
    }

    /// The resource whose objects have this kind.
    pub(crate) fn of_kind(kind: &str) -> Option<Resource> {
        Resource::ALL.into_iter().find(|resource| resource.kind() == kind)
    }

    /// The resource with this name in the group.
    pub(crate) fn of_plural(group: &str, plural: &str) -> Option<Resource> {
        let named = |resource: &Resource| resource.group() == group && resource.plural() == plural;
        Resource::ALL.into_iter().find(named)
    }
}

/// In which version of its API a resource is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `v1`.
    #[default]
    Stable,
    /// `v1beta1` of EndpointSlices, which service proxies before Kubernetes 1.21 speak. Its
    /// objects have the fields that they were put with.
    Beta,
}

/// One of each resource.
#[derive(Debug, Default)]
pub(crate) struct PerResource<T> {
    services: T,
    endpoint_slices: T,
    nodes: T,
    service_cidrs: T,
    namespaces: T,
}

impl<T> PerResource<T> {
    pub(crate) fn of(&self, resource: Resource) -> &T {
        match resource {
            Resource::Services => &self.services,
            Resource::EndpointSlices => &self.endpoint_slices,
            Resource::Nodes => &self.nodes,
            Resource::ServiceCidrs => &self.service_cidrs,
            Resource::Namespaces => &self.namespaces,
        }
    }

    pub(crate) fn of_mut(&mut self, resource: Resource) -> &mut T {
        match resource {
            Resource::Services => &mut self.services,
            Resource::EndpointSlices => &mut self.endpoint_slices,
            Resource::Nodes => &mut self.nodes,
            Resource::ServiceCidrs => &mut self.service_cidrs,
            Resource::Namespaces => &mut self.namespaces,
        }
    }
}
