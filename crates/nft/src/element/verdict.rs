//! The chain that a frontend leads to, and what its name tells of the frontend.

use std::collections::BTreeSet;

use portolan_core::{Action, Frontend, Masquerade, Pool, PortPlan, Traffic, WhenEndpointGone};

use super::clients::restriction;
use super::{Value, entry_kind, frontend_key};
use crate::chain_name::{Beyond, Draw, Outlet, ServingChain};
use crate::partition::Parts;
use crate::slots::PortSlots;
use crate::table::require;

/// What a frontend's element says.
pub(super) fn verdict_of(
    port: &PortPlan,
    slots: &PortSlots,
    parts: Parts,
    frontend: &Frontend,
) -> Value {
    let mut verdict = verdict(port, slots, parts, frontend);
    if port.when_endpoint_gone == WhenEndpointGone::Reset {
        verdict = resetting_strays(verdict);
    }
    if let (Value::Chain(chain), Some(_)) = (verdict, restriction(port, frontend)) {
        verdict = Value::Chain(chain.restricted().unwrap_or(chain));
    }
    verdict
}

fn verdict(port: &PortPlan, slots: &PortSlots, parts: Parts, frontend: &Frontend) -> Value {
    let kind = entry_kind(frontend);
    let affinity = port.affinity.map(|affinity| affinity.timeout_seconds);
    let part = |side| match affinity {
        None => parts.of(kind, side, &frontend_key(port, frontend)),
        Some(_) => 0,
    };
    let outlet = |action, side| match action {
        Action::Balance(pool) => match u32::try_from(slots.pool(pool).endpoints.len()) {
            Ok(0) | Err(_) => Outlet::Reject,
            Ok(slots) => Outlet::Balance(Draw { slots, affinity, part: part(side) }),
        },
        Action::Reject => Outlet::Reject,
        Action::Drop => Outlet::Drop,
    };
    let (inside, outside) = match frontend.traffic {
        Traffic::Everyone(action) => match (outlet(action, Pool::Cluster), frontend.masquerade) {
            (Outlet::Reject, _) => return Value::Chain(ServingChain::Reject),
            (Outlet::Drop, _) => return Value::Drop,
            (Outlet::Balance(draw), Masquerade::UnlessLocalPod) => {
                return Value::Chain(ServingChain::ClusterIp(draw));
            }
            (Outlet::Balance(draw), Masquerade::Always | Masquerade::ThisNode) => {
                return Value::Chain(ServingChain::External(kind, draw));
            }
        },
        Traffic::ByOrigin { inside, outside } => {
            (outlet(inside, Pool::Cluster), outlet(outside, Pool::Local))
        }
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

/// How a verdict draws endpoints: for everyone or those inside, and for those outside.
pub(crate) fn draws(value: Value) -> [Option<Draw>; 2] {
    let draw = |outlet| match outlet {
        Outlet::Balance(draw) => Some(draw),
        Outlet::Reject | Outlet::Drop => None,
    };
    let Value::Chain(chain) = value else { return [None, None] };
    match chain {
        ServingChain::Allowed(restricted) => draws(Value::Chain(restricted.chain())),
        ServingChain::ResetStrays(beyond) => {
            beyond.chain().map_or([None, None], |it| draws(Value::Chain(it)))
        }
        ServingChain::ClusterIp(draw) | ServingChain::External(_, draw) => [Some(draw), None],
        ServingChain::ExternalLocal(_, inside, outside) => [draw(inside), draw(outside)],
        _ => [None, None],
    }
}
