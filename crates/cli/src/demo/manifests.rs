//! The example cluster as files, and the edits that are made to it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use portolan_core::Family;

use super::hosts::Pod;

/// `examples/cluster`, so that the binary shows it without its sources.
const FILES: &[(&str, &str)] = &[
    ("cache.yaml", include_str!("../../../../examples/cluster/cache.yaml")),
    ("dns.yaml", include_str!("../../../../examples/cluster/dns.yaml")),
    ("empty.yaml", include_str!("../../../../examples/cluster/empty.yaml")),
    ("local-only.yaml", include_str!("../../../../examples/cluster/local-only.yaml")),
    ("node.yaml", include_str!("../../../../examples/cluster/node.yaml")),
    ("service-cidr.yaml", include_str!("../../../../examples/cluster/service-cidr.yaml")),
    (WEB_FILE, WEB_TEXT),
];

const WEB_FILE: &str = "web.yaml";
const WEB_TEXT: &str = include_str!("../../../../examples/cluster/web.yaml");

/// The file whose second document is broken.
pub(super) const BROKEN_FILE: &str = "broken.yaml";
pub(super) const BROKEN_DOCUMENT: usize = 2;
const BROKEN_TEXT: &str = include_str!("broken.yaml");

/// The directory that the agent follows.
#[derive(Debug)]
pub(super) struct Manifests {
    directory: PathBuf,
}

impl Manifests {
    /// Writes the example cluster into a new directory.
    pub(super) fn write(directory: PathBuf) -> anyhow::Result<Manifests> {
        fs::create_dir(&directory)
            .with_context(|| format!("cannot make the directory {}", directory.display()))?;
        let manifests = Manifests { directory };
        for (name, text) in FILES {
            manifests.put(name, text)?;
        }
        Ok(manifests)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes these the pods of the Service `web`.
    pub(super) fn set_web_pods(&self, pods: &[Pod]) -> anyhow::Result<()> {
        self.put(WEB_FILE, &with_endpoints(WEB_TEXT, pods))
    }

    pub(super) fn add_broken_file(&self) -> anyhow::Result<()> {
        self.put(BROKEN_FILE, BROKEN_TEXT)
    }

    pub(super) fn remove_broken_file(&self) -> anyhow::Result<()> {
        let path = self.directory.join(BROKEN_FILE);
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
    }

    /// Replaces a file as editors do: nobody ever sees half of it.
    fn put(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.directory.join(name);
        let draft = self.directory.join(format!(".{name}.new"));
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The same objects, with these pods as the endpoints of every EndpointSlice.
fn with_endpoints(text: &str, pods: &[Pod]) -> String {
    let mut edited = String::new();
    let mut family = Family::V4;
    let mut inside = false;
    for line in text.lines() {
        match line {
            "addressType: IPv4" => family = Family::V4,
            "addressType: IPv6" => family = Family::V6,
            _ => {}
        }
        inside = line == "endpoints:" || inside && line.starts_with(' ');
        if line == "endpoints:" {
            edited.push_str("endpoints:\n");
            pods.iter().for_each(|pod| edited.push_str(&endpoint(*pod, family)));
        } else if !inside {
            edited.push_str(line);
            edited.push('\n');
        }
    }
    edited
}

/// A ready endpoint, as an item of `endpoints`.
fn endpoint(pod: Pod, family: Family) -> String {
    let (address, node) = (pod.address(family), pod.node_name());
    [
        "  - addresses:",
        &format!("      - {address}"),
        "    conditions:",
        "      ready: true",
        "      serving: true",
        "      terminating: false",
        &format!("    nodeName: {node}"),
        "",
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use portolan_core::Update;
    use portolan_watch::read_directory;

    use super::super::hosts::{NODE_NAME, WEB};
    use super::*;

    fn endpoints(manifests: &Manifests) -> BTreeSet<(String, bool)> {
        let snapshot = read_directory(manifests.directory(), NODE_NAME).unwrap();
        assert_eq!(snapshot.problems, []);
        let mut found = BTreeSet::new();
        for update in snapshot.updates {
            let Update::EndpointSlicesReset(slices) = update else { continue };
            for slice in slices.iter().filter(|slice| slice.service.name == "web".into()) {
                for endpoint in &slice.endpoints {
                    let here = endpoint.node_name.as_deref() == Some(NODE_NAME);
                    found.insert((endpoint.address.to_string(), here));
                }
            }
        }
        found
    }

    fn expected(pods: &[Pod]) -> BTreeSet<(String, bool)> {
        let of = |family| pods.iter().map(move |pod| (pod.address(family), pod.is_here()));
        let both = Family::BOTH.into_iter().flat_map(of);
        both.map(|(address, here)| (address.to_string(), here)).collect()
    }

    #[test]
    fn the_binary_carries_the_whole_example() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/cluster");
        let mut found: Vec<(String, String)> = fs::read_dir(example)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                let text = fs::read_to_string(entry.path()).unwrap();
                (entry.file_name().into_string().unwrap(), text)
            })
            .collect();
        found.sort();
        let carried: Vec<_> = FILES.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        assert_eq!(found, carried);
    }

    #[test]
    fn the_pods_of_web_are_those_of_the_last_edit() {
        let directory = tempfile::tempdir().unwrap();
        let manifests = Manifests::write(directory.path().join("cluster")).unwrap();
        assert_eq!(endpoints(&manifests), expected(WEB.pods));
        for pods in [&[Pod::here(1), Pod::elsewhere(2)][..], &[], WEB.pods] {
            manifests.set_web_pods(pods).unwrap();
            assert_eq!(endpoints(&manifests), expected(pods));
        }
    }

    #[test]
    fn the_broken_file_is_broken_in_one_document_only() {
        let directory = tempfile::tempdir().unwrap();
        let manifests = Manifests::write(directory.path().join("cluster")).unwrap();
        manifests.add_broken_file().unwrap();
        let snapshot = read_directory(manifests.directory(), NODE_NAME).unwrap();
        let [notice] = &snapshot.problems[..] else { panic!("{:?}", snapshot.problems) };
        let place = notice.place.as_ref().unwrap();
        assert!(place.file.ends_with(BROKEN_FILE), "{notice}");
        assert_eq!(place.document, Some(BROKEN_DOCUMENT), "{notice}");
        manifests.remove_broken_file().unwrap();
        assert_eq!(endpoints(&manifests), expected(WEB.pods));
    }
}
