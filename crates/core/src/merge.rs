//! Merging: the endpoints of one service port out of all its EndpointSlices.

use std::sync::Arc;

use crate::address::special;
use crate::model::{Endpoint, EndpointSlice, Family, ServicePort};
use crate::plan::EndpointAddress;
use crate::problem::{ObjectKind, Problem};
use crate::select::{Candidate, Placement};

/// The endpoints of a port in one family, sorted by address, each address once.
///
/// A slice port belongs to a service port if name and protocol are equal; numbers do not
/// matter. `slices` must come in a fixed order, since the order decides between equals:
/// an endpoint may be in two slices while it moves, and then the last entry that is not
/// terminating counts, or else the first one.
pub(crate) fn candidates<'a>(
    slices: &'a [Arc<EndpointSlice>],
    family: Family,
    port: &ServicePort,
    node_name: &str,
) -> Vec<Candidate<'a>> {
    let mut candidates: Vec<Candidate<'a>> = slices
        .iter()
        .filter(|slice| slice.family == family)
        .flat_map(|slice| slice_candidates(slice, port, node_name))
        .collect();
    // Stable: entries of one address stay in the order of the slices.
    candidates.sort_by_key(|candidate| candidate.address);
    candidates.dedup_by(|next, kept| {
        let same = next.address == kept.address;
        if same && !next.conditions.terminating {
            *kept = *next;
        }
        same
    });
    candidates
}

fn slice_candidates<'a>(
    slice: &'a EndpointSlice,
    port: &ServicePort,
    node_name: &str,
) -> impl Iterator<Item = Candidate<'a>> {
    slice
        .ports
        .iter()
        .filter(|candidate| candidate.protocol == port.protocol && candidate.name == port.name)
        .flat_map(move |port| slice.endpoints.iter().map(move |endpoint| (port.port, endpoint)))
        .filter(|(_, endpoint)| refusal(slice, endpoint).is_none())
        .map(move |(port, endpoint)| Candidate {
            address: EndpointAddress { ip: endpoint.address, port },
            conditions: endpoint.conditions,
            placement: match endpoint.node_name.as_deref() {
                None => Placement::Unknown,
                Some(name) if !name.is_empty() && name == node_name => Placement::ThisNode,
                Some(_) => Placement::OtherNode,
            },
            hints: endpoint.hints.as_deref(),
        })
}

/// The endpoints that [`candidates`] leaves out, said so that their owner can mend them.
pub(crate) fn problems(slice: &EndpointSlice) -> Vec<Problem> {
    let problem = |(index, endpoint)| {
        Some(Problem {
            kind: ObjectKind::EndpointSlice,
            object: slice.name.clone(),
            field: format!("endpoints[{index}].addresses[0]"),
            reason: refusal(slice, endpoint)?,
        })
    };
    slice.endpoints.iter().enumerate().filter_map(problem).collect()
}

/// Why an endpoint cannot be used, if so.
fn refusal(slice: &EndpointSlice, endpoint: &Endpoint) -> Option<String> {
    let (address, family) = (endpoint.address, slice.family);
    if Family::of(address) != family {
        Some(format!("{address} is skipped: the slice is for {family} addresses"))
    } else {
        special(address).map(|kind| format!("{address} is skipped: it is {kind}"))
    }
}
