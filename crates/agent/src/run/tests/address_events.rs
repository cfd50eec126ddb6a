//! Addresses of a real network namespace, on a clock that stands still until the test moves
//! it, so that no interval finds what was not announced.

use std::sync::atomic::AtomicUsize;

use ipnet::IpNet;
use portolan_lab::{RouteSocket, namespaced};

use super::*;
use crate::config::NodePortSelection;

/// More changes than the kernel keeps for a reader that does not read.
const FLOOD: usize = 1000;

/// Runs an agent that serves NodePorts on addresses inside two networks, and looks at the
/// real interfaces. The test gets it with the count of its looks.
fn with_agent<F: Future<Output = ()>>(test: impl FnOnce(Harness, Arc<AtomicUsize>) -> F) {
    let networks = vec![network("192.0.2.0/24"), network("2001:db8::/64")];
    let config = Config { node_ports: NodePortSelection::Networks(networks), ..config() };
    with_paused_clock(async {
        let (open, kernel) = fake_backend();
        let looks = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&looks);
        let read: ReadInterfaces = Box::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            node_ports::interface_addresses()
        });
        let mut agent = Harness::start_reading(config, open, kernel, read);
        agent.list().await;
        let first = environment(agent.asked().await);
        assert_eq!(first.node_ports_v4, listed(&[]));
        assert_eq!(first.node_ports_v6, listed(&[]));
        agent.answer(Answer::Succeed);
        test(agent, looks).await;
    });
}

/// What the backend is adapted to in the end: steps between may or may not be seen.
async fn adapted(agent: &mut Harness, v4: &[&str], v6: &[&str]) {
    // Ten seconds on both clocks, before the interval of thirty.
    for _ in 0..10_000 {
        settle().await;
        advance(Duration::from_millis(1)).await;
        if let Ok(asked) = agent.kernel.asked.try_recv() {
            let Asked::Adapt(environment) = asked else { panic!("not adapted but {asked:?}") };
            agent.answer(Answer::Succeed);
            if environment.node_ports_v4 == listed(v4) && environment.node_ports_v6 == listed(v6) {
                return;
            }
        }
    }
    panic!("the backend never heard of {v4:?} {v6:?}");
}

fn network(text: &str) -> IpNet {
    text.parse().unwrap()
}

#[test]
fn an_added_and_a_removed_address_reach_the_backend_without_the_interval() {
    let name = "run::tests::address_events::\
                an_added_and_a_removed_address_reach_the_backend_without_the_interval";
    namespaced(name, || {
        with_agent(|mut agent, _| async move {
            let route = RouteSocket::open().unwrap();
            let (v4, v6) = (network("192.0.2.7/24"), network("2001:db8::7/64"));
            route.add_address("lo", v4).unwrap();
            adapted(&mut agent, &["192.0.2.7"], &[]).await;
            route.add_address("lo", v6).unwrap();
            adapted(&mut agent, &["192.0.2.7"], &["2001:db8::7"]).await;
            route.delete_address("lo", v4).unwrap();
            adapted(&mut agent, &[], &["2001:db8::7"]).await;
            route.delete_address("lo", v6).unwrap();
            adapted(&mut agent, &[], &[]).await;
        });
    });
}

#[test]
fn a_flood_of_changes_is_one_look_and_the_next_change_is_still_announced() {
    let name = "run::tests::address_events::\
                a_flood_of_changes_is_one_look_and_the_next_change_is_still_announced";
    namespaced(name, || {
        with_agent(flood_and_go_on);
    });
}

async fn flood_and_go_on(mut agent: Harness, looks: Arc<AtomicUsize>) {
    let route = RouteSocket::open().unwrap();
    let before = looks.load(Ordering::SeqCst);
    // The agent is on this thread, and reads nothing meanwhile.
    let (comes_and_goes, stays) = (network("192.0.2.8/24"), network("192.0.2.9/24"));
    for _ in 0..FLOOD {
        route.add_address("lo", comes_and_goes).unwrap();
        route.delete_address("lo", comes_and_goes).unwrap();
    }
    route.add_address("lo", stays).unwrap();
    adapted(&mut agent, &["192.0.2.9"], &[]).await;
    for _ in 0..20 {
        advance(Duration::from_millis(100)).await;
        settle().await;
    }
    assert_eq!(looks.load(Ordering::SeqCst), before + 1);
    route.add_address("lo", network("192.0.2.10/24")).unwrap();
    adapted(&mut agent, &["192.0.2.9", "192.0.2.10"], &[]).await;
}
