//! The elements that a placed service puts into the maps.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use portolan_core::{
    Action, Destination, EndpointAddress, Family, Frontend, Masquerade, ObjectName, Pool, PortPlan,
    Traffic, WhenEndpointGone,
};

use portolan_netlink::nftables::clip_comment;

use crate::chain_name::{Beyond, Draw, EntryKind, Outlet, ServingChain};
use crate::container::{Container, FIRST_SLOT};
use crate::key::Key;
use crate::slots::{PlacedService, PortSlots, Slots};
use crate::table::require;

/// What a key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing: the key is in a set.
    Present,
    /// An endpoint.
    Endpoint(EndpointAddress),
    /// A chain.
    Chain(ServingChain),
    /// A seat.
    Seat(u32),
    /// The key is the first of a network with this prefix length.
    Network(u8),
    /// Silence.
    Drop,
    /// Something that is not ours; only in what is observed.
    Foreign,
}

/// An element of a set or map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    /// The key.
    pub(crate) key: Key,
    /// The value.
    pub(crate) value: Value,
    /// The comment; names the Service where the value is a verdict.
    pub(crate) comment: Option<Box<str>>,
}

impl Element {
    /// Whether a network of this prefix length, whose first address ends the key, is a host.
    pub(crate) fn is_single_client(&self, prefix_length: u8) -> bool {
        let (_, client) = self.key.split_client();
        client.is_some_and(|client| IpNet::from(client).prefix_len() == prefix_length)
    }
}

/// The last key of the clients of a frontend, whose first key this is.
pub(crate) fn last_client(first: Key, prefix_length: u8) -> Option<Key> {
    let (frontend, client) = first.split_client();
    let network = IpNet::new(client?, prefix_length).ok()?;
    Some(frontend.with_client(network.broadcast()))
}

/// The prefix length of the network between two keys, if it is one.
pub(crate) fn client_prefix(first: Key, last: Key) -> Option<u8> {
    let (frontend, client) = first.split_client();
    let (other, end) = last.split_client();
    let (client, end) = (client?, end?);
    let common = match (client, end) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        _ => return None,
    };
    let length = u8::try_from(common).ok()?;
    let network = IpNet::new(client, length).ok()?;
    let is_whole = network.network() == client && network.broadcast() == end;
    (frontend == other && is_whole).then_some(length)
}

/// Which elements are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection {
    /// Those of this family; of both without one.
    pub(crate) family: Option<Family>,
    /// Those of this container; of all without one.
    pub(crate) container: Option<Container>,
}

impl Selection {
    /// All elements.
    pub(crate) const ALL: Selection = Selection { family: None, container: None };

    /// Whether elements of a container are asked for.
    pub(crate) fn has(self, container: Container) -> bool {
        self.container.is_none_or(|wanted| wanted == container)
    }

    fn has_family(self, family: Family) -> bool {
        self.family.is_none_or(|wanted| wanted == family)
    }
}

/// Hands out the elements that only this service has.
pub(crate) fn own_elements(
    service: &PlacedService,
    selection: Selection,
    emit: &mut dyn FnMut(Family, Container, Element),
) {
    for (port, slots) in service.ports().filter(|(port, _)| selection.has_family(port.family)) {
        let mut emit = |container, element| emit(port.family, container, element);
        for frontend in &port.frontends {
            let kind = entry_kind(frontend);
            if selection.has(Container::Verdicts(kind)) {
                let (key, value) =
                    (frontend_key(port, frontend), verdict_of(port, slots, frontend));
                let comment = comment(&service.plan.name, &port.name);
                emit(Container::Verdicts(kind), Element { key, value, comment });
            }
            if selection.has(Container::SourceRanges) {
                range_elements(port, frontend, &mut emit);
            }
            pool_elements(port, slots, frontend, selection, &mut emit);
        }
    }
}

/// Hands out the addresses that this service shares with others: the set's element exists
/// as long as one service has it. An address may come several times.
pub(crate) fn shared_addresses(service: &PlacedService, emit: &mut dyn FnMut(Container, IpAddr)) {
    for port in &service.plan.ports {
        for frontend in &port.frontends {
            if let Destination::ClusterIp(ip) = frontend.destination {
                emit(Container::ClusterIps, ip);
            }
        }
        for ip in &port.hairpin {
            emit(Container::Hairpin, *ip);
        }
    }
}

/// The element of a shared address.
pub(crate) fn shared_element(container: Container, ip: IpAddr) -> Element {
    let key = match container {
        Container::Hairpin => Key::pair(ip),
        _ => Key::address(ip),
    };
    Element { key, value: Value::Present, comment: None }
}

