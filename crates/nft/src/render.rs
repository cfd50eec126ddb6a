//! The ruleset that plans make, without a kernel: as nft text, and as nft JSON.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter, Write as _};
use std::sync::Arc;

use portolan_core::{Environment, Family, ServicePlan};

use crate::NftOptions;
use crate::container::Container;
use crate::element::{Element, Value};
use crate::key::Key;
use crate::partition::Partition;
use crate::slots::PlacedService;
use crate::state::State;
use crate::structure::{Chain, FamilySettings};
use crate::table::DesiredTable;
use crate::text::{
    KeyText, StatementText, container_flags, container_type, priority_text, protocol,
};

/// The tables of both families as they are in a kernel that had none before. Displayed as
/// text that `nft -f` loads; loading it into a kernel that has the tables already adds to
/// them.
#[derive(Debug)]
pub struct Ruleset {
    pub(crate) name: String,
    pub(crate) tables: Vec<DesiredTable>,
}

/// Renders plans in an environment.
pub fn render<'a>(
    plans: impl IntoIterator<Item = &'a Arc<ServicePlan>>,
    environment: &Environment,
    options: &NftOptions,
) -> Ruleset {
    let plans: Vec<_> = plans.into_iter().cloned().collect();
    let partition = Partition::new(&plans, options.endpoints_per_map, &|_| None);
    let place = |plan: Arc<ServicePlan>| (plan.name.clone(), PlacedService::fresh(plan));
    let services: BTreeMap<_, _> = plans.into_iter().map(place).collect();
    let settings = Family::BOTH.map(|family| FamilySettings::new(family, environment, options));
    let state = State::new(services, settings.into(), partition);
    let table = |family: &Family| {
        let table = state.families.get(family)?;
        Some(DesiredTable::new(table, state.inventory(&table.settings)))
    };
    let tables = Family::BOTH.iter().filter_map(table).collect();
    Ruleset { name: options.table.clone(), tables }
}

impl Display for Ruleset {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, table) in self.tables.iter().enumerate() {
            if index > 0 {
                f.write_char('\n')?;
            }
            writeln!(f, "table {} {} {{", protocol(table.family), self.name)?;
            for container in table.containers() {
                write_container(f, table, container)?;
            }
            for chain in &table.chains {
                write_chain(f, chain, table.family)?;
            }
            f.write_str("}\n")?;
        }
        Ok(())
    }
}

fn write_container(
    f: &mut Formatter<'_>,
    table: &DesiredTable,
    container: Container,
) -> fmt::Result {
    let kind = if container.data(table.family).is_some() { "map" } else { "set" };
    writeln!(f, "\t{kind} {} {{", container.name())?;
    writeln!(f, "\t\t{}", container_type(container, table.family))?;
    writeln!(f, "\t\tsize {}", table.size(container))?;
    if let Some(flags) = container_flags(container) {
        writeln!(f, "\t\tflags {flags}")?;
    }
    writeln!(f, "\t\tcomment \"{}\"", container.purpose())?;
    let elements = table.elements(container);
    for (index, element) in elements.iter().enumerate() {
        let start = if index == 0 { "\t\telements = { " } else { "\t\t\t     " };
        let end = if index + 1 == elements.len() { " }" } else { "," };
        f.write_str(start)?;
        write_element(f, container, element)?;
        writeln!(f, "{end}")?;
    }
    f.write_str("\t}\n\n")
}

/// A comment stands before the colon.
fn write_element(f: &mut Formatter<'_>, container: Container, element: &Element) -> fmt::Result {
    write_key(f, container, &element.key)?;
    if let Value::Network(length) = element.value
        && !element.is_single_client(length)
    {
        write!(f, "/{length}")?;
    }
    if let Some(comment) = &element.comment {
        write!(f, " comment \"{comment}\"")?;
    }
    match element.value {
        Value::Present | Value::Network(_) | Value::Foreign => Ok(()),
        Value::Seat(seat) => write!(f, " : {}", priority_text(seat)),
        Value::Endpoint(endpoint) => write!(f, " : {} . {}", endpoint.ip, endpoint.port),
        Value::Chain(chain) => write!(f, " : goto {chain}"),
        Value::Drop => f.write_str(" : drop"),
    }
}

fn write_key(f: &mut Formatter<'_>, container: Container, key: &Key) -> fmt::Result {
    for (index, field) in KeyText::new(container, key).fields().iter().enumerate() {
        let dot = if index == 0 { "" } else { " . " };
        write!(f, "{dot}{field}")?;
    }
    Ok(())
}

fn write_chain(f: &mut Formatter<'_>, chain: &Chain, family: Family) -> fmt::Result {
    writeln!(f, "\tchain {} {{", chain.name)?;
    if let Some(base) = chain.base_text() {
        writeln!(f, "\t\t{base}")?;
    }
    for rule in &chain.rules {
        let statements: Vec<String> =
            rule.iter().map(|it| StatementText(it, family).to_string()).collect();
        writeln!(f, "\t\t{}", statements.join(" "))?;
    }
    f.write_str("\t}\n\n")
}
