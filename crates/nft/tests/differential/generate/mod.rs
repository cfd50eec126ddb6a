//! Random clusters, and random changes of them.

mod edits;
mod environment;
mod services;
mod slices;

pub(crate) use self::edits::edit;

use std::collections::BTreeMap;

use portolan_core::{Family, ObjectName};

use crate::cluster::Cluster;
use crate::dice::Dice;

/// How many names there are for Services.
const SERVICES: usize = 9;
/// How many namespaces there are.
const NAMESPACES: usize = 2;
/// How many slices of a Service and a family there can be.
const SLICES: usize = 3;

/// A cluster.
pub(crate) fn cluster(dice: &mut Dice) -> Cluster {
    let mut cluster = Cluster {
        services: BTreeMap::new(),
        slices: BTreeMap::new(),
        node: environment::node(dice),
        environment: environment::environment(dice),
        masquerade_all: dice.percent(20),
    };
    for number in 0..SERVICES {
        if dice.percent(85) {
            let service = services::service(dice, &cluster, number);
            cluster.services.insert(service.name.clone(), service);
        }
        for family in Family::BOTH {
            for _ in 0..dice.pick(&[0, 1, 1, 2, 3]) {
                let slice = slices::slice(dice, &cluster, number, family);
                cluster.slices.insert(slice.name.clone(), slice);
            }
        }
    }
    cluster
}

/// Two namespaces have Services of the same names.
fn service_name(number: usize) -> ObjectName {
    let namespace = if number.is_multiple_of(NAMESPACES) { "red" } else { "blue" };
    ObjectName::new(namespace, &format!("s{}", number / NAMESPACES))
}
