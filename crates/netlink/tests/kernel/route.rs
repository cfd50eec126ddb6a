//! Rules and routes in a real kernel, and packets that follow them.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use ipnet::IpNet;
use nix::sys::socket::{setsockopt, sockopt};
use portolan_lab::{Namespace, TopologySpec, namespaced};
use portolan_netlink::nftables::{
    BaseChain, ChainKind, Expression, Hook, MetaKey, Policy, Register, Rule,
};
use portolan_netlink::route::{LocalRoute, Operation, PolicyRule, Routing};

use super::*;

const ROUTES: u32 = 1000;
const MARK: u32 = 0x4000;
/// A network, an address in it, and where a server listens.
const FAMILIES: [(Family, &str, &str, &str); 2] = [
    (Family::Ip, "10.96.0.0/16", "10.96.3.4", "0.0.0.0:0"),
    (Family::Ip6, "fd00:96::/112", "fd00:96::304", "[::]:0"),
];

fn rule(v6: bool) -> PolicyRule {
    PolicyRule { v6, priority: 90, mark: MARK, mask: MARK, table: ROUTES }
}

fn route(network: &str) -> LocalRoute {
    LocalRoute { network: network.parse().unwrap(), table: ROUTES }
}

fn execute(routing: &mut Routing, operations: &[Operation]) {
    assert_eq!(routing.execute(operations).unwrap(), []);
}

/// The rules and the routes to the networks of [`FAMILIES`].
fn set_up(routing: &mut Routing) {
    let mut operations = vec![Operation::AddRule(rule(false)), Operation::AddRule(rule(true))];
    operations.extend(FAMILIES.map(|(_, network, ..)| Operation::AddRoute(route(network))));
    execute(routing, &operations);
}

fn listed(routing: &mut Routing, table: u32) -> Vec<LocalRoute> {
    let mut routes = routing.routes(table).unwrap();
    routes.sort();
    routes
}

#[test]
fn rules_and_routes_are_listed_as_they_were_written() {
    namespaced("route::rules_and_routes_are_listed_as_they_were_written", || {
        let mut routing = Routing::open().unwrap();
        let first = PolicyRule { priority: 1, mark: 1, mask: u32::MAX, table: 1, v6: false };
        let second = PolicyRule { priority: 7, mark: 0, mask: 0xff00, table: u32::MAX, v6: false };
        let [fourth, fifth] = [first, second].map(|rule| PolicyRule { v6: true, ..rule });
        let rules = [first, second, rule(false), fourth, fifth, rule(true)];
        let networks = [
            "0.0.0.0/0",
            "10.96.0.0/12",
            "10.96.0.1/32",
            "192.0.2.0/25",
            "::/0",
            "fd00:96::/108",
            "fd00:96::1/128",
        ];
        for table in [7, 255 + 1, ROUTES, u32::MAX] {
            let at = |network: &str| LocalRoute { network: network.parse().unwrap(), table };
            let mut routes = networks.map(at);
            routes.sort();
            assert_eq!(listed(&mut routing, table), [], "there is no such table");
            // What is there may be added, and what is gone may be deleted.
            for _ in 0..2 {
                execute(&mut routing, &rules.map(Operation::AddRule));
                execute(&mut routing, &routes.map(Operation::AddRoute));
                assert_eq!(routing.rules().unwrap(), rules);
                assert_eq!(listed(&mut routing, table), routes);
            }
            for _ in 0..2 {
                execute(&mut routing, &routes.map(Operation::DeleteRoute));
                assert_eq!(listed(&mut routing, table), []);
                execute(&mut routing, &rules.map(Operation::DeleteRule));
                assert_eq!(routing.rules().unwrap(), []);
            }
        }
    });
}

