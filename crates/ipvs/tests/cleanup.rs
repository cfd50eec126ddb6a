//! What is removed where the register of our virtual servers is gone. Needs no IPVS.

use portolan_ipvs::{IpvsOptions, cleanup};
use portolan_lab::namespaced;
use portolan_netlink::route::{LocalRoute, Operation, PolicyRule, Routing};

#[test]
fn rules_and_routes_go_although_nothing_says_which_servers_were_ours() {
    namespaced("rules_and_routes_go_although_nothing_says_which_servers_were_ours", || {
        let options = IpvsOptions::default();
        assert_eq!(cleanup(&options).unwrap(), Vec::<String>::new());
        let IpvsOptions { route_table: table, rule_priority: priority, .. } = options;
        let rule = PolicyRule { v6: false, priority, mark: 0x2000, mask: 0x2000, table };
        let route = LocalRoute { network: "10.96.0.0/12".parse().unwrap(), table };
        let mut routing = Routing::open().unwrap();
        let made = routing.execute(&[Operation::AddRule(rule), Operation::AddRoute(route)]);
        assert_eq!(made.unwrap(), []);
        assert_eq!(cleanup(&options).unwrap(), ["routing rules and routes"]);
        assert_eq!(routing.rules().unwrap(), []);
        assert_eq!(routing.routes(table).unwrap(), []);
    });
}
