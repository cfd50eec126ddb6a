//! What a directory says once it is read.

use std::path::Path;

use portolan_core::{EndpointSlice, ObjectName, Service, Update};
use tempfile::TempDir;

use super::*;

mod documents;
mod files;
mod objects;
mod polling;

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn read(files: &[(&str, &str)]) -> Snapshot {
    read_directory(directory(files).path(), "node-1").unwrap()
}

/// A Service of this name, with this address.
fn service_yaml(name: &str, address: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  \
         clusterIP: {address}\n  ports:\n  - port: 80\n"
    )
}

fn services(snapshot: &Snapshot) -> &[Service] {
    let services = snapshot.updates.iter().find_map(|update| match update {
        Update::ServicesReset(services) => Some(services),
        _ => None,
    });
    services.unwrap()
}

fn slices(snapshot: &Snapshot) -> &[EndpointSlice] {
    let slices = snapshot.updates.iter().find_map(|update| match update {
        Update::EndpointSlicesReset(slices) => Some(slices),
        _ => None,
    });
    slices.unwrap()
}

fn names(snapshot: &Snapshot) -> Vec<String> {
    services(snapshot).iter().map(|service| service.name.name.to_string()).collect()
}

/// The problems, with the path of the directory cut off.
fn problems(snapshot: &Snapshot) -> Vec<String> {
    let text = |notice: &Notice| {
        let text = notice.to_string();
        let file = &notice.place.as_ref().unwrap().file;
        text.replace(Path::new(&**file).parent().unwrap().to_str().unwrap(), "")
            .replacen('/', "", 1)
    };
    snapshot.problems.iter().map(text).collect()
}

fn default_name(name: &str) -> ObjectName {
    ObjectName::new("default", name)
}
