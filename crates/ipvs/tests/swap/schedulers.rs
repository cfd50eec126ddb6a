//! Schedulers that Services choose, in the kernel.

use std::time::Duration;

use portolan_core::{
    Backend as _, IpvsScheduler, ObjectName, Protocol, Service, ServicePort, Update,
};
use portolan_ipvs::Mode;
use portolan_lab::namespaced_as_superuser;
use portolan_netlink::ipvs::{Ipvs, Operation, Server, ServerKey};

use crate::node::{Clients, Node};

const LONG: Duration = Duration::from_secs(600);

/// What a Service can ask for, and what the kernel then has to list: flags. Those that hash
/// the client fall back, asked to or not.
pub(crate) fn wishes() -> Vec<(String, u32)> {
    let of_name = |name| (name, if ["sh", "mh"].contains(&name) { 0x8 } else { 0 });
    let owned = |(name, flags): (&str, u32)| (name.to_owned(), flags);
    let mut wishes: Vec<(String, u32)> = IpvsScheduler::names().map(of_name).map(owned).collect();
    for name in ["sh", "mh"] {
        wishes.push((format!("{name},{name}-fallback"), 0x8));
        wishes.push((format!("{name},{name}-port"), 0x18));
        wishes.push((format!("{name},{name}-port,{name}-fallback"), 0x18));
    }
    wishes
}

/// Name and flags of all virtual servers, each once.
pub(crate) fn listed(node: &Node) -> Vec<(String, u32)> {
    let servers = node.run(|| Ipvs::open().unwrap().servers().unwrap());
    let mut listed: Vec<_> = servers.into_iter().map(|it| (it.scheduler, it.flags)).collect();
    listed.sort();
    listed.dedup();
    listed
}

/// Whether this kernel has a scheduler: asked past the backend, and nothing is left of it.
fn kernel_has(node: &Node, scheduler: &str) -> bool {
    let key = ServerKey::Address { protocol: 6, address: "192.0.2.7:7".parse().unwrap() };
    let server = Server { key, scheduler: scheduler.to_owned(), flags: 0, persistence: None };
    node.run(|| {
        let mut ipvs = Ipvs::open().unwrap();
        let refused = ipvs.execute(&[Operation::AddServer(server)]).unwrap();
        ipvs.execute(&[Operation::DeleteServer(key)]).unwrap();
        assert!(refused.iter().all(|it| it.refusal.lacks_scheduler()), "{refused:?}");
        refused.is_empty()
    })
}

#[test]
fn every_scheduler_is_changed_in_place_under_connections_that_go_on() {
    let name = "schedulers::every_scheduler_is_changed_in_place_under_connections_that_go_on";
    namespaced_as_superuser(name, || {
        for v6 in [false, true] {
            let mut node = Node::start(v6, Mode::Ipvs, LONG);
            let mut clients = Clients::connect(&node, 10, 5);
            for (text, flags) in wishes() {
                let name = text.split(',').next().unwrap().to_owned();
                node.choose(Some(&text));
                let has = kernel_has(&node, &name);
                let expected = if has { (name, flags) } else { ("rr".to_owned(), 0) };
                assert_eq!(listed(&node), [expected], "{text}");
                clients.talk(&format!("with {text}"));
                assert!(node.is_new_connection_with_ipvs(), "{text}");
                assert_eq!(node.backend.problems().len(), usize::from(!has), "{text}");
                assert_eq!(node.restart(Mode::Ipvs), 0, "{text}");
            }
            node.choose(None);
            assert_eq!(listed(&node), [("rr".to_owned(), 0)]);
            clients.talk("at the end");
        }
    });
}

