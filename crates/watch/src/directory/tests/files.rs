use std::os::unix::fs::symlink;

use super::*;
use crate::error::WatchError;

#[test]
fn an_empty_directory_is_an_empty_cluster() {
    let snapshot = read(&[]);
    let expected = [
        Update::ServicesReset(vec![]),
        Update::EndpointSlicesReset(vec![]),
        Update::ServiceCidrsReset(vec![]),
    ];
    assert_eq!(snapshot.updates, expected);
    assert_eq!(snapshot.problems, []);
}

#[test]
fn a_missing_directory_is_an_error() {
    let directory = directory(&[("file.yaml", "")]);
    for name in ["missing", "file.yaml"] {
        let path = directory.path().join(name);
        let error = read_directory(&path, "node-1").unwrap_err();
        assert!(matches!(&error, WatchError::Directory { path: found, .. } if *found == path));
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn manifests_of_the_directory_itself_are_read_and_nothing_else() {
    let yaml = service_yaml("other", "10.0.0.99");
    let directory = directory(&[
        ("a.yaml", &service_yaml("a", "10.0.0.1")),
        ("b.yml", &service_yaml("b", "10.0.0.2")),
        (
            "c.json",
            r#"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "c"},
                "spec": {"clusterIP": "10.0.0.3"}}"#,
        ),
        ("d.txt", &yaml),
        (".e.yaml", &yaml),
        ("f.yaml~", &yaml),
    ]);
    std::fs::create_dir(directory.path().join("g.yaml")).unwrap();
    std::fs::write(directory.path().join("g.yaml/h.yaml"), &yaml).unwrap();
    let snapshot = read_directory(directory.path(), "node-1").unwrap();
    assert_eq!(names(&snapshot), ["a", "b", "c"]);
    assert_eq!(problems(&snapshot), [""; 0]);
}

#[test]
fn symbolic_links_are_followed_and_dangling_ones_left_alone() {
    let elsewhere = directory(&[("web", &service_yaml("web", "10.0.0.1"))]);
    let directory = directory(&[]);
    symlink(elsewhere.path().join("web"), directory.path().join("web.yaml")).unwrap();
    symlink("nowhere", directory.path().join("lost.yaml")).unwrap();
    let snapshot = read_directory(directory.path(), "node-1").unwrap();
    assert_eq!(names(&snapshot), ["web"]);
    assert_eq!(problems(&snapshot), [""; 0]);
}

#[test]
fn a_broken_file_is_named_with_document_and_line_and_costs_only_itself() {
    let broken = format!(
        "{}---\nkind: Service\n  metadata: x\n---\n{}",
        service_yaml("b1", "10.0.0.2"),
        service_yaml("b2", "10.0.0.3")
    );
    let snapshot = read(&[("a.yaml", &service_yaml("a", "10.0.0.1")), ("b.yaml", &broken)]);
    assert_eq!(names(&snapshot), ["a", "b1", "b2"]);
    let problems = problems(&snapshot);
    assert!(
        matches!(&problems[..], [only] if only.starts_with(
            "b.yaml, document 2, line 11: column 11: broken YAML: mapping values are not allowed"
        )),
        "{problems:?}"
    );
}

#[test]
fn files_that_are_not_utf_8_say_so() {
    let directory = directory(&[("a.yaml", &service_yaml("a", "10.0.0.1"))]);
    std::fs::write(directory.path().join("b.yaml"), b"# one\n# two\nkind: \xff\n").unwrap();
    std::fs::write(directory.path().join("c.yaml"), b"\xff\xfek\0i\0n\0d\0").unwrap();
    let snapshot = read_directory(directory.path(), "node-1").unwrap();
    assert_eq!(names(&snapshot), ["a"]);
    assert_eq!(
        problems(&snapshot),
        [
            "b.yaml, line 3: the file is not UTF-8 from here on",
            "c.yaml: the file is UTF-16: save it as UTF-8",
        ]
    );
}
