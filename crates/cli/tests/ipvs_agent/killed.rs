//! An agent that is killed while the backend changes.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use portolan_agent::config::BackendKind;
use portolan_agent::control::{Request, query};
use portolan_lab::namespaced_as_superuser;

use crate::foreign::Foreign;
use crate::kernel::Kernel;
use crate::node::{LONG, Node, other, served};

/// When the agent is killed, in milliseconds after the change is asked for.
const MOMENTS: [u64; 5] = [0, 1, 5, 20, 50];
/// The same as a share of what a change takes on this machine.
const SHARES: [f64; 2] = [0.5, 0.9];

/// The kernel as agents leave it that nobody kills.
struct Clean {
    ipvs: Kernel,
    nftables: Kernel,
    /// How long changes to each take.
    took: [Duration; 2],
}

impl Clean {
    /// Learns it, and leaves IPVS with connections.
    fn of(node: &Node) -> Clean {
        let change = |to| {
            let begin = Instant::now();
            query(&node.path("control.sock"), Request::Switch(to)).unwrap();
            (begin.elapsed(), Kernel::ours(node))
        };
        let (to_ipvs, ipvs) = change(BackendKind::Ipvs);
        let (to_nftables, nftables) = change(BackendKind::Nftables);
        // It may have let go of some already.
        let nftables = nftables.draining_all_of(&ipvs);
        Clean { ipvs, nftables, took: [to_ipvs, to_nftables] }
    }

    /// Moments within a change, for changes to IPVS and to nftables.
    fn moments(&self) -> impl Iterator<Item = [Duration; 2]> {
        let shares = SHARES.map(|share| self.took.map(|took| took.mul_f64(share)));
        MOMENTS.into_iter().map(|it| [Duration::from_millis(it); 2]).chain(shares)
    }

    fn holds(&self, node: &Node, backend: &str, when: &str) {
        let now = Kernel::ours(node);
        match backend {
            "ipvs" => assert_eq!(now, self.ipvs, "{when}"),
            _ => now.is_no_more_than(&self.nftables, when),
        }
    }
}

#[test]
fn whenever_an_agent_is_killed_the_next_one_makes_everything_clean_and_no_client_notices() {
    let name = "killed::whenever_an_agent_is_killed_the_next_one_makes_everything_clean_and_no_client_notices";
    namespaced_as_superuser(name, || {
        let mut node = Node::serving("ipvs", LONG);
        let foreign = Foreign::make(&node);
        let fresh = Kernel::ours(&node);
        let mut clients = vec![node.clients(10, 10)];
        assert!(node.switch("nftables").status.success());
        clients.push(node.clients(10, 10));
        let clean = Clean::of(&node);
        assert_eq!(clean.ipvs, fresh, "a change leaves what a start makes");
        let new_connections = node.new_connections();
        let mut backend = "nftables";
        for [to_ipvs, to_nftables] in clean.moments() {
            // From both backends, and to both: every other moment begins with the other one.
            for changes in [true, false] {
                let to = other(backend);
                let moment = if to == "ipvs" { to_ipvs } else { to_nftables };
                ask_for(&node, to);
                thread::sleep(moment);
                node.kill();
                let next = if changes { to } else { backend };
                node.start(&[&["--backend", next], LONG].concat());
                let when = format!("{backend} to {to}, killed after {moment:?}, then {next}");
                clean.holds(&node, next, &when);
                clients.iter_mut().for_each(|some| some.talk(&when));
                node.new_connections_go_through(next, &when);
                backend = next;
            }
        }
        served(new_connections, 100);
        foreign.is_untouched(&node);
        nothing_is_left(&mut node);
        foreign.is_untouched(&node);
    });
}

/// Asks as `portolan switch` does, and does not wait for an answer.
fn ask_for(node: &Node, to: &str) {
    let mut socket = UnixStream::connect(node.path("control.sock")).unwrap();
    writeln!(socket, "{{\"version\":1,\"request\":{{\"switch\":\"{to}\"}}}}").unwrap();
}

/// Once IPVS is given up the node is as if it had never been there.
fn nothing_is_left(node: &mut Node) {
    node.stop();
    node.start(&["--backend=nftables", "--drain-timeout=1s"]);
    node.until("IPVS has nothing of ours", |node| (!Kernel::ours(node).has_ipvs()).then_some(()));
    let left = Kernel::ours(node);
    node.stop();
    let cleanup = node.portolan("cleanup");
    let removed = node.topology.node().spawn(cleanup).unwrap().child().wait().unwrap();
    assert!(removed.success());
    assert_eq!(Kernel::ours(node).tables.len(), 0);
    node.start(&["--backend=nftables"]);
    assert_eq!(left, Kernel::ours(node), "a fresh start");
}
