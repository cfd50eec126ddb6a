//! IPVS in a real kernel: what is written is what is listed, and refusals name the request.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::net::SocketAddr;

use nix::errno::Errno;
use portolan_lab::namespaced_as_superuser;
use portolan_netlink::ipvs::{Destination, Ipvs, Operation, Server, ServerKey, Timeouts};

const TCP: u8 = 6;
const UDP: u8 = 17;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn key(protocol: u8, text: &str) -> ServerKey {
    ServerKey::Address { protocol, address: address(text) }
}

fn server(key: ServerKey, scheduler: &str) -> Server {
    Server { key, scheduler: scheduler.to_owned(), flags: 0, persistence: None }
}

fn destination(text: &str, weight: u32) -> Destination {
    Destination { address: address(text), weight }
}

/// One of each kind that we use.
fn servers() -> Vec<Server> {
    vec![
        server(key(TCP, "10.96.0.1:443"), "rr"),
        Server { persistence: Some(10_800), ..server(key(UDP, "10.96.0.10:53"), "wrr") },
        Server { flags: 0x10, ..server(key(TCP, "[fd00:96::1]:443"), "mh") },
        server(ServerKey::Mark { mark: 0x4_0001, v6: false }, "rr"),
        server(ServerKey::Mark { mark: 0x4_0001, v6: true }, "rr"),
    ]
}

fn execute(ipvs: &mut Ipvs, operations: &[Operation]) {
    assert_eq!(ipvs.execute(operations).unwrap(), []);
}

fn listed(ipvs: &mut Ipvs) -> Vec<Server> {
    ipvs.servers().unwrap()
}

#[test]
fn servers_and_destinations_are_listed_as_they_were_written() {
    namespaced_as_superuser("servers_and_destinations_are_listed_as_they_were_written", || {
        let mut ipvs = Ipvs::open().unwrap();
        let mut wanted = servers();
        let add: Vec<Operation> = wanted.iter().cloned().map(Operation::AddServer).collect();
        execute(&mut ipvs, &add);
        // Linux 7.2 has no table before the first server.
        assert!(ipvs.info().unwrap().table_size > 0);
        wanted.sort();
        assert_eq!(listed(&mut ipvs), wanted);
        for server in &wanted {
            let v6 = is_v6(&server.key);
            let pods =
                if v6 { ["[fd00::1]:80", "[fd00::2]:80"] } else { ["10.0.0.1:80", "10.0.0.2:80"] };
            let pods = [destination(pods[0], 1), destination(pods[1], 0)];
            execute(&mut ipvs, &pods.map(|pod| Operation::AddDestination(server.key, pod)));
            let mut found = ipvs.destinations(&server.key).unwrap();
            found.sort_by_key(|state| state.destination);
            assert!(found.iter().all(|state| state.plain && state.active == 0), "{found:?}");
            let found: Vec<Destination> = found.iter().map(|state| state.destination).collect();
            assert_eq!(found, pods, "{}", server.key);
        }
    });
}

fn is_v6(key: &ServerKey) -> bool {
    match key {
        ServerKey::Address { address, .. } => address.is_ipv6(),
        ServerKey::Mark { v6, .. } => *v6,
    }
}

#[test]
fn schedulers_persistence_and_weights_change_in_place() {
    namespaced_as_superuser("schedulers_persistence_and_weights_change_in_place", || {
        let mut ipvs = Ipvs::open().unwrap();
        let web = key(TCP, "10.96.0.1:80");
        let schedulers =
            ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh"];
        execute(&mut ipvs, &[Operation::AddServer(server(web, "rr"))]);
        execute(&mut ipvs, &[Operation::AddDestination(web, destination("10.0.0.1:80", 1))]);
        for scheduler in schedulers {
            for persistence in [None, Some(60)] {
                let wanted = Server { persistence, ..server(web, scheduler) };
                execute(&mut ipvs, &[Operation::ChangeServer(wanted.clone())]);
                assert_eq!(listed(&mut ipvs), [wanted]);
            }
        }
        for weight in [0, 7, 1] {
            let pod = destination("10.0.0.1:80", weight);
            execute(&mut ipvs, &[Operation::ChangeDestination(web, pod)]);
            assert_eq!(ipvs.destinations(&web).unwrap()[0].destination, pod);
        }
        let gone = Operation::DeleteDestination(web, address("10.0.0.1:80"));
        execute(&mut ipvs, &[gone, Operation::DeleteServer(web)]);
        assert_eq!(listed(&mut ipvs), []);
        assert_eq!(ipvs.destinations(&web).unwrap(), [], "of a server that does not exist");
    });
}

#[test]
fn a_refused_request_is_named_and_the_others_are_done() {
    namespaced_as_superuser("a_refused_request_is_named_and_the_others_are_done", || {
        let mut ipvs = Ipvs::open().unwrap();
        let at = |number: u16| key(TCP, &format!("10.96.0.1:{number}"));
        // Every third one comes twice.
        let mut operations = Vec::new();
        for number in 1..=1000 {
            operations.push(Operation::AddServer(server(at(number), "rr")));
            if number % 3 == 0 {
                operations.push(Operation::AddServer(server(at(number), "rr")));
            }
        }
        let failures = ipvs.execute(&operations).unwrap();
        assert_eq!(failures.len(), 333);
        for failure in &failures {
            assert_eq!(failure.refusal.errno, Errno::EEXIST);
            let operation = operations[failure.index].to_string();
            assert_eq!(failure.refusal.operation, operation);
            assert_eq!(operations[failure.index], operations[failure.index - 1]);
        }
        let listed: Vec<ServerKey> = ipvs.servers().unwrap().iter().map(|it| it.key).collect();
        let missing: Vec<ServerKey> =
            (1..=1000).map(at).filter(|key| !listed.contains(key)).collect();
        assert_eq!(missing, [], "{} are listed", listed.len());

        let unknown = Operation::AddServer(server(at(2000), "nonesuch"));
        let failure = ipvs.execute(&[unknown]).unwrap().remove(0);
        assert!(failure.refusal.to_string().contains("ip_vs_SCHEDULER"), "{}", failure.refusal);
        let nowhere = Operation::AddDestination(at(2000), destination("10.0.0.1:80", 1));
        assert_eq!(ipvs.execute(&[nowhere]).unwrap()[0].refusal.errno, Errno::ESRCH);
    });
}

#[test]
fn a_scheduler_is_looked_for_without_a_virtual_server() {
    namespaced_as_superuser("a_scheduler_is_looked_for_without_a_virtual_server", || {
        let mut ipvs = Ipvs::open().unwrap();
        for (name, lacks) in [("rr", false), ("nonesuch", true), ("wlc", false), ("", true)] {
            assert_eq!(ipvs.lacks_scheduler(name).unwrap(), lacks, "{name:?}");
            assert_eq!(listed(&mut ipvs), []);
        }
    });
}

#[test]
fn timeouts_are_read_as_they_were_set_and_zero_leaves_them() {
    namespaced_as_superuser("timeouts_are_read_as_they_were_set_and_zero_leaves_them", || {
        let mut ipvs = Ipvs::open().unwrap();
        ipvs.set_timeouts(Timeouts { tcp: 600, tcp_fin: 30, udp: 40 }).unwrap();
        ipvs.set_timeouts(Timeouts { tcp: 0, tcp_fin: 0, udp: 50 }).unwrap();
        let found = ipvs.timeouts().unwrap();
        assert_eq!(found, Timeouts { tcp: 600, tcp_fin: 30, udp: 50 });
    });
}
