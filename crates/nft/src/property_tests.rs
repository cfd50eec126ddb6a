//! Random lives of a cluster, against a table in memory that refuses what the kernel does.

mod base_chains;
mod holes;
mod unused_chains;

use std::collections::BTreeMap;
use std::sync::Arc;

use portolan_core::{
    Conditions, Endpoint, EndpointPort, EndpointSlice, Environment, Family, Index, ObjectName,
    Protocol, Service, ServicePlan, ServicePort, Update,
};
use proptest::prelude::*;

use crate::NftOptions;
use crate::adapt::adapt;
use crate::apply::apply;
use crate::chain_name::EntryKind;
use crate::container::Container;
use crate::delta::Delta;
use crate::diff::diff;
use crate::element::Value;
use crate::fake_kernel::FakeKernel;
use crate::key::Key;
use crate::life::{environment, update};
use crate::occupied::Occupied;
use crate::partition::{Partition, Parts};
use crate::slots::PlacedService;
use crate::state::State;
use crate::structure::FamilySettings;
use crate::table::ObservedTable;

const TABLE: &str = "portolan";

/// Both families' tables, with our idea of them.
#[derive(Default)]
struct Machine {
    options: NftOptions,
    kernel: BTreeMap<Family, FakeKernel>,
    state: Option<State>,
}

impl Machine {
    /// One whose maps are made for so many endpoints.
    fn with_endpoints_per_map(endpoints_per_map: usize) -> Machine {
        let options = NftOptions { endpoints_per_map, ..NftOptions::default() };
        Machine { options, ..Machine::default() }
    }

    /// As `NftBackend::converge` does it; returns the number of operations.
    fn converge(&mut self, plans: &[Arc<ServicePlan>], environment: &Environment) -> usize {
        for family in Family::BOTH {
            self.kernel.entry(family).or_default();
        }
        let observed: BTreeMap<Family, Option<ObservedTable>> =
            self.kernel.iter().map(|(family, kernel)| (*family, kernel.observe(*family))).collect();
        let there = |family| Some(observed.get(&family)?.as_ref()?.parts);
        let partition = Partition::new(plans, self.options.endpoints_per_map, &there);
        let services: BTreeMap<ObjectName, PlacedService> = plans
            .iter()
            .map(|plan| {
                let placed = PlacedService::new(plan.clone(), &|port, pool| {
                    let table = observed.get(&port.family).and_then(Option::as_ref);
                    table.map(|table| Occupied::observe(table, port, pool)).unwrap_or_default()
                });
                (plan.name.clone(), placed)
            })
            .collect();
        let settings = Family::BOTH.map(|it| FamilySettings::new(it, environment, &self.options));
        let mut state = State::new(services, settings.into(), partition);
        let mut observed = observed;
        let mut operations = 0;
        for family in Family::BOTH {
            let there = observed.remove(&family).flatten();
            let table = state.families.get_mut(&family).unwrap();
            if let Some(there) = &there {
                table.keep_unused_chains(there);
            }
            let table = &state.families[&family];
            let (delta, sizes) = diff(table, there, state.inventory(&table.settings), TABLE);
            state.families.get_mut(&family).unwrap().sizes = sizes;
            operations += delta.added() + delta.deleted();
            commit(&mut self.kernel, &state, family, &delta);
        }
        self.state = Some(state);
        operations
    }

    fn apply(&mut self, changes: &[portolan_core::Change]) {
        let state = self.state.as_mut().unwrap();
        for (family, delta) in apply(state, changes) {
            commit(&mut self.kernel, state, family, &delta);
        }
    }

    fn adapt(&mut self, environment: &Environment) {
        let state = self.state.as_mut().unwrap();
        for (family, delta) in adapt(state, environment, &self.options) {
            commit(&mut self.kernel, state, family, &delta);
        }
    }

