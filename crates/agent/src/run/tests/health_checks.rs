//! Load balancers ask a running agent, in a network namespace of its own.

use portolan_lab::namespaced;

use super::*;
use crate::config::NodePortSelection;

const PORT: u16 = 32000;

#[test]
fn load_balancers_are_answered_from_the_first_sync_to_the_end() {
    let name = "run::tests::health_checks::\
                load_balancers_are_answered_from_the_first_sync_to_the_end";
    namespaced(name, || with_paused_clock(from_start_to_end()));
}

async fn from_start_to_end() {
    let everywhere = NodePortSelection::Networks(Vec::new());
    let mut agent = Harness::start(Config { node_ports: everywhere, ..config() });
    agent.send(services(vec![balanced("web", 1, PORT)])).await;
    agent.send(slices(vec![local_slice("web", &[1, 2])])).await;
    assert!(matches!(agent.asked().await, Asked::Converge(..)));
    assert_eq!(weight().await, None, "the rules are not in the kernel");
    agent.answer(Answer::Succeed);
    answers(2).await;
    agent.send(slices(vec![local_slice("web", &[1])])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 1)]));
    assert_eq!(weight().await, Some(2), "the rules are not in the kernel");
    agent.answer(Answer::Succeed);
    answers(1).await;
    agent.stop().await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(weight().await, None);
}

/// Waits until there is this answer. The backend's thread runs in real time.
async fn answers(expected: usize) {
    for _ in 0..10_000 {
        if weight().await == Some(expected) {
            return;
        }
        settle().await;
    }
    panic!("no load balancer hears of {expected} endpoints but of {:?}", weight().await);
}

/// How many endpoints a load balancer hears of; `None` if nobody listens.
async fn weight() -> Option<usize> {
    let address = ([127, 0, 0, 1], PORT).into();
    tokio::net::TcpStream::connect(address).await.ok()?;
    let response = get(address, "/").await;
    let (_, rest) = response.split_once("x-load-balancing-endpoint-weight: ")?;
    rest.lines().next()?.parse().ok()
}