#[test]
fn where_the_kernel_lacks_a_scheduler_that_of_the_node_serves_and_the_module_is_named() {
    let name = "schedulers::where_the_kernel_lacks_a_scheduler_that_of_the_node_serves_and_the_module_is_named";
    namespaced_as_superuser(name, || {
        let mut node = Node::start(false, Mode::Ipvs, LONG);
        let mut clients = Clients::connect(&node, 10, 0);
        if kernel_has(&node, "twos") {
            node.choose(Some("twos"));
            assert_eq!(listed(&node), [("twos".to_owned(), 0)]);
            assert_eq!(node.backend.problems(), Vec::<String>::new());
            return;
        }
        node.choose(Some("wlc"));
        // The table has chains for both counts from the first time on.
        let [_, usual] = [(); 2].map(|()| {
            node.serve(&[1, 2]);
            node.serve(&[1, 2, 3]).added
        });
        node.choose(Some("twos"));
        assert_eq!(listed(&node), [("rr".to_owned(), 0)]);
        let [problem] = <[String; 1]>::try_from(node.backend.problems()).unwrap();
        assert!(problem.contains("`modprobe ip_vs_twos`"), "{problem}");
        clients.talk("with the scheduler of the node");

        // It is not asked for again with every event.
        node.serve(&[1, 2]);
        assert_eq!(node.serve(&[1, 2, 3]).added, usual);
        assert_eq!(node.answers().len(), 3);

        // It is when everything is looked at, and forgotten when nobody asks for it.
        node.converge();
        assert_eq!(node.backend.problems(), [problem]);
        assert_eq!(listed(&node), [("rr".to_owned(), 0)]);
        node.choose(None);
        assert_eq!(node.backend.problems(), Vec::<String>::new());
        clients.talk("at the end");
    });
}

#[test]
fn a_service_without_endpoints_that_asks_for_a_missing_scheduler_keeps_no_other_from_ipvs() {
    let name = "schedulers::a_service_without_endpoints_that_asks_for_a_missing_scheduler_keeps_no_other_from_ipvs";
    namespaced_as_superuser(name, || {
        let mut node = Node::start(false, Mode::Nftables, LONG);
        // Its virtual server would come before all others.
        let port =
            ServicePort { name: "tcp".into(), protocol: Protocol::Tcp, port: 80, node_port: None };
        node.update(Update::ServiceApplied(Service {
            cluster_ips: vec!["1.0.0.1".parse().unwrap()],
            ports: vec![port],
            ipvs_scheduler: Some("twos".parse().unwrap()),
            ..Service::new(ObjectName::new("default", "a"))
        }));
        node.choose(Some("twos"));
        node.switch(Mode::Ipvs).unwrap();
        let expected = if kernel_has(&node, "twos") { "twos" } else { "rr" };
        for when in ["after the change", "after everything was looked at"] {
            assert_eq!(listed(&node), [(expected.to_owned(), 0)], "{when}");
            assert!(node.is_new_connection_with_ipvs(), "{when}");
            assert_eq!(node.answers().len(), 4, "{when}");
            node.converge();
        }
    });
}

#[test]
fn a_scheduler_that_others_changed_is_put_right() {
    let name = "schedulers::a_scheduler_that_others_changed_is_put_right";
    namespaced_as_superuser(name, || {
        let mut node = Node::start(false, Mode::Ipvs, LONG);
        node.choose(Some("mh,mh-port"));
        let mut clients = Clients::connect(&node, 10, 5);
        for (scheduler, flags) in [("wlc", 0), ("mh", 0), ("mh", 0x8)] {
            node.run(|| {
                let mut ipvs = Ipvs::open().unwrap();
                let changed = ipvs.servers().unwrap().into_iter().map(|server| {
                    let scheduler = scheduler.to_owned();
                    Operation::ChangeServer(Server { scheduler, flags, ..server })
                });
                assert_eq!(ipvs.execute(&changed.collect::<Vec<_>>()).unwrap(), []);
            });
            assert_eq!(listed(&node), [(scheduler.to_owned(), flags)]);
            node.converge();
            assert_eq!(listed(&node), [("mh".to_owned(), 0x18)]);
            clients.talk("afterwards");
        }
    });
}

#[test]
fn a_node_whose_own_scheduler_is_missing_says_so_and_changes_nothing() {
    let name = "schedulers::a_node_whose_own_scheduler_is_missing_says_so_and_changes_nothing";
    namespaced_as_superuser(name, || {
        let mut node = Node::start(false, Mode::Nftables, LONG);
        node.set_scheduler("nonesuch", Mode::Nftables);
        let refused = node.switch(Mode::Ipvs).unwrap_err().to_string();
        assert!(refused.contains("no scheduler nonesuch"), "{refused}");
        node.converge();
        assert!(!node.is_new_connection_with_ipvs());
        assert_eq!(node.answers().len(), 4);
    });
}
