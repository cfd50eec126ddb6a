//! Session affinity in a real kernel: who keeps whom, for how long, and what ends it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::thread::sleep;
use std::time::Duration;

use portolan_core::{
    Backend as _, Environment, Index, Protocol, Service, ServiceType, SessionAffinity, SyncReport,
    Update,
};
use portolan_lab::{Outcome, Probe, Topology, TopologySpec, namespaced};
use portolan_netlink::nftables::{Batch, Connection, ElementOperation, ElementView, Family};
use portolan_nft::{NftBackend, NftOptions};

const SECONDS: u32 = 2;

/// A node with four endpoints, of which two are its own, and clients, in one family.
struct Lab {
    v6: bool,
    topology: Topology,
    index: Index,
    backend: NftBackend,
    environment: Environment,
}

impl Lab {
    fn new(v6: bool) -> Lab {
        let mut spec = TopologySpec::default();
        for number in 1..5u8 {
            let address = pod(v6, number);
            spec = if number < 3 { spec.pod(address) } else { spec.remote_pod(address) };
            for protocol in [portolan_lab::Protocol::Tcp, portolan_lab::Protocol::Udp] {
                spec = spec.server(address, protocol, 8080);
            }
        }
        for number in 1..13u8 {
            spec = spec.client(client(v6, number));
        }
        let topology = spec.build().unwrap();
        let backend = topology.node().run(|| NftBackend::open(NftOptions::default()).unwrap());
        let environment = common::environment();
        let mut lab = Lab { v6, topology, index: Index::new(common::NODE), backend, environment };
        lab.restart();
        lab
    }

    fn restart(&mut self) -> SyncReport {
        let plans: Vec<_> = self.index.plans().cloned().collect();
        self.topology.node().run(|| {
            self.backend = NftBackend::open(NftOptions::default()).unwrap();
            self.backend.converge(&mut plans.iter(), &self.environment).unwrap()
        })
    }

    fn serve(&mut self, change: impl FnOnce(&mut Service), endpoints: &[u8]) {
        let addresses = if self.v6 { "fd00:172:30::1" } else { "172.30.0.1" };
        let mut service = common::service("web", &[addresses]);
        service.service_type = ServiceType::LoadBalancer;
        service.session_affinity = Some(SessionAffinity { timeout_seconds: SECONDS });
        service.load_balancer_ips = vec![vip(self.v6)];
        let protocol = |name, protocol| common::port(name, protocol, 80, Some(30_080));
        service.ports = vec![protocol("http", Protocol::Tcp), protocol("udp", Protocol::Udp)];
        change(&mut service);
        self.index.apply(Update::ServiceApplied(service));
        let node = |number| if number < 3 { common::NODE } else { "other" };
        let endpoints: Vec<String> =
            endpoints.iter().map(|it| format!("{}@{}", pod(self.v6, *it), node(*it))).collect();
        let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
        let mut slice = common::slice("web", "1", &endpoints);
        let mut udp = slice.ports.first().unwrap().clone();
        (udp.name, udp.protocol) = ("udp".into(), Protocol::Udp);
        slice.ports.push(udp);
        self.index.apply(Update::EndpointSliceApplied(slice));
        self.apply();
    }

    fn apply(&mut self) {
        let changes = self.index.take_changes();
        self.topology.node().run(|| self.backend.apply(&changes).unwrap());
    }

    /// Who answers a client, asked so many times one after the other.
    fn ask(&self, number: u8, protocol: portolan_lab::Protocol, count: usize) -> BTreeSet<IpAddr> {
        let destination = SocketAddr::new(vip(self.v6), 80);
        let probe = Probe::new(client(self.v6, number), protocol, destination);
        let outcome = |_| self.topology.probe(&probe.within(Duration::from_secs(5)));
        let answers = (0..count).map(outcome);
        answers.map(|outcome: Outcome| outcome.endpoint().unwrap().ip()).collect()
    }

    /// Asks until the client is kept by one endpoint, which takes a tick of the kernel's clock.
    fn settle(&self, number: u8) -> IpAddr {
        self.ask(number, portolan_lab::Protocol::Tcp, 1);
        sleep(Duration::from_millis(50));
        only(self.ask(number, portolan_lab::Protocol::Tcp, 8))
    }
}

