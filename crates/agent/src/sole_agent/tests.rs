//! The lock under names of the tests' own.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket,
};
use nix::sys::time::TimeVal;
use nix::unistd::Uid;
use tokio::time::timeout;

use super::claim::{BETWEEN_LOOKS, LOOKS_AT_SILENCE, holder, is_trusted};
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

/// As many as the queue of a listener takes.
fn longest_queue() -> usize {
    let setting = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    setting.trim().parse().unwrap()
}

#[tokio::test]
async fn an_agent_whose_runtime_is_busy_is_no_stranger_to_any_number_who_look() {
    let name = unique("many");
    let _alone = alone_by(&name, None).await.unwrap();
    // Nothing else runs on this runtime meanwhile.
    for look in 0..2 * longest_queue() {
        let claim = claim_name(&name).unwrap();
        assert!(matches!(claim, Claim::Agent(_)), "after {look}: {claim:?}");
    }
}

/// Has the name, and a queue that is full. Nobody takes anything out of it.
fn flooded(name: &str) -> UnixListener {
    let silent = silent(name);
    listen(&silent, Backlog::new(0).unwrap()).unwrap();
    let address = UnixAddr::new_abstract(name.as_bytes()).unwrap();
    loop {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let stream = socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
        match connect(stream.as_raw_fd(), &address) {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error, Errno::EAGAIN);
                return silent.into();
            }
        }
    }
}

#[test]
fn an_agent_whose_queue_is_full_is_no_stranger_once_it_answers() {
    let name = unique("full");
    let listener = flooded(&name);
    let looks = thread::spawn(move || claim_name(&name).unwrap());
    // Longer than a silence is waited for.
    thread::sleep(BETWEEN_LOOKS * LOOKS_AT_SILENCE * 2);
    listener.set_nonblocking(true).unwrap();
    while !looks.is_finished() {
        let _ = listener.accept();
    }
    let claim = looks.join().unwrap();
    assert!(matches!(claim, Claim::Agent(_)), "{claim:?}");
}

#[test]
fn whoever_never_answers_is_not_waited_for_without_end() {
    let name = unique("overrun");
    let _listener = flooded(&name);
    let told = holder(&name, TimeVal::new(0, 1000)).unwrap();
    assert_eq!(told.to_string(), "it does not answer; `ss -xlp` may find it");
}

#[tokio::test]
async fn a_claim_is_kept_whatever_becomes_of_the_work_that_it_was_for() {
    let name = unique("kept");
    drop(alone_by(&name, None).await.unwrap());
    // Tasks that were ended with it are gone by then.
    sleep(BETWEEN_LOOKS).await;
    let claim = claim_name(&name).unwrap();
    assert!(matches!(claim, Claim::Agent(_)), "{claim:?}");
}

#[tokio::test]
async fn a_name_that_was_taken_is_claimed_once_it_is_free() {
    let name = unique("late");
    let silent = silent(&name);
    let _alone = alone_by(&name, None).await.unwrap();
    drop(silent);
    let until = std::time::Instant::now() + TRY_AGAIN * 60;
    while !matches!(claim_name(&name).unwrap(), Claim::Agent(_)) {
        assert!(std::time::Instant::now() < until, "it was never tried again");
        // So that the name is free.
        sleep(TRY_AGAIN / 10).await;
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
    sleep(TRY_AGAIN * 3).await;
    assert!(!waiting.is_finished());
    drop(sole);
    waiting.await.unwrap().unwrap();
    assert_eq!(warnings.count(), 1);
    std::net::TcpListener::bind(address).expect("the health server of the wait has ended");
}

#[tokio::test]
async fn a_stranger_is_named_and_not_waited_for() {
    let (warnings, _guard) = count_warnings();
    let name = unique("stranger");
    let _silent = silent(&name);
    timeout(TRY_AGAIN * 60, alone_by(&name, None)).await.unwrap().unwrap();
    assert_eq!(warnings.count(), 1);
}

#[tokio::test]
async fn an_agent_that_another_one_did_not_notice_hears_of_it() {
    let name = unique("second");
    let silent = silent(&name);
    let alone = alone_by(&name, None).await.unwrap();
    // As one that was quicker when the name became free.
    listen(&silent, Backlog::new(1).unwrap()).unwrap();
    let holder = timeout(TRY_AGAIN * 60, alone.other()).await.unwrap();
    assert_eq!(
        holder.to_string(),
        format!("pid {}, user {}", std::process::id(), Uid::effective())
    );
}
