//! Claims: the addresses and ports at which a Service wants to be reached.
//!
//! A claim becomes a frontend unless another service has a better right to the same one, as
//! its ClusterIP or by its age.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::address::special;
use crate::model::{Family, Protocol, Service, ServicePort, ServiceType};
use crate::plan::{Destination, Frontend, PortPlan};
use crate::problem::{ObjectKind, Problem};

/// What only one service can have: an address or the NodePorts of a family, with
/// protocol and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FrontendKey {
    /// `None` for NodePorts.
    address: Option<IpAddr>,
    family: Family,
    protocol: Protocol,
    port: u16,
}

impl FrontendKey {
    /// The port of an address.
    pub(crate) fn on_address(address: IpAddr, protocol: Protocol, port: u16) -> FrontendKey {
        FrontendKey { address: Some(address), family: Family::of(address), protocol, port }
    }

    /// All ports of an address.
    pub(crate) fn all_on(address: IpAddr) -> RangeInclusive<FrontendKey> {
        let [first, .., last] = Protocol::ALL;
        let key = |protocol, port| FrontendKey::on_address(address, protocol, port);
        key(first, u16::MIN)..=key(last, u16::MAX)
    }

    /// A NodePort of a family.
    pub(crate) fn node_port(family: Family, protocol: Protocol, port: u16) -> FrontendKey {
        FrontendKey { address: None, family, protocol, port }
    }

    /// Whether this is where a frontend of a plan is reached.
    pub(crate) fn is_of(&self, plan: &PortPlan, frontend: &Frontend) -> bool {
        self.family == plan.family
            && self.protocol == plan.protocol
            && self.port == frontend.port
            && self.address == frontend.destination.address()
    }
}

impl fmt::Display for FrontendKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FrontendKey { address, family, protocol, port } = self;
        match address {
            Some(address) => write!(f, "{protocol} port {port} of {address}"),
            None => write!(f, "{family} {protocol} node port {port}"),
        }
    }
}

/// One frontend that a Service wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// The index in `spec.ports`.
    pub(crate) port_index: usize,
    /// The number of that port, host byte order.
    pub(crate) port_number: u16,
    /// The family; NodePorts are claimed once for each.
    pub(crate) family: Family,
    /// The address.
    pub(crate) destination: Destination,
    /// The protocol.
    pub(crate) protocol: Protocol,
    /// The port on that address, host byte order.
    pub(crate) port: u16,
    /// Where the Service says so.
    pub(crate) field: Field,
}

impl Claim {
    /// What two services would fight for.
    pub(crate) fn key(&self) -> FrontendKey {
        FrontendKey {
            address: self.destination.address(),
            family: self.family,
            protocol: self.protocol,
            port: self.port,
        }
    }

    /// Whether it is there for clients outside the cluster.
    pub(crate) fn is_external(&self) -> bool {
        !matches!(self.destination, Destination::ClusterIp(_))
    }
}

/// A field of a Service, printed as the API writes its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    ClusterIp(usize),
    ExternalIp(usize),
    /// Without an index: entries without a usable address are not in the model.
    LoadBalancerIp,
    Port(usize),
    NodePort(usize),
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::ClusterIp(index) => write!(f, "spec.clusterIPs[{index}]"),
            Field::ExternalIp(index) => write!(f, "spec.externalIPs[{index}]"),
            Field::LoadBalancerIp => f.write_str("status.loadBalancer.ingress"),
            Field::Port(index) => write!(f, "spec.ports[{index}].port"),
            Field::NodePort(index) => write!(f, "spec.ports[{index}].nodePort"),
        }
    }
}

/// What a Service asks for.
#[derive(Debug, Default)]
pub(crate) struct ServiceClaims {
    /// By family, protocol and number of the Service port; no key twice.
    pub(crate) claims: Vec<Claim>,
    /// What cannot be served, whatever other services say.
    pub(crate) problems: Vec<Problem>,
}

/// Reads off a Service which frontends it wants.
///
/// A family is served only if the Service has a ClusterIP of it, also for external
/// addresses and NodePorts, as kube-proxy does. The type is of no account but for
/// `ExternalName`: a NodePort or an ingress address that is there is served.
pub(crate) fn claims(service: &Service) -> ServiceClaims {
    let mut asked = ServiceClaims::default();
    if service.service_type == ServiceType::ExternalName {
        return asked;
    }
    let ports = distinct_ports(service, &mut asked.problems);
    let mut seen = HashSet::new();
    for family in Family::BOTH {
        let addresses = addresses(service, family, &mut asked.problems);
        for &(index, port) in &ports {
            for claim in port_claims(index, port, family, &addresses) {
                if seen.insert(claim.key()) {
                    asked.claims.push(claim);
                } else if claim.destination == Destination::NodePort {
                    let reason = format!("{} is skipped: an earlier port has it", claim.key());
                    asked.problems.push(problem(service, claim.field, reason));
                }
            }
        }
    }
    asked.claims.sort_by_key(|claim| (claim.family, claim.protocol, claim.port_number));
    asked
}