#[test]
fn rules_that_differ_in_one_number_are_different_rules() {
    namespaced("route::rules_that_differ_in_one_number_are_different_rules", || {
        let mut routing = Routing::open().unwrap();
        for v6 in [false, true] {
            let plain = rule(v6);
            let others = [
                PolicyRule { priority: plain.priority + 1, ..plain },
                PolicyRule { mark: 0x8000, mask: 0x8000, ..plain },
                PolicyRule { mask: 0xff00, ..plain },
                PolicyRule { table: 1001, ..plain },
                PolicyRule { v6: !v6, ..plain },
            ];
            execute(&mut routing, &[Operation::AddRule(plain)]);
            for other in others {
                execute(&mut routing, &[Operation::DeleteRule(other)]);
                assert_eq!(routing.rules().unwrap(), [plain], "{other}");
                execute(&mut routing, &[Operation::AddRule(other)]);
                assert_eq!(routing.rules().unwrap().len(), 2, "{other}");
                execute(&mut routing, &[Operation::DeleteRule(other)]);
            }
            execute(&mut routing, &[Operation::DeleteRule(plain)]);
        }
    });
}

fn send(socket: &UdpSocket, text: &str, to: SocketAddr) -> std::io::Result<usize> {
    socket.send_to(text.as_bytes(), to)
}

/// The next datagram.
fn received(socket: &UdpSocket) -> String {
    let mut buffer = [0; 16];
    let length = socket.recv(&mut buffer).unwrap();
    String::from_utf8(buffer.get(..length).unwrap().to_vec()).unwrap()
}

