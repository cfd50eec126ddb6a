//! What the manager does to a kernel whose IPVS is a fake, and whose tables, rules and routes
//! are those of a namespace.

mod afterwards;
mod fake;
mod marks;
mod register;
mod routes;
mod schedulers;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use portolan_core::{
    CheckError, Conditions, Endpoint, EndpointPort, EndpointSlice, Family, Index, Protocol,
    Service, ServicePort, Update,
};
use portolan_lab::namespaced;
use portolan_netlink::ipvs::Server;
use portolan_netlink::nftables::Connection;

use self::fake::FakeKernel;
use super::*;

/// A manager that has begun, with nothing to do.
struct Scene {
    manager: Manager,
    kernel: FakeKernel,
    index: Index,
    environment: Environment,
}

impl Scene {
    fn new() -> Scene {
        let kernel = FakeKernel::default();
        let manager = Manager::with(Box::new(kernel.clone()), &IpvsOptions::default()).unwrap();
        let service_cidrs = vec!["172.16.0.0/12".parse().unwrap()];
        let environment = Environment { service_cidrs, ..Environment::default() };
        let mut index = Index::new("here");
        index.apply(Update::ServicesReset(Vec::new()));
        index.apply(Update::EndpointSlicesReset(Vec::new()));
        let mut scene = Scene { manager, kernel, index, environment };
        scene.converge();
        scene
    }

    /// Reads what there is and begins anew; the table leads nobody where it should not.
    fn converge(&mut self) {
        let plans: Vec<_> = self.index.plans().cloned().collect();
        self.manager.catch_up(&plans, &self.environment).unwrap();
        self.settle();
        self.manager.conclude().unwrap();
    }

    /// What comes before the table is changed, all at once.
    fn before(&mut self, updates: impl IntoIterator<Item = Update>) {
        updates.into_iter().for_each(|update| self.index.apply(update));
        self.manager.change(&self.index.take_changes());
        self.settle();
    }

    /// Returns whether it was told before that servers get another scheduler.
    fn settle(&mut self) -> bool {
        let reschedules = self.manager.reschedules().unwrap();
        self.manager.settle().unwrap();
        reschedules
    }

    /// Follows what a source reports.
    fn update(&mut self, updates: impl IntoIterator<Item = Update>) {
        self.before(updates);
        self.manager.finish().unwrap();
    }

    /// A server's scheduler, and its destinations with their weights.
    fn server(&self, number: u8) -> Option<(String, Vec<(u8, u32)>)> {
        let state = self.kernel.state();
        let (server, destinations) = state.servers.get(&key(number))?;
        let last = |address: &SocketAddr| match address.ip() {
            IpAddr::V4(ip) => ip.octets()[3],
            IpAddr::V6(_) => 0,
        };
        let weights = destinations.iter().map(|(address, weight)| (last(address), *weight));
        Some((server.scheduler.clone(), weights.collect()))
    }
}

/// Of Service `number`, outside of the service networks for some.
fn cluster_ip(number: u8) -> IpAddr {
    match number {
        0..100 => Ipv4Addr::new(172, 16, 0, number),
        _ => Ipv4Addr::new(192, 0, 2, number),
    }
    .into()
}

fn key(number: u8) -> ServerKey {
    let address = SocketAddr::new(cluster_ip(number), 80);
    ServerKey::Address { protocol: Protocol::Tcp.number(), address }
}

fn name(number: u8) -> ObjectName {
    ObjectName::new("default", &format!("service-{number}"))
}

fn service(number: u8, scheduler: Option<&str>) -> Update {
    let port =
        ServicePort { name: "http".into(), protocol: Protocol::Tcp, port: 80, node_port: None };
    Update::ServiceApplied(Service {
        cluster_ips: vec![cluster_ip(number)],
        ports: vec![port],
        ipvs_scheduler: scheduler.map(|text| text.parse().unwrap()),
        ..Service::new(name(number))
    })
}

/// These pods are the endpoints of a Service.
fn serve(number: u8, pods: &[u8]) -> Update {
    let endpoint = |pod: &u8| Endpoint {
        address: Ipv4Addr::new(10, 0, 0, *pod).into(),
        conditions: Conditions::default(),
        node_name: Some("there".into()),
        hints: None,
    };
    Update::EndpointSliceApplied(EndpointSlice {
        name: name(number),
        service: name(number),
        family: Family::V4,
        ports: vec![EndpointPort { name: "http".into(), protocol: Protocol::Tcp, port: 8080 }],
        endpoints: pods.iter().map(endpoint).collect(),
        trigger_time: None,
    })
}

#[test]
fn a_service_comes_drains_and_goes() {
    namespaced("manager::tests::a_service_comes_drains_and_goes", || {
        let mut scene = Scene::new();
        scene.kernel.state().connections = 1;
        scene.update([service(1, None), serve(1, &[1, 2])]);
        assert_eq!(scene.server(1), Some(("rr".to_owned(), vec![(1, 1), (2, 1)])));
        scene.update([serve(1, &[2])]);
        assert_eq!(scene.server(1), Some(("rr".to_owned(), vec![(1, 0), (2, 1)])));
        scene.update([Update::ServiceDeleted(name(1))]);
        assert_eq!(scene.server(1), Some(("rr".to_owned(), vec![(1, 0), (2, 0)])));
        scene.kernel.state().connections = 0;
        scene.manager.release().unwrap();
        assert_eq!(scene.server(1), None);
    });
}

