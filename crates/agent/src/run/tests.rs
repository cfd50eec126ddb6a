//! The loop with a fake source and a fake backend, on a clock that only the test moves.

mod address_events;
mod backend_changes;
mod ending;
mod environment;
mod first_sync;
mod harness;
mod healing;
mod health_checks;
mod localhost;
mod look_ahead;
mod metrics;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use portolan_core::backend::NodePortAddresses;
use portolan_core::{Environment, Update};
use tokio::time::{Instant, advance};

use self::harness::{Harness, settle};
use super::agent::LAST_CALL;
use super::*;
use crate::testing::*;

/// Runs on a runtime whose clock goes on only when nothing is left to do.
fn with_paused_clock(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(work);
    runtime.shutdown_background();
}

fn counts(pairs: &[(&str, usize)]) -> BTreeMap<String, usize> {
    pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

fn changed(pairs: &[(&str, usize)]) -> Asked {
    Asked::Apply(pairs.iter().map(|(name, count)| ((*name).to_owned(), Some(*count))).collect())
}

fn environment(asked: Asked) -> Environment {
    match asked {
        Asked::Converge(_, environment) | Asked::Adapt(environment) => environment,
        other => panic!("expected a converge, not {other:?}"),
    }
}

fn plans(asked: Asked) -> BTreeMap<String, usize> {
    match asked {
        Asked::Converge(plans, _) => plans,
        other => panic!("expected a converge, not {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_programmed_before_services_and_endpoint_slices_are_all_known() {
    let mut agent = Harness::start(config());
    agent.send(slice_applied("web", &[7])).await;
    agent.send(services(vec![service("web", 1)])).await;
    advance(Duration::from_secs(300)).await;
    assert!(agent.kernel.asked.is_empty());
    agent.send(slices(vec![slice("web", &[1, 2])])).await;
    assert_eq!(plans(agent.asked().await), counts(&[("web", 2)]));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_quiet_cluster_is_applied_at_once() {
    let mut agent = Harness::synced(config()).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]));
}

#[tokio::test(start_paused = true)]
async fn changes_that_come_while_the_backend_is_busy_are_applied_together() {
    let mut agent = Harness::synced(config()).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]));
    agent.send(slice_applied("web", &[1, 2, 3])).await;
    agent.send(slice_applied("api", &[4])).await;
    agent.send(slice_applied("web", &[1, 2, 3, 4])).await;
    assert!(agent.kernel.asked.is_empty(), "one call at a time");
    agent.answer(Answer::Succeed);
    assert_eq!(agent.asked().await, changed(&[("api", 1), ("web", 4)]));
}

#[tokio::test(start_paused = true)]
async fn events_that_change_no_plan_ask_nothing_of_the_backend() {
    let mut agent = Harness::synced(config()).await;
    agent.send(slice_applied("web", &[1])).await;
    agent.send(slice_applied("orphan", &[9])).await;
    agent.list().await;
    agent.send(slice_applied("api", &[5])).await;
    assert_eq!(agent.asked().await, changed(&[("api", 1)]));
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_everything_is_converged_and_nothing_is_lost() {
    let mut agent = Harness::synced(config()).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]));
    agent.send(slice_applied("api", &[3])).await;
    agent.answer(Answer::Fail);
    for delay in [1, 2, 4, 8, 16, 30, 30] {
        // The outcome comes from another thread; a failed call is logged on this one.
        while agent.kernel.asked.is_empty() {
            settle().await;
            advance(Duration::from_secs(delay)).await;
        }
        let all = counts(&[("api", 1), ("web", 2)]);
        assert_eq!(plans(agent.asked().await), all, "after {delay} s");
        agent.answer(Answer::Fail);
    }
    let all = counts(&[("api", 1), ("web", 2)]);
    while agent.kernel.asked.is_empty() {
        settle().await;
        advance(Duration::from_secs(30)).await;
    }
    assert_eq!(plans(agent.asked().await), all);
    agent.answer(Answer::Succeed);
    agent.send(slice_applied("api", &[3, 4])).await;
    assert_eq!(agent.asked().await, changed(&[("api", 2)]), "back to changes");
}

fn listed(addresses: &[&str]) -> NodePortAddresses {
    NodePortAddresses::Listed(addresses.iter().map(|text| text.parse().unwrap()).collect())
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_panics_is_opened_again_and_converged() {
    let mut agent = Harness::synced(config()).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]));
    assert_eq!(agent.kernel.opened.load(Ordering::SeqCst), 1);
    agent.answer(Answer::Panic);
    while agent.kernel.asked.is_empty() {
        settle().await;
        advance(Duration::from_secs(1)).await;
    }
    assert_eq!(plans(agent.asked().await), counts(&[("api", 0), ("web", 2)]));
    assert_eq!(agent.kernel.opened.load(Ordering::SeqCst), 2);
    agent.answer(Answer::Succeed);
    agent.send(slice_applied("web", &[1])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 1)]));
}
