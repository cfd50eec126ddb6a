//! Kubernetes objects in YAML files, read as strictly as an API server does when it is
//! asked for `fieldValidation=Strict`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use k8s_openapi::Resource;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Service, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::ServiceCIDR;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A directory of the repository.
pub(crate) fn directory(name: &str) -> PathBuf {
    xtask::command::workspace_root().join(name)
}

/// The YAML files in a directory and the directories below it, sorted.
pub(crate) fn yaml_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(yaml_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The documents of a YAML file.
pub(crate) fn documents(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    serde_saphyr::from_multiple(&text).with_context(|| path.display().to_string()).unwrap()
}

/// The object that a document is, if it has this kind.
pub(crate) fn object<T>(document: &Value) -> Option<Result<T, String>>
where
    T: Resource + Serialize + DeserializeOwned,
{
    let is = |key, expected| document.get(key).and_then(Value::as_str) == Some(expected);
    (is("apiVersion", T::API_VERSION) && is("kind", T::KIND)).then(|| strictly(document))
}

/// What is wrong with a document of any kind that occurs here; `None` if its kind is another.
pub(crate) fn judge(document: &Value) -> Option<Result<(), String>> {
    fn judge_as<T: Resource + Serialize + DeserializeOwned>(
        document: &Value,
    ) -> Option<Result<(), String>> {
        object::<T>(document).map(|result| result.map(drop))
    }
    let kinds = [
        judge_as::<ClusterRole>,
        judge_as::<ClusterRoleBinding>,
        judge_as::<ConfigMap>,
        judge_as::<DaemonSet>,
        judge_as::<EndpointSlice>,
        judge_as::<Node>,
        judge_as::<Service>,
        judge_as::<ServiceAccount>,
        judge_as::<ServiceCIDR>,
    ];
    kinds.into_iter().find_map(|judge| judge(document))
}

/// Typed objects drop what they do not know, so whatever does not come back was unknown.
fn strictly<T: Serialize + DeserializeOwned>(document: &Value) -> Result<T, String> {
    let object: T = serde_json::from_value(document.clone()).map_err(|error| error.to_string())?;
    let known = serde_json::to_value(&object).map_err(|error| error.to_string())?;
    match lost(document, &known, String::new()) {
        None => Ok(object),
        Some(path) => Err(format!("unknown field or value: {path}")),
    }
}

/// The path of the first thing in `written` that is not in `known`.
fn lost(written: &Value, known: &Value, path: String) -> Option<String> {
    match (written, known) {
        // An empty list in Go is printed as null.
        (Value::Null, Value::Array(known)) if known.is_empty() => None,
        (Value::Object(written), Value::Object(known)) => {
            written.iter().find_map(|(key, value)| {
                let known = known.get(key).unwrap_or(&Value::Null);
                lost(value, known, format!("{path}.{key}"))
            })
        }
        (Value::Array(written), Value::Array(known)) if written.len() == known.len() => {
            let mut pairs = written.iter().zip(known).enumerate();
            pairs.find_map(|(i, (written, known))| lost(written, known, format!("{path}[{i}]")))
        }
        _ => (written != known).then_some(path),
    }
}
