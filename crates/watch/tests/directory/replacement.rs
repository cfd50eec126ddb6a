//! Directories and links that are put in place of others.

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use crate::follower::{Follower, service};

#[tokio::test]
async fn a_mounted_config_map_is_followed_through_its_data_link() {
    let base = TempDir::new().unwrap();
    let mount = base.path().join("manifests");
    fs::create_dir_all(mount.join("..1")).unwrap();
    fs::write(mount.join("..1/a.yaml"), service("a", "10.0.0.1")).unwrap();
    fs::write(mount.join("..1/b.yaml"), service("b", "10.0.1.1")).unwrap();
    symlink("..1", mount.join("..data")).unwrap();
    symlink("..data/a.yaml", mount.join("a.yaml")).unwrap();
    symlink("..data/b.yaml", mount.join("b.yaml")).unwrap();
    let mut follower = Follower::follow(base, mount.clone()).await;
    assert_eq!(follower.known.services.len(), 2);

    // What the kubelet does when the ConfigMap loses b and gains c.
    fs::create_dir(mount.join("..2")).unwrap();
    fs::write(mount.join("..2/a.yaml"), service("a", "10.0.0.2")).unwrap();
    fs::write(mount.join("..2/c.yaml"), service("c", "10.0.2.1")).unwrap();
    symlink("..2", mount.join("..data_tmp")).unwrap();
    fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    symlink("..data/c.yaml", mount.join("c.yaml")).unwrap();
    fs::remove_file(mount.join("b.yaml")).unwrap();
    fs::remove_dir_all(mount.join("..1")).unwrap();

    follower
        .until(|known| {
            known.address("a") == Some("10.0.0.2")
                && known.address("c") == Some("10.0.2.1")
                && known.services.len() == 2
        })
        .await;
    assert_eq!(follower.known.problem_text(), "");
}

#[tokio::test]
async fn a_directory_put_in_place_of_another_is_read() {
    let mut follower = Follower::start(&[("a.yaml", &service("a", "10.0.0.1"))]).await;
    let base = follower.base();
    fs::create_dir(base.join("new")).unwrap();
    fs::write(base.join("new/b.yaml"), service("b", "10.0.0.2")).unwrap();
    fs::rename(base.join("manifests"), base.join("old")).unwrap();
    fs::rename(base.join("new"), base.join("manifests")).unwrap();
    follower.until(|known| known.services.len() == 1 && known.address("b").is_some()).await;
    // The new one is watched, and the old one no longer.
    fs::write(base.join("old/a.yaml"), service("a", "10.0.0.3")).unwrap();
    follower.write("b.yaml", &service("b", "10.0.0.4"));
    follower.until(|known| known.address("b") == Some("10.0.0.4")).await;
    assert_eq!(follower.known.services.len(), 1);
}

#[tokio::test]
async fn a_link_to_a_directory_is_followed_where_it_is_turned() {
    let base = TempDir::new().unwrap();
    for (release, address) in [("1", "10.0.0.1"), ("2", "10.0.0.2")] {
        fs::create_dir(base.path().join(release)).unwrap();
        fs::write(base.path().join(release).join("a.yaml"), service("a", address)).unwrap();
    }
    let link = base.path().join("manifests");
    symlink("1", &link).unwrap();
    let mut follower = Follower::follow(base, link.clone()).await;
    assert_eq!(follower.known.address("a"), Some("10.0.0.1"));
    let turned = follower.base().join("turned");
    symlink("2", &turned).unwrap();
    fs::rename(turned, link).unwrap();
    follower.until(|known| known.address("a") == Some("10.0.0.2")).await;
}

#[tokio::test]
async fn a_directory_that_vanishes_leaves_its_state_in_use() {
    let mut follower = Follower::start(&[("a.yaml", &service("a", "10.0.0.1"))]).await;
    let base = follower.base();
    fs::rename(base.join("manifests"), base.join("away")).unwrap();
    follower.until(|known| !known.problems.is_empty()).await;
    assert!(follower.known.problem_text().contains("its last state stays in use"));
    assert_eq!(follower.known.address("a"), Some("10.0.0.1"));

    fs::write(base.join("away/a.yaml"), service("a", "10.0.0.2")).unwrap();
    fs::rename(base.join("away"), base.join("manifests")).unwrap();
    follower
        .until(|known| known.problems.is_empty() && known.address("a") == Some("10.0.0.2"))
        .await;
}

#[tokio::test]
async fn a_directory_made_again_loses_nothing_before_it_is_filled() {
    let mut follower = Follower::start(&[
        ("a.yaml", &service("a", "10.0.0.1")),
        ("b.yaml", &service("b", "10.0.1.1")),
        ("c.yaml", &service("c", "10.0.2.1")),
    ])
    .await;
    let manifests = follower.base().join("manifests");
    // Away in one step, so that no file is deleted in a directory that is still there.
    fs::rename(&manifests, follower.base().join("old")).unwrap();
    fs::create_dir(&manifests).unwrap();
    follower.until(|known| known.problem_text().contains("files are missing")).await;
    assert_eq!(follower.known.services.len(), 3, "it may still be being filled");

    follower.write("a.yaml", &service("a", "10.0.0.2"));
    follower.until(|known| known.address("a") == Some("10.0.0.2")).await;
    follower.write("b.yaml", &service("b", "10.0.1.1"));
    follower.until(|known| known.services.len() == 2 && known.problems.is_empty()).await;
    assert_eq!(follower.known.address("c"), None);
}