    /// What the tables do, whatever the slots are, however they are divided and whichever
    /// unused chains are left.
    fn meaning(&self) -> BTreeMap<(Family, Container, Key), (String, Vec<String>)> {
        let mut meaning = BTreeMap::new();
        for (family, kernel) in &self.kernel {
            for (container, elements) in kernel.elements() {
                for (key, element) in elements {
                    let (container, key, element) = (*container, *key, element.clone());
                    // The same as the seated endpoints, but for which seat it is.
                    if matches!(container, Container::Seats(..)) {
                        continue;
                    }
                    let (key, value) = match element.value {
                        Value::Endpoint(endpoint) => {
                            let frontend = &key.as_bytes()[..key.as_bytes().len() - 4];
                            (Key::from_kernel(frontend).unwrap(), endpoint.to_string())
                        }
                        value => (key, format!("{value:?} {:?}", element.comment)),
                    };
                    let (container, value) = (undivided(container), without_parts(&value));
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
        self.kernel
            .iter()
            .filter_map(|(it, kernel)| kernel.observe(*it))
            .map(|it| it.chains.len())
            .sum()
    }
}

/// The container as it is called where nothing is divided.
fn undivided(container: Container) -> Container {
    match container {
        Container::Endpoints(kind, pool, _) => Container::Endpoints(kind, pool, 0),
        other => other,
    }
}

/// What a verdict says but for the part of the map.
fn without_parts(verdict: &str) -> String {
    let mut pieces = verdict.split("part: ");
    let first = pieces.next().unwrap().to_owned();
    pieces.fold(first, |text, piece| {
        text + piece.trim_start_matches(|character: char| character.is_ascii_digit())
    })
}

fn commit(kernel: &mut BTreeMap<Family, FakeKernel>, state: &State, family: Family, delta: &Delta) {
    let inventory = state.inventory(&state.families[&family].settings);
    kernel.get_mut(&family).unwrap().commit(delta, inventory);
}

/// Maps for everything, and maps for so few that there are many.
fn endpoints_per_map() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![1, 3, 16_384])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn changes_one_by_one_make_the_table_that_is_built_from_nothing(
        before in prop::collection::vec(update(), 0..20),
        life in prop::collection::vec(prop::collection::vec(update(), 1..4), 1..40),
        environment in environment(),
        each in endpoints_per_map(),
    ) {
        let mut index = Index::new("here");
        before.into_iter().for_each(|update| index.apply(update));
        index.take_changes();
        let plans: Vec<_> = index.plans().cloned().collect();
        let mut machine = Machine::with_endpoints_per_map(each);
        machine.converge(&plans, &environment);
        for updates in life {
            updates.into_iter().for_each(|update| index.apply(update));
            machine.apply(&index.take_changes());
            let plans: Vec<_> = index.plans().cloned().collect();
            let mut fresh = Machine::with_endpoints_per_map(each);
            fresh.converge(&plans, &environment);
            prop_assert_eq!(machine.meaning(), fresh.meaning());
        }
        let plans: Vec<_> = index.plans().cloned().collect();
        let meaning = machine.meaning();
        machine.converge(&plans, &environment);
        prop_assert_eq!(machine.meaning(), meaning, "a restart, which may divide the map anew");
        prop_assert_eq!(machine.converge(&plans, &environment), 0, "a second start sends something");
    }

    #[test]
    fn another_environment_makes_the_table_that_is_built_from_nothing_in_it(
        updates in prop::collection::vec(update(), 1..20),
        environments in prop::collection::vec(environment(), 2..5),
        later in prop::collection::vec(update(), 1..5),
    ) {
        let mut index = Index::new("here");
        let mut machine = Machine::default();
        updates.into_iter().for_each(|update| index.apply(update));
        index.take_changes();
        let plans: Vec<_> = index.plans().cloned().collect();
        machine.converge(&plans, &environments[0]);
        environments.iter().for_each(|environment| machine.adapt(environment));
        later.into_iter().for_each(|update| index.apply(update));
        machine.apply(&index.take_changes());
        let last = environments.last().unwrap();
        let plans: Vec<_> = index.plans().cloned().collect();
        let mut fresh = Machine::default();
        fresh.converge(&plans, last);
        prop_assert_eq!(machine.meaning(), fresh.meaning());
        for (family, kernel) in &fresh.kernel {
            // Chains that nothing needs any more may stay.
            let there = machine.kernel[family].observe(*family).unwrap().chains;
            for (name, chain) in kernel.observe(*family).unwrap().chains {
                prop_assert_eq!(there.get(&name), Some(&chain), "{}", name);
            }
        }
    }

    #[test]
    fn a_damaged_table_is_mended_in_any_environment(
        updates in prop::collection::vec(update(), 1..20),
        before in environment(),
        after in environment(),
        container in prop::sample::select(Container::all(Parts::with(3)).filter(|it| !it.is_dynamic()).collect::<Vec<_>>()),
        every in 1..4usize,
        each in endpoints_per_map(),
    ) {
        let mut index = Index::new("here");
        updates.into_iter().for_each(|update| index.apply(update));
        index.take_changes();
        let plans: Vec<_> = index.plans().cloned().collect();
        let mut machine = Machine::with_endpoints_per_map(each);
        machine.converge(&plans, &before);
        machine.kernel.values_mut().for_each(|kernel| kernel.forget_elements(container, every));
        machine.converge(&plans, &after);
        let mut fresh = Machine::with_endpoints_per_map(each);
        fresh.converge(&plans, &after);
        prop_assert_eq!(machine.meaning(), fresh.meaning());
        prop_assert_eq!(machine.chains(), fresh.chains());
    }
}

#[test]
fn maps_grow_as_often_as_needed_and_keep_what_they_hold() {
    let mut index = Index::new("here");
    let mut machine = Machine::default();
    let environment = Environment::default();
    machine.converge(&[], &environment);
    for number in 0..3000u32 {
        let [_, _, high, low] = number.to_be_bytes();
        apply_service(&mut index, &format!("s{number}"), [172, 30, high, low], 0..0);
        if number % 500 == 499 {
            machine.apply(&index.take_changes());
        }
    }
    let verdicts = Container::Verdicts(EntryKind::Address);
    let services = machine.meaning().keys().filter(|it| it.1 == verdicts).count();
    assert_eq!(services, 3000);
    let plans: Vec<_> = index.plans().cloned().collect();
    assert_eq!(machine.converge(&plans, &environment), 0, "the grown table is as it should be");
}

/// The service `s` with these endpoints, by their numbers.
fn serve(index: &mut Index, endpoints: std::ops::Range<u8>) -> Vec<portolan_core::Change> {
    apply_service(index, "s", [172, 30, 0, 1], endpoints);
    index.take_changes()
}

/// A ClusterIP service with one TCP port and these endpoints, on another node.
fn apply_service(
    index: &mut Index,
    name: &str,
    cluster_ip: [u8; 4],
    endpoints: std::ops::Range<u8>,
) {
    let mut service = Service::new(ObjectName::new("ns", name));
    service.cluster_ips = vec![cluster_ip.into()];
    service.ports =
        vec![ServicePort { name: "".into(), protocol: Protocol::Tcp, port: 80, node_port: None }];
    index.apply(Update::ServiceApplied(service));
    let endpoint = |number: u8| Endpoint {
        address: [10, 0, 0, number].into(),
        conditions: Conditions::default(),
        node_name: Some("there".into()),
        hints: None,
    };
    index.apply(Update::EndpointSliceApplied(EndpointSlice {
        name: ObjectName::new("ns", name),
        service: ObjectName::new("ns", name),
        family: Family::V4,
        ports: vec![EndpointPort { name: "".into(), protocol: Protocol::Tcp, port: 8080 }],
        endpoints: endpoints.map(endpoint).collect(),
        trigger_time: None,
    }));
}

#[test]
fn a_replaced_endpoint_is_one_element_and_a_new_one_is_an_element_and_a_verdict() {
    let mut index = Index::new("here");
    let mut machine = Machine::default();
    machine.converge(&[], &Environment::default());
    machine.apply(&serve(&mut index, 1..10));
    // In the last case the last endpoint moves into the gap.
    for (endpoints, added, deleted) in [(2..11, 1, 1), (2..12, 2, 1), (3..12, 2, 3)] {
        let changes = serve(&mut index, endpoints.clone());
        let deltas = apply(machine.state.as_mut().unwrap(), &changes);
        let elements = |delta: &Delta| {
            let added: usize = delta.add_elements.values().map(Vec::len).sum();
            let deleted: usize = delta.delete_elements.values().map(Vec::len).sum();
            (added, deleted)
        };
        let counts: Vec<(usize, usize)> = deltas.values().map(elements).collect();
        assert_eq!(counts, [(added, deleted)], "{endpoints:?}");
        let state = machine.state.as_ref().unwrap();
        commit(&mut machine.kernel, state, Family::V4, &deltas[&Family::V4]);
    }
}

#[test]
fn of_several_changes_of_one_service_in_a_batch_the_last_counts() {
    let mut index = Index::new("here");
    let mut machine = Machine::default();
    machine.converge(&[], &Environment::default());
    machine.apply(&serve(&mut index, 1..4));
    let mut batch = serve(&mut index, 2..6);
    batch.extend(serve(&mut index, 3..5));
    index.apply(Update::ServiceDeleted(ObjectName::new("ns", "s")));
    let deletion = index.take_changes();
    machine.apply(&batch);
    let plans: Vec<_> = batch.iter().filter_map(|change| change.new.clone()).collect();
    let mut fresh = Machine::default();
    fresh.converge(&plans[1..], &Environment::default());
    assert_eq!(machine.meaning(), fresh.meaning());
    batch.extend(deletion);
    machine.apply(&batch);
    assert!(machine.meaning().is_empty());
}
