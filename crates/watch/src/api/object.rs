//! Objects as the API server sends them.

use std::borrow::Cow;

use kube::core::{DynamicResourceScope, ObjectMeta};
use portolan_core::ObjectKind;
use serde::{Deserialize, Deserializer};

use crate::field::Field;
use crate::manifest::Manifest;

/// An object of any kind that is watched. It lives until it is converted.
#[derive(Clone, Debug)]
pub(super) struct ApiObject {
    /// Only the resource version, which the watch needs to resume.
    metadata: ObjectMeta,
    pub(super) manifest: Manifest,
}

impl<'de> Deserialize<'de> for ApiObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ApiObject, D::Error> {
        let manifest = match Field::<Manifest>::deserialize(deserializer)? {
            Field::Value(manifest) => manifest,
            // It has no name then, and is reported as such.
            Field::Absent | Field::Wrong(_) => Manifest::default(),
        };
        let metadata = manifest.metadata.value();
        let resource_version = metadata.and_then(|metadata| metadata.resource_version.value());
        let metadata =
            ObjectMeta { resource_version: resource_version.cloned(), ..ObjectMeta::default() };
        Ok(ApiObject { metadata, manifest })
    }
}

impl kube::Resource for ApiObject {
    type DynamicType = ObjectKind;
    type Scope = DynamicResourceScope;

    fn kind(kind: &ObjectKind) -> Cow<'_, str> {
        kind.to_string().into()
    }

    fn group(kind: &ObjectKind) -> Cow<'_, str> {
        match kind {
            ObjectKind::Service | ObjectKind::Node => "",
            ObjectKind::EndpointSlice => "discovery.k8s.io",
            ObjectKind::ServiceCIDR => "networking.k8s.io",
        }
        .into()
    }

    fn version(_: &ObjectKind) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural(kind: &ObjectKind) -> Cow<'_, str> {
        match kind {
            ObjectKind::Service => "services",
            ObjectKind::EndpointSlice => "endpointslices",
            ObjectKind::Node => "nodes",
            ObjectKind::ServiceCIDR => "servicecidrs",
        }
        .into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use kube::Resource;

    use super::*;

    #[test]
    fn each_kind_has_the_path_of_the_api() {
        for (kind, path) in [
            (ObjectKind::Service, "/api/v1/services"),
            (ObjectKind::Node, "/api/v1/nodes"),
            (ObjectKind::EndpointSlice, "/apis/discovery.k8s.io/v1/endpointslices"),
            (ObjectKind::ServiceCIDR, "/apis/networking.k8s.io/v1/servicecidrs"),
        ] {
            assert_eq!(ApiObject::url_path(&kind, None), path);
        }
    }

    #[test]
    fn no_well_formed_json_fails_to_decode() {
        for (json, version) in [
            (r#"{"metadata": {"resourceVersion": "7"}, "spec": {"ports": "80"}}"#, Some("7")),
            (r#"{"metadata": {"resourceVersion": 7}}"#, None),
            (r#"{"metadata": []}"#, None),
            ("[]", None),
            ("null", None),
        ] {
            let object: ApiObject = serde_json::from_str(json).unwrap();
            assert_eq!(object.meta().resource_version.as_deref(), version, "{json}");
        }
    }
}
