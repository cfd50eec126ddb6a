//! What is noticed where no event tells of a change.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::super::reader::{Evidence, Look};
use super::*;

fn age(directory: &TempDir, name: &str) {
    let file = File::options().write(true).open(directory.path().join(name)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
}

fn open_reader(directory: &TempDir) -> Reader {
    let config =
        DirectoryConfig { path: directory.path().to_owned(), node_name: "node-1".to_owned() };
    open(config).unwrap().0
}

fn poll() -> Look {
    Look { all: Some(Evidence::Suspicion), ..Look::default() }
}

#[test]
fn polling_finds_what_changed_came_and_went() {
    let directory = directory(&[
        ("changed.yaml", &service_yaml("changed", "10.0.0.1")),
        ("gone.yaml", &service_yaml("gone", "10.0.0.2")),
        ("same.yaml", &service_yaml("same", "10.0.0.3")),
    ]);
    let mut reader = open_reader(&directory);
    let text = service_yaml("changed", "10.0.0.11");
    std::fs::write(directory.path().join("changed.yaml"), text).unwrap();
    std::fs::remove_file(directory.path().join("gone.yaml")).unwrap();
    std::fs::write(directory.path().join("new.yaml"), service_yaml("new", "10.0.0.4")).unwrap();
    for name in ["changed.yaml", "same.yaml", "new.yaml"] {
        age(&directory, name);
    }
    let mut names: Vec<String> = reader
        .look(poll())
        .into_iter()
        .map(|event| match event {
            SourceEvent::Update(Update::ServiceApplied(service)) => {
                format!("+{}", service.name.name)
            }
            SourceEvent::Update(Update::ServiceDeleted(name)) => format!("-{}", name.name),
            other => panic!("{other:?}"),
        })
        .collect();
    names.sort();
    assert_eq!(names, ["+changed", "+new", "-gone"]);
    assert_eq!(reader.look(poll()), []);
}

#[test]
fn what_is_missing_in_a_directory_made_again_is_deleted_once_that_has_settled() {
    let base = directory(&[]);
    let path = base.path().join("manifests");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("a.yaml"), service_yaml("a", "10.0.0.1")).unwrap();
    let config = DirectoryConfig { path: path.clone(), node_name: "node-1".to_owned() };
    let mut reader = open(config).unwrap().0;
    let deleted = |events: &[SourceEvent]| {
        events.iter().any(|event| matches!(event, SourceEvent::Update(Update::ServiceDeleted(_))))
    };
    let names = BTreeMap::from([(Arc::from(OsStr::new("a.yaml")), Evidence::Written)]);
    let looks = [poll(), Look { all: None, names }, poll()];
    std::fs::remove_dir_all(&path).unwrap();
    for (round, look) in looks.into_iter().enumerate() {
        assert!(!deleted(&reader.look(look)), "{round}");
        assert!(reader.is_unsettled(), "{round}");
        std::fs::create_dir_all(&path).unwrap();
    }
    let old = SystemTime::now() - Duration::from_secs(60);
    File::open(&path).unwrap().set_modified(old).unwrap();
    assert!(deleted(&reader.look(poll())));
    assert!(!reader.is_unsettled());
}

#[test]
fn a_young_file_is_read_once_it_has_settled() {
    let directory = directory(&[]);
    let mut reader = open_reader(&directory);
    std::fs::write(directory.path().join("a.yaml"), service_yaml("a", "10.0.0.1")).unwrap();
    assert_eq!(reader.look(poll()), []);
    assert!(reader.is_unsettled());
    age(&directory, "a.yaml");
    assert_eq!(reader.look(poll()).len(), 1);
    assert!(!reader.is_unsettled());
}
