//! The chain that a frontend leads to, and what its name tells of the frontend.

use std::collections::BTreeSet;

use portolan_core::{Action, Frontend, Masquerade, PortPlan, Traffic, WhenEndpointGone};

use super::clients::restriction;
use super::{Value, entry_kind};
use crate::chain_name::{Beyond, Draw, Outlet, ServingChain};
use crate::slots::PortSlots;
use crate::table::require;

/// What a frontend's element says.
pub(super) fn verdict_of(port: &PortPlan, slots: &PortSlots, frontend: &Frontend) -> Value {
    let mut verdict = verdict(port, slots, frontend);
    if port.when_endpoint_gone == WhenEndpointGone::Reset {
        verdict = resetting_strays(verdict);
    }
    if let (Value::Chain(chain), Some(_)) = (verdict, restriction(port, frontend)) {
        verdict = Value::Chain(chain.restricted().unwrap_or(chain));
    }
    verdict
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