fn only(answers: BTreeSet<IpAddr>) -> IpAddr {
    assert_eq!(answers.len(), 1, "{answers:?}");
    *answers.first().unwrap()
}

fn address(v6: bool, [v4_prefix, v6_prefix]: [&str; 2], number: u8) -> IpAddr {
    let prefix = if v6 { v6_prefix } else { v4_prefix };
    format!("{prefix}{number}").parse().unwrap()
}

fn pod(v6: bool, number: u8) -> IpAddr {
    address(v6, ["10.180.0.", "fd00:10:180::"], number)
}

fn client(v6: bool, number: u8) -> IpAddr {
    address(v6, ["203.0.113.", "2600:5200::"], number)
}

fn vip(v6: bool) -> IpAddr {
    address(v6, ["1.2.3.", "2001:db8:5::"], 4)
}

fn in_both_families(name: &str, test: impl Fn(Lab)) {
    namespaced(name, || [false, true].into_iter().for_each(|v6| test(Lab::new(v6))));
}

#[test]
fn each_client_keeps_its_endpoint_and_the_clients_are_spread_over_all() {
    in_both_families("each_client_keeps_its_endpoint_and_the_clients_are_spread_over_all", |lab| {
        let mut lab = lab;
        lab.serve(|service| service.session_affinity = Some(long()), &[1, 2, 3, 4]);
        for protocol in [portolan_lab::Protocol::Tcp, portolan_lab::Protocol::Udp] {
            let all: BTreeSet<IpAddr> =
                (1..13).map(|number| only(lab.ask(number, protocol, 8))).collect();
            assert!(all.len() > 1, "{all:?}");
        }
    });
}

fn long() -> SessionAffinity {
    SessionAffinity { timeout_seconds: 10_800 }
}

#[test]
fn a_client_keeps_its_endpoint_while_others_come_and_go_and_the_agent_restarts() {
    let name = "a_client_keeps_its_endpoint_while_others_come_and_go_and_the_agent_restarts";
    in_both_families(name, |mut lab| {
        let sticky = |service: &mut Service| service.session_affinity = Some(long());
        lab.serve(sticky, &[1, 2, 3, 4]);
        let kept = lab.settle(1);
        let number = (1..5).find(|it| pod(lab.v6, *it) == kept).unwrap();
        let others: Vec<u8> = (1..5).filter(|it| *it != number).collect();
        for endpoints in [&[number, others[0]][..], &[number], &[others[2], number, others[1]]] {
            lab.serve(sticky, endpoints);
            assert_eq!(only(lab.ask(1, portolan_lab::Protocol::Tcp, 8)), kept, "{endpoints:?}");
        }
        assert_eq!(lab.restart(), SyncReport::default());
        assert_eq!(only(lab.ask(1, portolan_lab::Protocol::Tcp, 8)), kept);

        lab.index.apply(Update::ServiceApplied(common::service("other", &["172.30.0.9"])));
        lab.apply();
        let no_pods = Environment { local_pods_v4: Default::default(), ..lab.environment.clone() };
        lab.topology.node().run(|| lab.backend.adapt(&no_pods).unwrap());
        assert_eq!(only(lab.ask(1, portolan_lab::Protocol::Tcp, 8)), kept);
    });
}

/// Has others delete the elements of a seat, or of a slot, of all frontends.
fn delete(v6: bool, map: &str, number: u32) {
    let family = if v6 { Family::Ip6 } else { Family::Ip };
    let mut connection = Connection::open().unwrap();
    let mut batch = Batch::new(None);
    for map in [map.to_owned(), format!("node-port-{map}")] {
        let mut keys = Vec::new();
        let visit = &mut |element: ElementView<'_>| keys.push(element.key.to_vec());
        connection.elements(family, "portolan", &map, visit).unwrap();
        keys.retain(|key| key.ends_with(&number.to_ne_bytes()));
        assert!(!keys.is_empty());
        let mut writer = batch.elements(family, "portolan", &map, ElementOperation::Delete);
        keys.iter().for_each(|key| writer.push(key, None, None));
    }
    connection.commit(&mut batch).unwrap();
}