/// The ports whose protocol and number no earlier port has.
fn distinct_ports<'a>(
    service: &'a Service,
    problems: &mut Vec<Problem>,
) -> Vec<(usize, &'a ServicePort)> {
    let mut seen = HashSet::new();
    let mut ports = Vec::with_capacity(service.ports.len());
    for (index, port) in service.ports.iter().enumerate() {
        if seen.insert((port.protocol, port.port)) {
            ports.push((index, port));
        } else {
            let reason =
                format!("{} {} is skipped: an earlier port has it", port.protocol, port.port);
            problems.push(problem(service, Field::Port(index), reason));
        }
    }
    ports
}

/// The addresses of a family, each with the field it comes from, the ClusterIP first;
/// what cannot be served is reported.
fn addresses(
    service: &Service,
    family: Family,
    problems: &mut Vec<Problem>,
) -> Vec<(Destination, Field)> {
    let cluster_ips = of_family(&service.cluster_ips, family)
        .map(|(index, ip)| (Destination::ClusterIp(ip), Field::ClusterIp(index)));
    let mut addresses: Vec<(Destination, Field)> = Vec::new();
    for (destination, field) in cluster_ips.chain(external_addresses(service, family)) {
        match refusal(destination, family, !addresses.is_empty()) {
            Some(reason) => {
                let reason = format!("{destination} is skipped: {reason}");
                problems.push(problem(service, field, reason));
            }
            None => addresses.push((destination, field)),
        }
    }
    addresses
}

/// Why an address cannot be served, if so.
fn refusal(destination: Destination, family: Family, has_cluster_ip: bool) -> Option<String> {
    match destination {
        Destination::ClusterIp(ip) | Destination::ExternalIp(ip) if special(ip).is_some() => {
            special(ip).map(|kind| format!("it is {kind}"))
        }
        Destination::LoadBalancerIp(ip) if ip.is_loopback() || ip.is_unspecified() => {
            special(ip).map(|kind| format!("it is {kind}"))
        }
        Destination::ClusterIp(_) => {
            has_cluster_ip.then(|| format!("it is a second {family} ClusterIP"))
        }
        _ => (!has_cluster_ip).then(|| format!("the Service has no {family} ClusterIP")),
    }
}

/// A load balancer's address comes before an external IP, because the source ranges must
/// hold for an address that is both.
fn external_addresses(
    service: &Service,
    family: Family,
) -> impl Iterator<Item = (Destination, Field)> {
    let balancer = of_family(&service.load_balancer_ips, family)
        .map(|(_, ip)| (Destination::LoadBalancerIp(ip), Field::LoadBalancerIp));
    let external = of_family(&service.external_ips, family)
        .map(|(index, ip)| (Destination::ExternalIp(ip), Field::ExternalIp(index)));
    balancer.chain(external)
}

fn of_family(ips: &[IpAddr], family: Family) -> impl Iterator<Item = (usize, IpAddr)> {
    ips.iter().copied().enumerate().filter(move |&(_, ip)| Family::of(ip) == family)
}

/// What one port asks for; nothing if its family has no address.
fn port_claims(
    port_index: usize,
    port: &ServicePort,
    family: Family,
    addresses: &[(Destination, Field)],
) -> impl Iterator<Item = Claim> {
    let (protocol, number) = (port.protocol, port.port);
    let claim = move |destination, port, field| Claim {
        port_index,
        port_number: number,
        family,
        destination,
        protocol,
        port,
        field,
    };
    let node_port = port.node_port.filter(|_| !addresses.is_empty());
    let on_addresses =
        addresses.iter().map(move |&(destination, field)| claim(destination, number, field));
    let on_node =
        node_port.map(|number| claim(Destination::NodePort, number, Field::NodePort(port_index)));
    on_addresses.chain(on_node)
}

fn problem(service: &Service, field: Field, reason: String) -> Problem {
    let object = service.name.clone();
    Problem { kind: ObjectKind::Service, object, field: field.to_string(), reason }
}
