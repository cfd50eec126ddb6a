//! The kernel's setting for NodePorts on localhost, in a real network namespace.

use portolan_lab::namespaced;

use super::*;

fn route_localnet() -> String {
    std::fs::read_to_string("/proc/sys/net/ipv4/conf/all/route_localnet").unwrap().trim().to_owned()
}

#[test]
fn localhost_is_opened_only_if_asked_for_and_only_after_a_sync_that_succeeded() {
    let name = "run::tests::localhost::\
                localhost_is_opened_only_if_asked_for_and_only_after_a_sync_that_succeeded";
    namespaced(name, || {
        with_paused_clock(async {
            for wanted in [false, true] {
                sync_twice(wanted).await;
            }
        });
    });
}

/// The first attempt fails.
async fn sync_twice(wanted: bool) {
    assert_eq!(route_localnet(), "0", "what the test starts with");
    let mut agent = Harness::start(Config { localhost_node_ports: wanted, ..config() });
    agent.list().await;
    assert_eq!(environment(agent.asked().await).localhost_node_ports, wanted);
    agent.answer(Answer::Fail);
    while agent.kernel.asked.is_empty() {
        settle().await;
        advance(Duration::from_secs(1)).await;
    }
    assert!(matches!(agent.asked().await, Asked::Converge(..)));
    assert_eq!(route_localnet(), "0", "the rules are not in the kernel");
    agent.answer(Answer::Succeed);
    // The next call shows that the outcome of this one was taken in.
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]));
    assert_eq!(route_localnet(), if wanted { "1" } else { "0" });
    agent.answer(Answer::Succeed);
    agent.stop().await.unwrap();
}
