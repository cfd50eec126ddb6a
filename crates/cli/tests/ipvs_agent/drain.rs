//! The end of what drains.

use portolan_lab::namespaced_as_superuser;

use crate::foreign::Foreign;
use crate::kernel::Kernel;
use crate::node::Node;

#[test]
fn connections_of_both_protocols_may_stay_until_the_deadline_which_is_shown() {
    let name = "drain::connections_of_both_protocols_may_stay_until_the_deadline_which_is_shown";
    namespaced_as_superuser(name, || {
        let mut node = Node::serving("nftables", &[]);
        let foreign = Foreign::make(&node);
        let fresh = Kernel::ours(&node);
        node.stop();
        node.start(&["--backend=ipvs", "--drain-timeout=4s"]);
        // As many uses as there are, so that every virtual server that is used has one of each.
        let mut clients = node.clients(10, 10);
        let output = node.switch("nftables");
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains("for up to 4 s"), "{told}");
        clients.talk("while IPVS drains");
        let draining = node.dump().unwrap().status.draining.unwrap();
        assert!(draining.connections >= 20, "{draining:?}");
        assert!((1..=4).contains(&draining.seconds_left), "{draining:?}");
        assert!(node.dump_text().contains("\nipvs still has "), "{}", node.dump_text());
        node.until("the deadline", |node| node.dump()?.status.draining.is_none().then_some(()));
        node.until("all is removed", |node| (Kernel::ours(node) == fresh).then_some(()));
        assert_eq!(node.sample("portolan_draining_connections{reason=\"backend\"}"), Some(0.0));
        let log = node.log();
        assert!(log.contains("IPVS has no connections of Portolan any more"), "{log}");
        node.new_connections_go_through("nftables", "after the deadline");
        foreign.is_untouched(&node);
    });
}