#[test]
fn a_client_keeps_its_endpoint_whichever_element_others_delete() {
    in_both_families("a_client_keeps_its_endpoint_whichever_element_others_delete", |mut lab| {
        let sticky = |service: &mut Service| service.session_affinity = Some(long());
        // So that seats are not in the order of addresses.
        lab.serve(sticky, &[3, 4]);
        lab.serve(sticky, &[1, 2, 3, 4]);
        let kept: Vec<IpAddr> = (1..13).map(|number| lab.settle(number)).collect();
        assert!(BTreeSet::from_iter(&kept).len() > 1, "{kept:?}");
        let first_slot = 1 << 24;
        for (map, number) in
            [("affinity-seats", first_slot), ("affinity-seats", 1), ("affinity-endpoints", 1)]
        {
            lab.topology.node().run(|| delete(lab.v6, map, number));
            let report = lab.restart();
            assert_eq!(report.deleted, 0, "{map} {number}: {report:?}");
            for (client, kept) in (1..13).zip(&kept) {
                let answer = only(lab.ask(client, portolan_lab::Protocol::Tcp, 2));
                assert_eq!(answer, *kept, "{client} {map} {number}");
            }
        }
    });
}

#[test]
fn an_endpoint_that_goes_is_forgotten_at_once_and_its_clients_settle_elsewhere() {
    let name = "an_endpoint_that_goes_is_forgotten_at_once_and_its_clients_settle_elsewhere";
    in_both_families(name, |mut lab| {
        let sticky = |service: &mut Service| service.session_affinity = Some(long());
        lab.serve(sticky, &[1, 2, 3, 4]);
        for number in 1..13 {
            lab.settle(number);
        }
        lab.serve(sticky, &[2, 4]);
        let left = BTreeSet::from([pod(lab.v6, 2), pod(lab.v6, 4)]);
        for number in 1..13 {
            let answers = lab.ask(number, portolan_lab::Protocol::Tcp, 1);
            assert!(answers.is_subset(&left), "{answers:?}");
            assert!(left.contains(&lab.settle(number)));
        }
        // A pod that replaces another inherits its clients.
        lab.serve(sticky, &[2]);
        (1..13).for_each(|number| assert_eq!(lab.settle(number), pod(lab.v6, 2)));
        lab.serve(sticky, &[3]);
        let new = pod(lab.v6, 3);
        (1..13).for_each(|it| assert_eq!(only(lab.ask(it, portolan_lab::Protocol::Tcp, 3)), new));
    });
}

#[test]
fn a_client_that_stays_away_is_forgotten_and_one_that_comes_back_in_time_is_not() {
    let name = "a_client_that_stays_away_is_forgotten_and_one_that_comes_back_in_time_is_not";
    in_both_families(name, |mut lab| {
        lab.serve(|_| {}, &[1, 2, 3, 4]);
        let kept = lab.settle(1);
        // Each connection gives it the full time again.
        for _ in 0..4 {
            sleep(Duration::from_millis(1_000));
            assert_eq!(only(lab.ask(1, portolan_lab::Protocol::Tcp, 1)), kept);
        }
        // One draw of twelve clients is the same as before once in 16 million times.
        let before: Vec<IpAddr> = (1..13).map(|number| lab.settle(number)).collect();
        sleep(Duration::from_millis(u64::from(SECONDS) * 1000 + 300));
        let after: Vec<IpAddr> =
            (1..13).map(|it| only(lab.ask(it, portolan_lab::Protocol::Tcp, 1))).collect();
        assert_ne!(before, after);
    });
}

#[test]
fn with_the_local_policy_outside_clients_stick_to_an_endpoint_of_this_node() {
    let name = "with_the_local_policy_outside_clients_stick_to_an_endpoint_of_this_node";
    in_both_families(name, |mut lab| {
        lab.serve(|_| {}, &[1, 2, 3, 4]);
        for number in 1..13 {
            lab.settle(number);
        }
        // Clients of remote endpoints have to leave them when the policy changes.
        lab.serve(|service| service.external_policy_local = true, &[1, 2, 3, 4]);
        let local = BTreeSet::from([pod(lab.v6, 1), pod(lab.v6, 2)]);
        for number in 1..13 {
            assert!(local.contains(&lab.settle(number)));
        }
    });
}