#[test]
fn every_transaction_of_the_register_is_counted() {
    namespaced("manager::tests::every_transaction_of_the_register_is_counted", || {
        let mut connection = Connection::open().unwrap();
        let mut generation = connection.generation().unwrap();
        let mut scene = Scene::new();
        scene.kernel.state().lacks.insert("twos".to_owned());
        let steps: [&[Update]; 4] = [
            &[service(1, None), serve(1, &[1]), service(2, Some("twos")), serve(2, &[1])],
            &[serve(1, &[])],
            &[Update::ServiceDeleted(name(2)), serve(1, &[2])],
            &[Update::ServiceDeleted(name(1))],
        ];
        for (step, updates) in steps.into_iter().enumerate() {
            let counted = scene.manager.take_transactions();
            let now = connection.generation().unwrap();
            assert_eq!(counted, now - generation, "before step {step}");
            generation = now;
            scene.update(updates.to_vec());
            scene.manager.release().unwrap();
        }
        scene.manager.release_to_the_end().unwrap();
        let counted = scene.manager.take_transactions();
        assert!(counted > 0);
        assert_eq!(counted, connection.generation().unwrap() - generation);
    });
}

#[test]
fn what_others_do_to_destinations_is_noticed() {
    namespaced("manager::tests::what_others_do_to_destinations_is_noticed", || {
        let mut scene = Scene::new();
        scene.kernel.state().connections = 1;
        scene.update([service(1, None), serve(1, &[1, 2, 3]), service(2, None), serve(2, &[1])]);
        scene.update([serve(1, &[1, 2])]);
        let pod = |number| SocketAddr::new(Ipv4Addr::new(10, 0, 0, number).into(), 8080);
        // What is added, and the weights of who serves and of who drains.
        for (pod, weight) in [(pod(9), 1), (pod(2), 0), (pod(3), 5)] {
            let before = scene.server(1);
            scene.manager.compare_some().unwrap();
            assert!(scene.manager.is_undisturbed().unwrap());
            scene.kernel.state().servers.get_mut(&key(1)).unwrap().1.insert(pod, weight);
            scene.manager.compare_some().unwrap();
            assert!(!scene.manager.is_undisturbed().unwrap(), "{pod} {weight}");
            scene.converge();
            if scene.server(1) != before {
                assert_eq!(scene.server(1).unwrap().1.last(), Some(&(9, 0)), "{pod} {weight}");
            }
        }
        scene.kernel.state().servers.get_mut(&key(2)).unwrap().1.clear();
        scene.manager.compare_some().unwrap();
        assert!(!scene.manager.is_undisturbed().unwrap());
        scene.converge();
        assert_eq!(scene.server(2).unwrap().1, [(1, 1)]);
    });
}

#[test]
fn a_server_that_another_program_gives_up_is_noticed_where_a_service_waits_for_it() {
    let name = "manager::tests::\
                a_server_that_another_program_gives_up_is_noticed_where_a_service_waits_for_it";
    namespaced(name, || {
        let mut scene = Scene::new();
        for number in [1, 2] {
            let (scheduler, flags, persistence) = ("wlc".to_owned(), 0, None);
            let theirs = Server { key: key(number), scheduler, flags, persistence };
            scene.kernel.state().servers.insert(key(number), (theirs, Default::default()));
        }
        scene.update([service(1, None), serve(1, &[1])]);
        assert_eq!(scene.server(1).unwrap().0, "wlc");
        scene.kernel.state().servers.remove(&key(2));
        assert!(scene.manager.is_undisturbed().unwrap());
        scene.kernel.state().servers.remove(&key(1));
        assert!(!scene.manager.is_undisturbed().unwrap());
        scene.converge();
        assert_eq!(scene.server(1), Some(("rr".to_owned(), vec![(1, 1)])));
    });
}

#[test]
fn who_still_uses_what_drains_can_be_looked_at_again_and_a_change_that_failed_is_in_doubt() {
    let name = "manager::tests::\
                who_still_uses_what_drains_can_be_looked_at_again_and_a_change_that_failed_is_in_doubt";
    namespaced(name, || {
        let mut scene = Scene::new();
        scene.kernel.state().connections = 1;
        scene.update([service(1, None), serve(1, &[1, 2])]);
        scene.update([serve(1, &[2])]);
        scene.kernel.state().connections = 0;

        scene.kernel.state().is_unreadable = true;
        let unread = scene.manager.release().unwrap_err();
        assert!(matches!(unread, CheckError::Unread(_)), "{unread:?}");
        scene.kernel.state().is_unreadable = false;
        scene.update([serve(1, &[2, 3])]);
        assert_eq!(scene.server(1).unwrap().1, [(1, 0), (2, 1), (3, 1)], "changes go on");

        scene.kernel.state().is_silent = true;
        let in_doubt = scene.manager.release().unwrap_err();
        assert!(matches!(in_doubt, CheckError::InDoubt(_)), "{in_doubt:?}");
        scene.kernel.state().is_silent = false;
        scene.converge();
        scene.manager.release().unwrap();
        assert_eq!(scene.server(1).unwrap().1, [(2, 1), (3, 1)]);
    });
}