/// How a frontend is found.
pub(crate) fn entry_kind(frontend: &Frontend) -> EntryKind {
    match frontend.destination {
        Destination::NodePort => EntryKind::NodePort,
        _ => EntryKind::Address,
    }
}

/// The key of a frontend, without slot.
pub(crate) fn frontend_key(port: &PortPlan, frontend: &Frontend) -> Key {
    Key::frontend(frontend.destination.address(), port.protocol, frontend.port)
}

/// Which pool of the plan fills which map for a frontend: first the one for pods and the
/// node, or everyone, then the one for clients that are confined to this node.
pub(crate) fn pools(frontend: &Frontend) -> [Option<Pool>; 2] {
    let pool = |action| match action {
        Action::Balance(pool) => Some(pool),
        Action::Reject | Action::Drop => None,
    };
    match frontend.traffic {
        Traffic::Everyone(action) => [pool(action), None],
        Traffic::ByOrigin { inside, outside } => [pool(inside), pool(outside)],
    }
}

/// Says how many elements of its own a service has in each container, with the value of each
/// verdict, without making them.
pub(crate) fn count_own_elements(
    service: &PlacedService,
    count: &mut dyn FnMut(Family, Container, usize, Option<Value>),
) {
    for (port, slots) in service.ports() {
        let mut count = |container, elements, value| count(port.family, container, elements, value);
        for frontend in &port.frontends {
            let kind = entry_kind(frontend);
            count(Container::Verdicts(kind), 1, Some(verdict_of(port, slots, frontend)));
            let ranges = restriction(port, frontend).map_or(0, <[IpNet]>::len);
            count(Container::SourceRanges, ranges, None);
            for (pool, side) in pools(frontend).into_iter().zip([Pool::Cluster, Pool::Local]) {
                let endpoints = pool.map_or(0, |pool| slots.pool(pool).endpoints.len());
                if port.affinity.is_some() {
                    count(Container::Seats(kind, side), 2 * endpoints, None);
                    count(Container::SeatedEndpoints(kind, side), endpoints, None);
                } else {
                    count(Container::Endpoints(kind, side), endpoints, None);
                }
            }
        }
    }
}

fn verdict_of(port: &PortPlan, slots: &PortSlots, frontend: &Frontend) -> Value {
    let mut verdict = verdict(port, slots, frontend);
    if port.when_endpoint_gone == WhenEndpointGone::Reset {
        verdict = resetting_strays(verdict);
    }
    if let (Value::Chain(chain), Some(_)) = (verdict, restriction(port, frontend)) {
        verdict = Value::Chain(chain.restricted().unwrap_or(chain));
    }
    verdict
}

fn range_elements(port: &PortPlan, frontend: &Frontend, emit: &mut dyn FnMut(Container, Element)) {
    for range in restriction(port, frontend).unwrap_or_default() {
        let key = frontend_key(port, frontend).with_client(range.network());
        let value = Value::Network(range.prefix_len());
        emit(Container::SourceRanges, Element { key, value, comment: None });
    }
}

fn pool_elements(
    port: &PortPlan,
    slots: &PortSlots,
    frontend: &Frontend,
    selection: Selection,
    emit: &mut dyn FnMut(Container, Element),
) {
    let key = frontend_key(port, frontend);
    let kind = entry_kind(frontend);
    for (pool, side) in pools(frontend).into_iter().zip([Pool::Cluster, Pool::Local]) {
        let Some(pool) = pool else { continue };
        let slots = slots.pool(pool);
        let container = Container::Endpoints(kind, side);
        if port.affinity.is_some() {
            seat_elements(key, slots, kind, side, &mut |container, element| {
                if selection.has(container) {
                    emit(container, element);
                }
            });
        } else if selection.has(container) {
            for (slot, endpoint) in (0u32..).zip(&slots.endpoints) {
                let value = Value::Endpoint(*endpoint);
                emit(container, Element { key: key.with_slot(slot), value, comment: None });
            }
        }
    }
}

fn seat_elements(
    key: Key,
    slots: &Slots,
    kind: EntryKind,
    side: Pool,
    emit: &mut dyn FnMut(Container, Element),
) {
    for ((slot, endpoint), seat) in (FIRST_SLOT..).zip(&slots.endpoints).zip(&slots.seats) {
        for number in [slot, *seat] {
            let (key, value) = (key.with_slot(number), Value::Seat(*seat));
            emit(Container::Seats(kind, side), Element { key, value, comment: None });
        }
        let (key, value) = (key.with_slot(*seat), Value::Endpoint(*endpoint));
        emit(Container::SeatedEndpoints(kind, side), Element { key, value, comment: None });
    }
}

