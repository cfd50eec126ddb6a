//! Files that are broken, half written, or contradict each other.

use std::fs::{self, File};
use std::io::Write;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use portolan_core::Update;
use portolan_watch::SourceEvent;

use crate::follower::{Follower, service};

const BROKEN: &str = "---\nkind: Service\n metadata: x\n";

#[tokio::test]
async fn a_broken_file_keeps_its_last_good_state_until_it_is_mended() {
    let mut follower = Follower::start(&[("a.yaml", &service("a", "10.0.0.1"))]).await;
    follower.write("a.yaml", BROKEN);
    follower.until(|known| known.problem_text().contains("a.yaml, document 1, line 3")).await;
    assert_eq!(follower.known.address("a"), Some("10.0.0.1"));
    follower.write("a.yaml", &service("a", "10.0.0.2"));
    follower
        .until(|known| known.problems.is_empty() && known.address("a") == Some("10.0.0.2"))
        .await;
}

#[tokio::test]
async fn a_broken_document_does_not_hold_up_the_others_of_its_file() {
    let text = service("a", "10.0.0.1") + &service("b", "10.0.1.1") + &service("c", "10.0.2.1");
    let mut follower = Follower::start(&[("all.yaml", &text)]).await;
    let text = service("a", "10.0.0.2") + BROKEN + &service("c", "10.0.2.2");
    follower.write("all.yaml", &text);
    follower
        .until(|known| {
            known.address("a") == Some("10.0.0.2") && known.address("c") == Some("10.0.2.2")
        })
        .await;
    follower.until(|known| known.problem_text().contains("document 2")).await;
    assert_eq!(follower.known.address("b"), Some("10.0.1.1"), "kept, it may be the broken one");
    follower.write("all.yaml", &(service("a", "10.0.0.2") + &service("c", "10.0.2.2")));
    follower.until(|known| known.problems.is_empty() && known.address("b").is_none()).await;
}

#[tokio::test]
async fn a_broken_file_that_is_removed_takes_its_objects_along() {
    let mut follower = Follower::start(&[("a.yaml", &service("a", "10.0.0.1"))]).await;
    follower.write("a.yaml", BROKEN);
    follower.until(|known| !known.problems.is_empty()).await;
    follower.delete("a.yaml");
    follower.until(|known| known.problems.is_empty() && known.services.is_empty()).await;
}

#[tokio::test]
async fn a_file_that_is_still_being_written_is_left_alone() {
    let mut follower = Follower::start(&[("a.yaml", &service("a", "10.0.0.1"))]).await;
    let text = service("a", "10.0.0.2");
    let (first_half, second_half) = text.split_at(text.len() / 2);
    let mut file = File::create(follower.path("a.yaml")).unwrap();
    file.write_all(first_half.as_bytes()).unwrap();
    follower.write("b.yaml", &service("b", "10.0.1.1"));
    let event = follower.next().await;
    assert!(
        matches!(&event, SourceEvent::Update(Update::ServiceApplied(service))
            if *service.name.name == *"b"),
        "{event:?}"
    );
    file.write_all(second_half.as_bytes()).unwrap();
    drop(file);
    let event = follower.next().await;
    assert!(matches!(event, SourceEvent::Update(Update::ServiceApplied(_))), "{event:?}");
    assert_eq!(follower.known.address("a"), Some("10.0.0.2"));
}

#[tokio::test]
async fn an_object_in_two_files_is_served_from_the_first_and_falls_back_to_the_second() {
    let mut follower = Follower::start(&[("b.yaml", &service("web", "10.0.0.2"))]).await;
    follower.write("a.yaml", &service("web", "10.0.0.1"));
    follower
        .until(|known| {
            known.address("web") == Some("10.0.0.1")
                && known.problem_text().contains("b.yaml, document 1")
        })
        .await;
    follower.delete("a.yaml");
    follower
        .until(|known| known.problems.is_empty() && known.address("web") == Some("10.0.0.2"))
        .await;
}

#[tokio::test]
async fn a_bad_field_is_told_until_it_is_mended() {
    let good = service("a", "10.0.0.1");
    let mut follower = Follower::start(&[("a.yaml", &good)]).await;
    follower.write("a.yaml", &good.replace("- port: 80", "- port: eighty"));
    follower.until(|known| known.problem_text().contains("spec.ports[0].port: a text")).await;
    follower.write("a.yaml", &good);
    follower.until(|known| known.problems.is_empty()).await;
}

#[tokio::test]
async fn a_fifo_in_place_of_a_file_holds_up_nothing() {
    let mut follower = Follower::start(&[("a.yaml", &service("a", "10.0.0.1"))]).await;
    mkfifo(&follower.path(".fifo"), Mode::S_IRWXU).unwrap();
    fs::rename(follower.path(".fifo"), follower.path("a.yaml")).unwrap();
    follower.until(|known| known.problem_text().contains("not a regular file")).await;
    assert_eq!(follower.known.address("a"), Some("10.0.0.1"), "its last state stays in use");
    follower.write("b.yaml", &service("b", "10.0.1.1"));
    follower.until(|known| known.address("b") == Some("10.0.1.1")).await;
    follower.delete("a.yaml");
    follower.until(|known| known.problems.is_empty() && known.address("a").is_none()).await;
}

#[tokio::test]
async fn a_file_too_large_for_memory_is_not_read() {
    let mut follower = Follower::start(&[("a.yaml", &service("a", "10.0.0.1"))]).await;
    let file = File::options().write(true).open(follower.path("a.yaml")).unwrap();
    file.set_len(1 << 40).unwrap();
    drop(file);
    follower.until(|known| known.problem_text().contains("larger than 256 MiB")).await;
    assert_eq!(follower.known.address("a"), Some("10.0.0.1"), "its last state stays in use");
    follower.write("a.yaml", &service("a", "10.0.0.2"));
    follower
        .until(|known| known.problems.is_empty() && known.address("a") == Some("10.0.0.2"))
        .await;
}
