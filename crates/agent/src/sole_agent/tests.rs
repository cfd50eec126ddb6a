//! The lock under names of the tests' own.

use std::os::fd::OwnedFd;

use nix::sys::socket::bind;
use tokio::time::timeout;

use super::*;
use crate::testing::{count_warnings, get};

/// A name that no other test, and no other run of this one, has.
fn unique(test: &str) -> String {
    format!("portolan-test-{}-{test}", std::process::id())
}

fn granted(name: &str) -> Sole {
    match claim_name(name).unwrap() {
        Claim::Granted(sole) => sole,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_name_is_granted_once_and_again_when_it_is_free() {
    let name = unique("once");
    let sole = granted(&name);
    let Claim::Agent(holder) = claim_name(&name).unwrap() else { panic!("there is one") };
    let process = i32::try_from(std::process::id()).unwrap();
    assert_eq!(holder.credentials, Some((Some(process), Uid::effective())));
    assert_eq!(holder.to_string(), format!("pid {process}, user {}", Uid::effective()));
    drop(sole);
    granted(&name);
}

#[test]
fn only_root_and_the_own_user_are_waited_for() {
    assert!(is_trusted(Uid::from_raw(0)));
    assert!(is_trusted(Uid::effective()));
    assert!(!is_trusted(Uid::from_raw(Uid::effective().as_raw() + 1000)));
}

/// Has the name, and does not listen.
fn silent(name: &str) -> OwnedFd {
    let flags = SockFlag::SOCK_CLOEXEC;
    let silent = socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
    bind(silent.as_raw_fd(), &UnixAddr::new_abstract(name.as_bytes()).unwrap()).unwrap();
    silent
}

#[tokio::test]
async fn many_who_look_do_not_make_an_agent_a_stranger() {
    let name = unique("many");
    let _alone = alone_by(&name, None).await.unwrap();
    for _ in 0..5000 {
        let claim = claim_name(&name).unwrap();
        assert!(matches!(claim, Claim::Agent(_)), "{claim:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_waits_is_alive_but_not_healthy_and_says_so_once() {
    let (warnings, _guard) = count_warnings();
    let name = unique("waits");
    let sole = granted(&name);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let waiting = tokio::spawn({
        let name = name.clone();
        async move { alone_by(&name, Some(address)).await }
    });
    while tokio::net::TcpStream::connect(address).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 503 "));
    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200 "));
    sleep(LOOK_AGAIN * 3).await;
    assert!(!waiting.is_finished());
    drop(sole);
    let alone = waiting.await.unwrap();
    assert!(alone.is_some());
    assert_eq!(warnings.count(), 1);
    std::net::TcpListener::bind(address).expect("the health server of the wait has ended");
}

#[tokio::test]
async fn a_stranger_is_named_and_not_waited_for() {
    let (warnings, _guard) = count_warnings();
    let name = unique("stranger");
    let _silent = silent(&name);
    let alone = timeout(LOOK_AGAIN * 60, alone_by(&name, None)).await.unwrap();
    assert!(alone.is_none());
    assert_eq!(warnings.count(), 1);
}