/// The clients that may use a frontend, if not all may.
fn restriction<'a>(port: &'a PortPlan, frontend: &Frontend) -> Option<&'a [IpNet]> {
    match frontend.destination {
        Destination::LoadBalancerIp(_) => port.source_ranges.as_deref(),
        _ => None,
    }
}

fn verdict(port: &PortPlan, slots: &PortSlots, frontend: &Frontend) -> Value {
    let kind = entry_kind(frontend);
    let affinity = port.affinity.map(|affinity| affinity.timeout_seconds);
    let outlet = |action| match action {
        Action::Balance(pool) => match u32::try_from(slots.pool(pool).endpoints.len()) {
            Ok(0) | Err(_) => Outlet::Reject,
            Ok(slots) => Outlet::Balance(Draw { slots, affinity }),
        },
        Action::Reject => Outlet::Reject,
        Action::Drop => Outlet::Drop,
    };
    let (inside, outside) = match frontend.traffic {
        Traffic::Everyone(action) => match (outlet(action), frontend.masquerade) {
            (Outlet::Reject, _) => return Value::Chain(ServingChain::Reject),
            (Outlet::Drop, _) => return Value::Drop,
            (Outlet::Balance(draw), Masquerade::UnlessLocalPod) => {
                return Value::Chain(ServingChain::ClusterIp(draw));
            }
            (Outlet::Balance(draw), Masquerade::Always | Masquerade::ThisNode) => {
                return Value::Chain(ServingChain::External(kind, draw));
            }
        },
        Traffic::ByOrigin { inside, outside } => (outlet(inside), outlet(outside)),
    };
    Value::Chain(ServingChain::ExternalLocal(kind, inside, outside))
}

fn resetting_strays(verdict: Value) -> Value {
    match verdict {
        Value::Chain(chain) => Value::Chain(chain.resetting_strays()),
        Value::Drop => Value::Chain(ServingChain::ResetStrays(Beyond::Drop)),
        other => other,
    }
}

/// Whether clients of a verdict keep their endpoints.
pub(crate) fn has_affinity(value: Value) -> bool {
    let Value::Chain(chain) = value else { return false };
    let mut reached = BTreeSet::new();
    require(&mut reached, chain);
    let keeps = |chain: &ServingChain| {
        matches!(chain, ServingChain::Balance(_, _, Draw { affinity: Some(_), .. }))
    };
    reached.iter().any(keeps)
}

/// How many slots a verdict counts on: of everyone or those inside, and of those outside.
pub(crate) fn slots(value: Value) -> (u32, u32) {
    let count = |outlet| match outlet {
        Outlet::Balance(draw) => draw.slots,
        Outlet::Reject | Outlet::Drop => 0,
    };
    let Value::Chain(chain) = value else { return (0, 0) };
    match chain {
        ServingChain::Allowed(restricted) => slots(Value::Chain(restricted.chain())),
        ServingChain::ResetStrays(beyond) => {
            beyond.chain().map_or((0, 0), |it| slots(Value::Chain(it)))
        }
        ServingChain::ClusterIp(draw) | ServingChain::External(_, draw) => (draw.slots, 0),
        ServingChain::ExternalLocal(_, inside, outside) => (count(inside), count(outside)),
        _ => (0, 0),
    }
}

/// The longest comment that every nft reads back, in bytes, and how a longer one ends.
const COMMENT_LIMIT: usize = 127;
const ELLIPSIS: &str = "...";

/// `namespace/name:port`, as far as nft can print and read it.
fn comment(service: &ObjectName, port: &str) -> Option<Box<str>> {
    let mut comment = service.to_string();
    if !port.is_empty() {
        comment.push(':');
        comment.push_str(port);
    }
    if comment.len() > COMMENT_LIMIT {
        let cut = COMMENT_LIMIT - ELLIPSIS.len();
        comment.truncate((0..=cut).rev().find(|at| comment.is_char_boundary(*at)).unwrap_or(0));
        comment.push_str(ELLIPSIS);
    }
    Some(clip_comment(&comment)).filter(|it| !it.is_empty()).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_what_nft_reads_back() {
        let long = ObjectName::new(&"n".repeat(63), &"s".repeat(63));
        let cut = comment(&long, "https").unwrap();
        assert!(cut.len() == COMMENT_LIMIT && cut.ends_with(ELLIPSIS), "{cut}");
        let plain = ObjectName::new("a", "b");
        assert_eq!(comment(&plain, "").as_deref(), Some("a/b"));
        assert_eq!(comment(&plain, "c").as_deref(), Some("a/b:c"));
        assert_eq!(comment(&ObjectName::new("a", "b\" : drop }"), "c").as_deref(), Some("a/b"));
        assert_eq!(comment(&ObjectName::new("\n", "b"), "c"), None);
    }
}
