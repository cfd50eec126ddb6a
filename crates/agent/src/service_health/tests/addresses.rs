//! Where health checks are served.

use portolan_lab::namespaced;

use super::*;

const ANY: ServedOn = ServedOn { v4: NodePortAddresses::Any, v6: NodePortAddresses::Any };

#[tokio::test]
async fn servers_follow_the_addresses_of_the_node() {
    let mut scene = Scene::new();
    scene.change([("web", check(PORT, 1)), ("api", check(PORT + 1, 2))]).await;
    assert_eq!(scene.listeners(), [], "no address is known");
    for (addresses, silent) in [
        (&["127.32.10.1", "127.32.10.2"][..], "127.32.10.3"),
        (&["127.32.10.2", "127.32.10.3"], "127.32.10.1"),
        (&[], "127.32.10.2"),
    ] {
        let before = scene.servers.tasks();
        scene.serve_on(listed(addresses)).await;
        for address in addresses {
            assert_eq!(asked(address, PORT).await, says("web", 1), "{address}");
            assert_eq!(asked(address, PORT + 1).await, says("api", 2), "{address}");
        }
        assert_eq!(asked(silent, PORT).await, None, "{silent}");
        let kept = |(address, _): &&(IpAddr, _)| addresses.contains(&&*address.to_string());
        for task in before[&PORT].iter().filter(kept) {
            assert!(scene.servers.tasks()[&PORT].contains(task), "{task:?} stays");
        }
    }
}

#[test]
fn each_family_has_listeners_of_its_own_if_the_service_has_the_family() {
    namespaced(
        "service_health::tests::addresses::\
         each_family_has_listeners_of_its_own_if_the_service_has_the_family",
        || in_runtime(each_family()),
    );
}

async fn each_family() {
    let both = HealthCheck { port: PORT, local_v4: Some(1), local_v6: Some(2) };
    let four = HealthCheck { local_v6: None, ..both };
    let six = HealthCheck { local_v4: None, ..both };
    let listed = listed(&["127.0.0.1", "::1"]);
    let mut scene = Scene::new();
    for (served_on, name_v4, name_v6) in [(ANY, "0.0.0.0", "::"), (listed, "127.0.0.1", "::1")] {
        scene.serve_on(served_on).await;
        for check in [both, four, six, both] {
            scene.change([("web", Some(check))]).await;
            let expected = |local: Option<usize>| local.and_then(|n| says("web", n as u64));
            assert_eq!(asked("127.0.0.1", PORT).await, expected(check.local_v4), "{check:?}");
            assert_eq!(asked("::1", PORT).await, expected(check.local_v6), "{check:?}");
            let of = |name: &str, local: Option<usize>| local.map(|_| (PORT, name.to_owned()));
            let all = [of(name_v4, check.local_v4), of(name_v6, check.local_v6)];
            assert_eq!(scene.listeners(), all.into_iter().flatten().collect::<Vec<_>>());
        }
    }
    let any_v4 = ServedOn { v4: NodePortAddresses::Any, ..super::listed(&[]) };
    scene.serve_on(any_v4).await;
    assert_eq!(asked("127.99.0.1", PORT).await, says("web", 1), "every address of IPv4");
    assert_eq!(asked("::1", PORT).await, None);
}

fn in_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}
