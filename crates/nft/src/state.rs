//! What the kernel holds, as far as we know: kept in step with every transaction, so that
//! no change needs a listing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use portolan_core::{Family, ObjectName};

use crate::chain_name::ServingChain;
use crate::container::{Container, size_for};
use crate::element::{Value, count_own_elements, shared_addresses};
use crate::inventory::{Inventory, Sources};
use crate::partition::{Partition, Parts};
use crate::slots::PlacedService;
use crate::structure::{Chain, FamilySettings};
use crate::table::require;

/// Both families' tables.
#[derive(Debug)]
pub(crate) struct State {
    /// The services by name, with the slots of their endpoints.
    pub(crate) services: BTreeMap<ObjectName, PlacedService>,
    /// How many ports share an address of a set.
    pub(crate) shared: BTreeMap<(Container, IpAddr), usize>,
    /// How their maps of endpoints are divided.
    pub(crate) partition: Partition,
    /// The tables.
    pub(crate) families: BTreeMap<Family, FamilyState>,
}

/// One family's table.
#[derive(Debug)]
pub(crate) struct FamilyState {
    /// What its rules depend on.
    pub(crate) settings: FamilySettings,
    /// How its map of endpoints is divided.
    pub(crate) parts: Parts,
    /// The declared size of each container.
    pub(crate) sizes: BTreeMap<Container, u32>,
    /// The elements in each container.
    pub(crate) counts: BTreeMap<Container, usize>,
    /// The serving chains that exist.
    pub(crate) chains: BTreeSet<ServingChain>,
    /// How many elements lead to a chain.
    pub(crate) references: BTreeMap<ServingChain, usize>,
}

impl State {
    /// The state of a kernel that has the tables which placed services make in these
    /// settings. The sizes are those of fresh tables.
    pub(crate) fn new(
        services: BTreeMap<ObjectName, PlacedService>,
        settings: Vec<FamilySettings>,
        partition: Partition,
    ) -> State {
        let family =
            |it: FamilySettings| (it.family, FamilyState::new(partition.of(it.family), it));
        let families = settings.into_iter().map(family).collect();
        let mut state = State { services, shared: BTreeMap::new(), partition, families };
        let State { services, shared, families, .. } = &mut state;
        for service in services.values() {
            shared_addresses(service, &mut |container, ip| {
                *shared.entry((container, ip)).or_default() += 1;
            });
            count_own_elements(service, partition, &mut |family, container, count, value| {
                if let Some(table) = families.get_mut(&family) {
                    table.enter(container, count, value);
                }
            });
        }
        for table in families.values_mut() {
            let settings = table.settings.clone();
            let inventory = Inventory { settings: &settings, services, shared, partition };
            for container in table.containers().filter(|container| container.is_shared()) {
                let mut enter = |_| table.enter(container, 1, None);
                inventory.of(container, &Sources::default(), &mut enter);
            }
            table.declare_sizes();
        }
        state
    }

    /// Where the elements of a family's table come from.
    pub(crate) fn inventory<'a>(&'a self, settings: &'a FamilySettings) -> Inventory<'a> {
        let State { services, shared, partition, .. } = self;
        Inventory { settings, services, shared, partition: *partition }
    }
}

impl FamilyState {
    /// A table without services.
    pub(crate) fn new(parts: Parts, settings: FamilySettings) -> FamilyState {
        FamilyState {
            settings,
            parts,
            sizes: BTreeMap::new(),
            counts: BTreeMap::new(),
            chains: BTreeSet::from([ServingChain::Reject]),
            references: BTreeMap::new(),
        }
    }

    /// Enters elements, and the chain that the only one of them leads to.
    fn enter(&mut self, container: Container, count: usize, value: Option<Value>) {
        *self.counts.entry(container).or_default() += count;
        if let Some(value) = value {
            self.refer(value, 1);
            if let Value::Chain(chain) = value {
                require(&mut self.chains, chain);
            }
        }
    }

    fn declare_sizes(&mut self) {
        let size = |container| (container, size_for(container, self.count(container)));
        self.sizes = self.containers().map(size).collect();
    }

    /// All containers.
    pub(crate) fn containers(&self) -> impl Iterator<Item = Container> + use<> {
        Container::all(self.parts)
    }

    /// Counts an element that leads to a chain, or one that no longer does.
    pub(crate) fn refer(&mut self, value: Value, change: isize) {
        if let Value::Chain(chain) = value {
            let references = self.references.entry(chain).or_default();
            *references = references.saturating_add_signed(change);
            if *references == 0 {
                self.references.remove(&chain);
            }
        }
    }

    /// All chains that exist.
    pub(crate) fn all_chains(&self) -> impl Iterator<Item = Chain> {
        let serving = self.chains.iter().filter(|chain| **chain != ServingChain::Reject);
        let serving = serving.map(|chain| self.settings.serving_chain(*chain));
        self.settings.fixed_chains().into_iter().chain(serving)
    }

    /// The elements in a container.
    pub(crate) fn count(&self, container: Container) -> usize {
        self.counts.get(&container).copied().unwrap_or_default()
    }

    /// The elements that a container can hold.
    pub(crate) fn room(&self, container: Container) -> usize {
        let size = self.sizes.get(&container).copied().unwrap_or_default();
        usize::try_from(size).unwrap_or(usize::MAX)
    }
}
