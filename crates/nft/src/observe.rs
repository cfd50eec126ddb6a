//! Reading our tables out of the kernel.

use std::collections::HashMap;

use portolan_core::{EndpointAddress, Family, Pool, PortPlan};
use portolan_netlink::NetlinkError;
use portolan_netlink::nftables::{Connection, Data, ElementView, Verdict};

use crate::chain_name::ServingChain;
use crate::container::Container;
use crate::element::{Value, entry_kind, frontend_key, pools};
use crate::key::{Key, endpoint_from_kernel};
use crate::lower::kernel_family;
use crate::table::{ObservedChain, ObservedElement, ObservedTable};

/// Reads a family's table; `None` if there is none.
pub(crate) fn observe(
    connection: &mut Connection,
    family: Family,
    table: &str,
) -> Result<Option<ObservedTable>, NetlinkError> {
    let Some(mut observed) = observe_structure(connection, family, table)? else {
        return Ok(None);
    };
    for container in Container::ALL {
        if observed.sets.contains_key(container.name()) {
            let (elements, is_spoilt) = observe_elements(connection, family, table, container)?;
            observed.elements.insert(container, elements);
            if is_spoilt {
                observed.spoilt.insert(container);
            }
        }
    }
    Ok(Some(observed))
}

/// Reads a family's table without elements; `None` if there is none.
pub(crate) fn observe_structure(
    connection: &mut Connection,
    family: Family,
    table: &str,
) -> Result<Option<ObservedTable>, NetlinkError> {
    let kernel = kernel_family(family);
    let tables = connection.tables(kernel)?;
    let Some(listed) = tables.iter().find(|listed| listed.name == table) else {
        return Ok(None);
    };
    let mut observed = ObservedTable { is_dormant: listed.dormant, ..ObservedTable::default() };
    for chain in connection.chains(kernel, table)? {
        let there = ObservedChain { base: chain.base, rules: Vec::new() };
        observed.chains.insert(chain.name, there);
    }
    for listed in connection.rules(kernel, table)? {
        observed.chains.entry(listed.chain).or_default().rules.push(listed.rule);
    }
    for set in connection.sets(kernel, table)? {
        observed.sets.insert(set.name.clone(), set);
    }
    Ok(Some(observed))
}

fn observe_elements(
    connection: &mut Connection,
    family: Family,
    table: &str,
    container: Container,
) -> Result<(HashMap<Key, ObservedElement>, bool), NetlinkError> {
    let mut elements = HashMap::new();
    let mut is_spoilt = false;
    connection.elements(kernel_family(family), table, container.name(), &mut |view| {
        is_spoilt |= view.key.is_empty();
        // A key that is none of ours belongs to a set that is declared otherwise, and that
        // is made again anyway.
        if let Some(key) = Key::from_kernel(view.key) {
            let comment = view.comment.map(Into::into);
            elements.insert(key, ObservedElement { value: value(&view), comment });
        }
    })?;
    Ok((elements, is_spoilt))
}

fn value(view: &ElementView<'_>) -> Value {
    match view.data {
        None => Value::Present,
        Some(Data::Bytes(bytes)) => {
            endpoint_from_kernel(bytes).map_or(Value::Foreign, Value::Endpoint)
        }
        Some(Data::Verdict(Verdict::Drop)) => Value::Drop,
        Some(Data::Verdict(Verdict::Goto(chain))) => {
            ServingChain::from_name(chain).map_or(Value::Foreign, Value::Chain)
        }
        Some(Data::Verdict(_)) => Value::Foreign,
    }
}

/// Who is in the slots of a port's pool, as far as the kernel's table tells: the slots of
/// the first frontend that uses the pool.
pub(crate) fn occupied(
    observed: &ObservedTable,
    port: &PortPlan,
    pool: Pool,
) -> Vec<EndpointAddress> {
    for frontend in &port.frontends {
        let key = frontend_key(port, frontend);
        for (used, side) in pools(frontend).into_iter().zip([Pool::Cluster, Pool::Local]) {
            if used != Some(pool) {
                continue;
            }
            let container = entry_kind(frontend).endpoints(side);
            let slot = |slot| match observed.value(container, &key.with_slot(slot)) {
                Some(Value::Endpoint(endpoint)) => Some(endpoint),
                _ => None,
            };
            let slots: Vec<EndpointAddress> = (0u32..).map_while(slot).collect();
            if !slots.is_empty() {
                return slots;
            }
        }
    }
    Vec::new()
}
