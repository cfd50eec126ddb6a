//! Plans as a table: what each address of a Service does.

use std::collections::BTreeSet;

use portolan_agent::control::LoopbackReport;
use portolan_core::{
    Action, Destination, Family, Frontend, HealthCheck, Masquerade, Pool, PortPlan, Printable,
    ServicePlan, Traffic, WhenEndpointGone,
};

use crate::layout::Table;
use crate::loopback_text;

/// One row for each address and port, and one more for each further thing to know of it.
/// `loopback` tells of NodePorts on `::1`, if they are asked for.
pub(crate) fn plan_table<'a>(
    plans: impl IntoIterator<Item = &'a ServicePlan>,
    loopback: Option<&LoopbackReport>,
) -> Table<5> {
    let mut table = Table::new(["SERVICE", "ADDRESS", "PORT", "ENDPOINTS", "NEW CONNECTIONS"]);
    for plan in plans {
        let name = Printable(&plan.name.to_string()).to_string();
        // What an annotation says is for all addresses of a Service.
        let mut told = BTreeSet::new();
        for port in &plan.ports {
            for frontend in &port.frontends {
                table.push([
                    name.clone(),
                    address(port, frontend),
                    format!("{}/{}", frontend.port, port.protocol),
                    endpoints(port, frontend),
                    what_happens(frontend),
                ]);
                let on_loopback =
                    loopback.and_then(|it| loopback_text::note(it, &plan.name, port, frontend));
                let annotations =
                    annotations(plan, port, frontend).filter(|it| told.insert(it.clone()));
                let further = further(port, frontend).into_iter().chain(annotations);
                for further in further.chain(on_loopback) {
                    let empty = String::new;
                    table.push([name.clone(), empty(), empty(), empty(), further]);
                }
            }
        }
        for row in plan.health_check.iter().flat_map(health_check) {
            let [address, port, endpoints, answer] = row;
            table.push([name.clone(), address, port, endpoints, answer]);
        }
    }
    table
}

/// Where load balancers ask whether to use this node, and what they hear while the agent
/// is live.
fn health_check(check: &HealthCheck) -> impl Iterator<Item = [String; 4]> {
    Family::BOTH.into_iter().filter_map(|family| {
        let local = check.local_endpoints(family)?;
        let answer =
            if local > 0 { "health check passes" } else { "health check fails, no ready endpoint" };
        Some([
            format!("NodePort {family}"),
            format!("{}/TCP", check.port),
            format!("{local} local"),
            answer.to_owned(),
        ])
    })
}

fn address(port: &PortPlan, frontend: &Frontend) -> String {
    match frontend.destination {
        Destination::ClusterIp(ip) | Destination::ExternalIp(ip) => ip.to_string(),
        Destination::LoadBalancerIp(ip) => format!("{ip} (LB)"),
        Destination::NodePort => format!("NodePort {}", port.family),
    }
}

/// How many endpoints the policies that matter here choose from.
fn endpoints(port: &PortPlan, frontend: &Frontend) -> String {
    let (cluster, local) = (port.cluster.len(), port.local.len());
    match frontend.traffic {
        Traffic::Everyone(Action::Balance(Pool::Cluster) | Action::Reject) => cluster.to_string(),
        Traffic::Everyone(Action::Balance(Pool::Local) | Action::Drop) => format!("{local} local"),
        Traffic::ByOrigin { .. } => format!("{cluster}, {local} local"),
    }
}

fn what_happens(frontend: &Frontend) -> String {
    let (Traffic::Everyone(action) | Traffic::ByOrigin { outside: action, .. }) = frontend.traffic;
    let source = match frontend.masquerade {
        _ if !balances(action) => "",
        Masquerade::Always => ", masqueraded",
        Masquerade::ThisNode => ", source kept",
        Masquerade::UnlessLocalPod => "",
    };
    format!("{}{source}", describe(action))
}

fn further(port: &PortPlan, frontend: &Frontend) -> Vec<String> {
    let mut further = Vec::new();
    let mut balanced = false;
    match frontend.traffic {
        Traffic::Everyone(action) => balanced |= balances(action),
        Traffic::ByOrigin { inside, outside } => {
            balanced |= balances(inside) || balances(outside);
            further.push(format!("from pods and this node: {}", describe(inside)));
        }
    }
    if let Some(affinity) = port.affinity.filter(|_| balanced) {
        further.push(format!("a client keeps its endpoint for {} s", affinity.timeout_seconds));
    }
    if matches!(frontend.destination, Destination::LoadBalancerIp(_)) {
        match port.source_ranges.as_deref() {
            Some([]) => further.push("from nobody".to_owned()),
            ranges => further.extend(
                ranges.unwrap_or_default().iter().map(|range| format!("only from {range}")),
            ),
        }
    }
    further
}

/// What the Service asks IPVS for, whatever balances now.
fn scheduler(plan: &ServicePlan, frontend: &Frontend) -> Option<String> {
    let balanced = match frontend.traffic {
        Traffic::Everyone(action) => balances(action),
        Traffic::ByOrigin { inside, outside } => balances(inside) || balances(outside),
    };
    plan.ipvs_scheduler.filter(|_| balanced).map(|it| format!("where IPVS balances: {it}"))
}

/// What the Service asks for in annotations.
fn annotations(
    plan: &ServicePlan,
    port: &PortPlan,
    frontend: &Frontend,
) -> impl Iterator<Item = String> + use<> {
    let of_gone = when_endpoint_gone(port).map(str::to_owned);
    of_gone.into_iter().chain(scheduler(plan, frontend))
}

fn when_endpoint_gone(port: &PortPlan) -> Option<&'static str> {
    match port.when_endpoint_gone {
        WhenEndpointGone::Keep => None,
        WhenEndpointGone::Drop => Some("connections to gone endpoints are dropped"),
        WhenEndpointGone::Reset => Some("connections to gone endpoints are reset"),
    }
}

fn balances(action: Action) -> bool {
    matches!(action, Action::Balance(_))
}

fn describe(action: Action) -> &'static str {
    match action {
        Action::Balance(Pool::Cluster) => "any endpoint",
        Action::Balance(Pool::Local) => "local endpoints",
        Action::Reject => "refused, no endpoint",
        Action::Drop => "dropped, none allowed",
    }
}

#[cfg(test)]
mod tests;