fn nothing_is_left(socket: &UdpSocket) {
    socket.set_nonblocking(true).unwrap();
    assert_eq!(socket.recv(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn this_node_reaches_itself_at_a_routed_address_by_marked_packets_alone() {
    let name = "route::this_node_reaches_itself_at_a_routed_address_by_marked_packets_alone";
    namespaced(name, || {
        let mut routing = Routing::open().unwrap();
        set_up(&mut routing);
        for (_, network, address, any) in FAMILIES {
            let server = UdpSocket::bind(any).unwrap();
            let port = server.local_addr().unwrap().port();
            let to = SocketAddr::new(address.parse().unwrap(), port);
            let client = UdpSocket::bind(any).unwrap();
            let unreachable = |client: &UdpSocket| {
                let error = send(client, "unmarked", to).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::NetworkUnreachable, "{to}: {error}");
            };
            unreachable(&client);
            setsockopt(&client, sockopt::Mark, &(MARK | 1)).unwrap();
            send(&client, "marked", to).unwrap();
            assert_eq!(received(&server), "marked");
            execute(&mut routing, &[Operation::DeleteRoute(route(network))]);
            unreachable(&client);
            nothing_is_left(&server);
        }
    });
}

/// Marks all packets that come in.
fn mark_everything(family: Family) {
    let mut batch = Batch::new(None);
    batch.add_table(family, &Table { name: TABLE.to_owned(), ..Table::default() });
    let base = BaseChain {
        kind: ChainKind::Filter,
        hook: Hook::Prerouting,
        priority: -150,
        policy: Policy::Accept,
    };
    batch.add_chain(
        family,
        TABLE,
        &Chain { name: "in".to_owned(), base: Some(base), comment: None },
    );
    let register = Register::Word(0);
    let expressions = vec![
        Expression::Immediate { register, value: MARK.to_ne_bytes().to_vec() },
        Expression::MetaSet { key: MetaKey::Mark, register },
    ];
    batch.add_rule(family, TABLE, "in", &Rule { expressions, comment: None });
    Connection::open().unwrap().commit(&mut batch).unwrap();
}

#[test]
fn others_reach_a_routed_address_by_packets_that_are_marked_before_routing_alone() {
    let name =
        "route::others_reach_a_routed_address_by_packets_that_are_marked_before_routing_alone";
    namespaced(name, || {
        let clients: [IpAddr; 2] =
            ["203.0.113.2", "2600:5200::1"].map(|address| address.parse().unwrap());
        let spec = clients.into_iter().fold(TopologySpec::default(), TopologySpec::client);
        let lab = spec.build().unwrap();
        lab.node().run(|| set_up(&mut Routing::open().unwrap()));
        for ((family, _, address, any), client) in FAMILIES.into_iter().zip(clients) {
            let server = lab.node().run(|| UdpSocket::bind(any).unwrap());
            let port = server.local_addr().unwrap().port();
            let to = SocketAddr::new(address.parse().unwrap(), port);
            let client: &Namespace = lab.host_of(client).unwrap();
            let socket = client.run(|| UdpSocket::bind(any).unwrap());
            send(&socket, "unmarked", to).unwrap();
            lab.node().run(|| mark_everything(family));
            send(&socket, "marked", to).unwrap();
            assert_eq!(received(&server), "marked", "{to}");
            nothing_is_left(&server);
        }
    });
}

#[test]
fn thousands_of_routes_are_written_and_listed_each_once() {
    namespaced("route::thousands_of_routes_are_written_and_listed_each_once", || {
        let mut routing = Routing::open().unwrap();
        let routes: Vec<LocalRoute> = (0..10_000_u32)
            .flat_map(|number| {
                let v6 = 0xfd_u128 << 120 | u128::from(number);
                [(0x0a60_0000 | number).to_be_bytes().into(), v6.to_be_bytes().into()]
            })
            .map(|address: IpAddr| LocalRoute { network: IpNet::from(address), table: ROUTES })
            .collect();
        let mut sorted = routes.clone();
        sorted.sort();
        let add: Vec<_> = routes.iter().copied().map(Operation::AddRoute).collect();
        let delete: Vec<_> = routes.iter().copied().map(Operation::DeleteRoute).collect();
        for _ in 0..2 {
            execute(&mut routing, &add);
            assert!(listed(&mut routing, ROUTES) == sorted, "all are there, each once");
        }
        execute(&mut routing, &delete[..10_000]);
        assert!(listed(&mut routing, ROUTES).len() == 10_000);
        for _ in 0..2 {
            execute(&mut routing, &delete);
            assert_eq!(listed(&mut routing, ROUTES), []);
        }
    });
}

#[test]
fn where_ipv6_is_disabled_the_refusal_says_so_and_ipv4_is_routed() {
    namespaced("route::where_ipv6_is_disabled_the_refusal_says_so_and_ipv4_is_routed", || {
        let node = Namespace::new("node").unwrap();
        node.set_sysctl("net.ipv6.conf.all.disable_ipv6", "1").unwrap();
        node.run(|| {
            let mut routing = Routing::open().unwrap();
            // Every third one is IPv6.
            let routes: Vec<LocalRoute> = (0..1000)
                .map(|number| match number % 3 {
                    0 => route(&format!("fd00:96::{number:x}/128")),
                    _ => route(&format!("10.96.{}.{}/32", number / 256, number % 256)),
                })
                .collect();
            let add: Vec<_> = routes.iter().copied().map(Operation::AddRoute).collect();
            let failures = routing.execute(&add).unwrap();
            assert!(failures.iter().map(|failure| failure.index).eq((0..1000).step_by(3)));
            for failure in &failures {
                assert_eq!(failure.refusal.operation, add[failure.index].to_string());
            }
            let text = failures[0].refusal.to_string();
            assert_eq!(
                text,
                "cannot add the local route to fd00:96::/128 in table 1000: EACCES: Permission \
                 denied: IPv6 is disabled on nexthop device; IPv6 is disabled on lo: the sysctls \
                 net.ipv6.conf.all.disable_ipv6 and net.ipv6.conf.lo.disable_ipv6 must be 0"
            );
            assert_eq!(listed(&mut routing, ROUTES).len(), 1000 - failures.len());
            let delete: Vec<_> = routes.iter().copied().map(Operation::DeleteRoute).collect();
            execute(&mut routing, &delete);
            assert_eq!(listed(&mut routing, ROUTES), []);
        });
    });
}
