use std::sync::Arc;

use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::{Environment, Family, NodeInfo};

use crate::dice::Dice;
use crate::world::{Addresses, ZONES};

/// The node's object: in a zone or not, with its main addresses or one of them.
pub(super) fn node(dice: &mut Dice) -> NodeInfo {
    let zone = dice.percent(85).then(|| Arc::from(dice.pick(&ZONES)));
    let main = Family::BOTH.map(|family| Addresses::of(family).node.first().copied().unwrap());
    let addresses = dice.some(&main, 85);
    NodeInfo { zone, addresses, ..NodeInfo::default() }
}

/// The settings of the node.
pub(super) fn environment(dice: &mut Dice) -> Environment {
    Environment {
        service_cidrs: Family::BOTH
            .iter()
            .flat_map(|family| dice.some(&Addresses::of(*family).service_cidrs, 40))
            .collect(),
        node_ports_v4: node_ports(dice, Family::V4),
        node_ports_v6: node_ports(dice, Family::V6),
        local_pods_v4: local_pods(dice, Family::V4),
        local_pods_v6: local_pods(dice, Family::V6),
        localhost_node_ports: dice.percent(30),
    }
}

fn node_ports(dice: &mut Dice, family: Family) -> NodePortAddresses {
    let mut addresses = Addresses::of(family).node;
    addresses.sort();
    match dice.percent(35) {
        true => NodePortAddresses::Any,
        false => NodePortAddresses::Listed(dice.some(&addresses, 60)),
    }
}

fn local_pods(dice: &mut Dice, family: Family) -> LocalPods {
    match dice.below(10) {
        0 | 1 => LocalPods::Unknown,
        2 | 3 => LocalPods::Interface("cni0".to_owned()),
        4 => LocalPods::InterfacePrefix(dice.pick(&["cni", "eth"]).to_owned()),
        _ => LocalPods::Source(dice.pick(&Addresses::of(family).pod_networks)),
    }
}

/// The settings with one of them drawn again.
pub(super) fn change(dice: &mut Dice, before: &Environment) -> Environment {
    let drawn = environment(dice);
    let before = before.clone();
    match dice.below(6) {
        0 => Environment { service_cidrs: drawn.service_cidrs, ..before },
        1 => Environment { node_ports_v4: drawn.node_ports_v4, ..before },
        2 => Environment { node_ports_v6: drawn.node_ports_v6, ..before },
        3 => Environment { local_pods_v4: drawn.local_pods_v4, ..before },
        4 => Environment { local_pods_v6: drawn.local_pods_v6, ..before },
        _ => Environment { localhost_node_ports: drawn.localhost_node_ports, ..before },
    }
}
