//! Random lives of a cluster, against a table in memory that refuses what the kernel does.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use portolan_core::{
    Conditions, Endpoint, EndpointPort, EndpointSlice, Environment, Family, Index, ObjectName,
    Protocol, Service, ServicePlan, ServicePort, Update,
};
use proptest::prelude::*;

use crate::NftOptions;
use crate::apply::apply;
use crate::chain_name::ServingChain;
use crate::container::Container;
use crate::diff::diff;
use crate::element::Value;
use crate::fake_kernel::FakeKernel;
use crate::key::Key;
use crate::life::{environment, update};
use crate::observe::occupied;
use crate::slots::PlacedService;
use crate::state::State;
use crate::structure::FamilySettings;
use crate::table::ObservedTable;

const TABLE: &str = "portolan";

/// Both families' tables, with our idea of them.
struct Machine {
    kernel: BTreeMap<Family, FakeKernel>,
    state: Option<State>,
}

impl Machine {
    fn new() -> Machine {
        let kernel = Family::BOTH.map(|family| (family, FakeKernel::default()));
        Machine { kernel: kernel.into(), state: None }
    }

    /// As `NftBackend::converge` does it; returns the number of operations.
    fn converge(&mut self, plans: &[Arc<ServicePlan>], environment: &Environment) -> usize {
        let observed: BTreeMap<Family, Option<ObservedTable>> =
            self.kernel.iter().map(|(family, kernel)| (*family, kernel.observe())).collect();
        let services: HashMap<ObjectName, PlacedService> = plans
            .iter()
            .map(|plan| {
                let placed = PlacedService::new(plan.clone(), &|port, pool| {
                    let table = observed.get(&port.family).and_then(Option::as_ref);
                    table.map(|table| occupied(table, port, pool)).unwrap_or_default()
                });
                (plan.name.clone(), placed)
            })
            .collect();
        let options = NftOptions::default();
        let settings = Family::BOTH.map(|it| FamilySettings::new(it, environment, &options));
        let (mut state, tables) = State::new(services, settings.into());
        let mut observed = observed;
        let mut operations = 0;
        for (family, table) in tables {
            let (delta, sizes) = diff(table, observed.remove(&family).flatten(), TABLE);
            state.families.get_mut(&family).unwrap().sizes = sizes;
            operations += delta.added() + delta.deleted();
            self.kernel.get_mut(&family).unwrap().commit(family, &delta);
        }
        self.state = Some(state);
        operations
    }

    fn apply(&mut self, changes: &[portolan_core::Change]) {
        for (family, delta) in apply(self.state.as_mut().unwrap(), changes) {
            self.kernel.get_mut(&family).unwrap().commit(family, &delta);
        }
    }

    /// What the tables do, whatever the slots are and whichever unused chains are left.
    fn meaning(&self) -> BTreeMap<(Family, Container, Key), (String, Vec<String>)> {
        let mut meaning = BTreeMap::new();
        for (family, kernel) in &self.kernel {
            for (container, elements) in kernel.observe().unwrap_or_default().elements {
                for (key, element) in elements {
                    let (key, value) = match element.value {
                        Value::Endpoint(endpoint) => {
                            let frontend = &key.as_bytes()[..key.as_bytes().len() - 4];
                            (Key::from_kernel(frontend).unwrap(), endpoint.to_string())
                        }
                        value => (key, format!("{value:?} {:?}", element.comment)),
                    };
                    let entry: &mut (String, Vec<String>) =
                        meaning.entry((*family, container, key)).or_default();
                    entry.1.push(value);
                    entry.1.sort();
                }
            }
        }
        meaning
    }

