//! What the kernel holds, as far as we know: kept in step with every transaction, so that
//! no change needs a listing.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use portolan_core::{Family, ObjectName};

use crate::chain_name::ServingChain;
use crate::container::Container;
use crate::element::{Value, own_elements, shared_addresses, shared_element};
use crate::slots::PlacedService;
use crate::structure::{Chain, FamilySettings};
use crate::table::DesiredTable;

/// Both families' tables.
#[derive(Debug)]
pub(crate) struct State {
    /// The services by name, with the slots of their endpoints.
    pub(crate) services: HashMap<ObjectName, PlacedService>,
    /// How many ports share an address of a set.
    pub(crate) shared: HashMap<(Container, IpAddr), usize>,
    /// The tables.
    pub(crate) families: HashMap<Family, FamilyState>,
}

/// One family's table.
#[derive(Debug)]
pub(crate) struct FamilyState {
    /// What its rules depend on.
    pub(crate) settings: FamilySettings,
    /// The declared size of each container.
    pub(crate) sizes: HashMap<Container, u32>,
    /// The elements in each container.
    pub(crate) counts: HashMap<Container, usize>,
    /// The serving chains that exist.
    pub(crate) chains: BTreeSet<ServingChain>,
    /// How many elements lead to a chain.
    pub(crate) references: HashMap<ServingChain, usize>,
}

impl State {
    /// The tables that placed services make in these settings, and the state in which the
    /// kernel is once it has them. The sizes are those of fresh tables.
    pub(crate) fn new(
        services: HashMap<ObjectName, PlacedService>,
        settings: Vec<FamilySettings>,
    ) -> (State, HashMap<Family, DesiredTable>) {
        let mut tables: HashMap<Family, DesiredTable> = settings
            .iter()
            .map(|settings| (settings.family, DesiredTable::new(settings.clone())))
            .collect();
        let mut shared: HashMap<(Container, IpAddr), usize> = HashMap::new();
        for service in services.values() {
            own_elements(service, &mut |family, container, element| {
                if let Some(table) = tables.get_mut(&family) {
                    table.insert(container, element);
                }
            });
            shared_addresses(service, &mut |container, ip| {
                *shared.entry((container, ip)).or_default() += 1;
            });
        }
        for (container, ip) in shared.keys() {
            if let Some(table) = tables.get_mut(&Family::of(*ip)) {
                table.insert(*container, shared_element(*container, *ip));
            }
        }
        for table in tables.values_mut() {
            table.insert_node_port_addresses();
        }
        let families =
            tables.iter().map(|(family, table)| (*family, FamilyState::of(table))).collect();
        (State { services, shared, families }, tables)
    }
}

impl FamilyState {
    fn of(table: &DesiredTable) -> FamilyState {
        let mut state = FamilyState {
            settings: table.settings.clone(),
            sizes: HashMap::new(),
            counts: HashMap::new(),
            chains: table.serving.clone(),
            references: HashMap::new(),
        };
        state.chains.insert(ServingChain::Reject);
        for (container, elements) in &table.elements {
            state.sizes.insert(*container, table.size(*container));
            state.counts.insert(*container, elements.len());
            for element in elements {
                state.refer(element.value, 1);
            }
        }
        state
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
