use std::net::IpAddr;
use std::sync::Arc;

use portolan_core::{Conditions, Endpoint, EndpointPort, EndpointSlice, Family, Hints, ObjectName};

use super::{SLICES, service_name};
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::world::{Addresses, NODE, OTHER_NODE, PORT_NAMES, TARGET_PORTS, ZONES};

/// How the endpoints of a slice are hinted.
#[derive(Clone, Copy)]
enum Hinting {
    Nobody,
    /// The last ones may have none.
    Anyhow,
    Zones,
    ZonesAndNodes,
}

/// A slice of a Service, whether there is one or not.
pub(super) fn slice(
    dice: &mut Dice,
    cluster: &Cluster,
    number: usize,
    family: Family,
) -> EndpointSlice {
    let addresses = Addresses::of(family);
    let hintings = [Hinting::Nobody, Hinting::Anyhow, Hinting::Zones, Hinting::ZonesAndNodes];
    let hinting = dice.pick(&hintings);
    let healthy = dice.percent(60);
    let count = dice.pick(&[0, 1, 2, 3, 3, 4]);
    let endpoints = dice.several(&addresses.endpoints(), count);
    let service = service_name(number);
    let name = format!("{}-{family}-{}", service.name, dice.below(SLICES));
    let mut slice = EndpointSlice {
        name: ObjectName::new(&service.namespace, &name),
        service,
        family,
        ports: ports(dice),
        trigger_time: None,
        endpoints: endpoints
            .into_iter()
            .map(|address| endpoint(dice, &addresses, address, hinting, healthy))
            .collect(),
    };
    agree(cluster, &mut slice);
    slice
}

fn ports(dice: &mut Dice) -> Vec<EndpointPort> {
    dice.some(&PORT_NAMES, 93)
        .into_iter()
        .map(|(name, protocol)| {
            let port = dice.pick(&TARGET_PORTS);
            EndpointPort { name: name.into(), protocol, port }
        })
        .collect()
}

fn endpoint(
    dice: &mut Dice,
    addresses: &Addresses,
    address: IpAddr,
    hinting: Hinting,
    healthy: bool,
) -> Endpoint {
    let node = if addresses.is_here(address) { NODE } else { OTHER_NODE };
    Endpoint {
        address,
        conditions: conditions(dice, healthy),
        node_name: dice.percent(88).then(|| node.into()),
        hints: hints(dice, hinting).map(Arc::new),
    }
}

/// Adds one that is not there yet, ready and without hints.
pub(super) fn add_endpoint(dice: &mut Dice, slice: &mut EndpointSlice) {
    let addresses = Addresses::of(slice.family);
    let mut free = addresses.endpoints();
    free.retain(|address| slice.endpoints.iter().all(|known| known.address != *address));
    if !free.is_empty() {
        let address = dice.pick(&free);
        slice.endpoints.push(endpoint(dice, &addresses, address, Hinting::Nobody, true));
    }
}

/// Any combination: a publisher of addresses that are not ready says that they are.
pub(super) fn conditions(dice: &mut Dice, healthy: bool) -> Conditions {
    if dice.percent(if healthy { 80 } else { 10 }) {
        return Conditions::default();
    }
    Conditions { ready: dice.percent(30), serving: dice.percent(60), terminating: dice.percent(50) }
}

fn hints(dice: &mut Dice, hinting: Hinting) -> Option<Hints> {
    let zones: Vec<Arc<str>> = dice.several(&ZONES, 1).into_iter().map(Arc::from).collect();
    let nodes = vec![Arc::from(dice.pick(&[NODE, OTHER_NODE]))];
    match hinting {
        Hinting::Nobody => None,
        Hinting::Anyhow if dice.percent(30) => None,
        Hinting::Anyhow => Some(Hints {
            zones: dice.some(&ZONES, 60).into_iter().map(Arc::from).collect(),
            nodes: if dice.percent(50) { nodes } else { Vec::new() },
        }),
        Hinting::Zones => Some(Hints { zones, nodes: Vec::new() }),
        Hinting::ZonesAndNodes => Some(Hints { zones, nodes }),
    }
}

/// Makes the slice say what the Service's other slices say of the same endpoint, unless one
/// of both terminates: nothing says what counts where equals contradict each other.
pub(super) fn agree(cluster: &Cluster, slice: &mut EndpointSlice) {
    let others: Vec<&EndpointSlice> = cluster
        .slices_of(&slice.service, slice.family)
        .filter(|other| other.name != slice.name)
        .collect();
    for endpoint in &mut slice.endpoints {
        let known = others.iter().flat_map(|other| &other.endpoints).find(|known| {
            known.address == endpoint.address
                && known.conditions.terminating == endpoint.conditions.terminating
        });
        if let Some(known) = known {
            *endpoint = known.clone();
        }
    }
}