    fn chains(&self) -> usize {
        self.kernel.values().filter_map(FakeKernel::observe).map(|it| it.chains.len()).sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn changes_one_by_one_make_the_table_that_is_built_from_nothing(
        life in prop::collection::vec(prop::collection::vec(update(), 1..4), 1..40),
        environment in environment(),
    ) {
        let mut index = Index::new("here");
        let mut machine = Machine::new();
        machine.converge(&[], &environment);
        for updates in life {
            updates.into_iter().for_each(|update| index.apply(update));
            machine.apply(&index.take_changes());
            let plans: Vec<_> = index.plans().cloned().collect();
            let mut fresh = Machine::new();
            fresh.converge(&plans, &environment);
            prop_assert_eq!(machine.meaning(), fresh.meaning());
        }
        let plans: Vec<_> = index.plans().cloned().collect();
        machine.converge(&plans, &environment);
        prop_assert_eq!(machine.converge(&plans, &environment), 0, "a second start sends something");
    }

    #[test]
    fn a_damaged_table_is_mended_in_any_environment(
        updates in prop::collection::vec(update(), 1..20),
        before in environment(),
        after in environment(),
        container in prop::sample::select(&Container::ALL[..]),
        every in 1..4usize,
    ) {
        let mut index = Index::new("here");
        updates.into_iter().for_each(|update| index.apply(update));
        index.take_changes();
        let plans: Vec<_> = index.plans().cloned().collect();
        let mut machine = Machine::new();
        machine.converge(&plans, &before);
        machine.kernel.values_mut().for_each(|kernel| kernel.forget_elements(container, every));
        machine.converge(&plans, &after);
        let mut fresh = Machine::new();
        fresh.converge(&plans, &after);
        prop_assert_eq!(machine.meaning(), fresh.meaning());
        prop_assert_eq!(machine.chains(), fresh.chains());
    }
}

#[test]
fn maps_grow_as_often_as_needed_and_keep_what_they_hold() {
    let mut index = Index::new("here");
    let mut machine = Machine::new();
    let environment = Environment::default();
    machine.converge(&[], &environment);
    for number in 0..3000u32 {
        let [_, _, high, low] = number.to_be_bytes();
        let mut service = Service {
            cluster_ips: vec![[172, 30, high, low].into()],
            ..Service::new(ObjectName::new("ns", &format!("s{number}")))
        };
        service.ports = vec![ServicePort {
            name: "".into(),
            protocol: Protocol::Tcp,
            port: 80,
            node_port: None,
        }];
        index.apply(Update::ServiceApplied(service));
        if number % 500 == 499 {
            machine.apply(&index.take_changes());
        }
    }
    let services = machine.meaning().keys().filter(|it| it.1 == Container::Services).count();
    assert_eq!(services, 3000);
    let plans: Vec<_> = index.plans().cloned().collect();
    assert_eq!(machine.converge(&plans, &environment), 0, "the grown table is as it should be");
}

#[test]
fn chains_that_nobody_needs_go_away_once_they_are_many() {
    let mut index = Index::new("here");
    let mut machine = Machine::new();
    machine.converge(&[], &Environment::default());
    let port = ServicePort { name: "".into(), protocol: Protocol::Tcp, port: 80, node_port: None };
    index.apply(Update::ServiceApplied(Service {
        cluster_ips: vec!["172.30.0.1".parse().unwrap()],
        ports: vec![port],
        ..Service::new(ObjectName::new("ns", "s"))
    }));
    for count in 1..200u8 {
        let endpoint = |number: u8| Endpoint {
            address: [10, 0, 0, number].into(),
            conditions: Conditions::default(),
            node_name: None,
            hints: None,
        };
        index.apply(Update::EndpointSliceApplied(EndpointSlice {
            name: ObjectName::new("ns", "s-1"),
            service: ObjectName::new("ns", "s"),
            family: Family::V4,
            ports: vec![EndpointPort { name: "".into(), protocol: Protocol::Tcp, port: 8080 }],
            endpoints: (0..count).map(endpoint).collect(),
        }));
        machine.apply(&index.take_changes());
        assert!(machine.chains() < 100, "{} chains after {count} scalings", machine.chains());
    }
    let observed = machine.kernel[&Family::V4].observe().unwrap();
    assert!(observed.chains.contains_key(&ServingChain::ClusterIp(199).to_string()));
}
