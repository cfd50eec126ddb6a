//! What is asked of the network, and what is expected to come back.

use std::net::{IpAddr, SocketAddr};

use portolan_core::Family;
use portolan_lab::Protocol;

use super::hosts::{self, Host, Pod, Service};

/// Who calls what, and what has to happen, in one family or both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) from: Host,
    pub(super) to: Target,
    pub(super) protocol: Protocol,
    pub(super) expected: Expected<'a>,
}

/// What is called.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// A Service by its ClusterIP.
    ClusterIp(&'static Service),
    /// A Service by the node's address and its NodePort.
    NodePort(&'static Service),
    /// The ClusterIP of a Service and a port that it does not have.
    UndefinedPort(&'static Service, u16),
    /// An address of the ServiceCIDR that no Service has.
    Unallocated,
}

impl Target {
    pub(super) fn name(self) -> &'static str {
        match self {
            Target::ClusterIp(service)
            | Target::NodePort(service)
            | Target::UndefinedPort(service, _) => service.name,
            Target::Unallocated => "nobody",
        }
    }

    pub(super) fn address(self, family: Family) -> SocketAddr {
        match self {
            Target::ClusterIp(service) => SocketAddr::new(service.cluster_ip(family), service.port),
            // Nothing listens on port 0, so a Service without NodePort would be noticed.
            Target::NodePort(service) => {
                SocketAddr::new(Host::Node.address(family), service.node_port.unwrap_or(0))
            }
            Target::UndefinedPort(service, port) => {
                SocketAddr::new(service.cluster_ip(family), port)
            }
            Target::Unallocated => {
                SocketAddr::new(hosts::cluster_ip(hosts::UNALLOCATED, family), 80)
            }
        }
    }
}

/// What has to happen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expected<'a> {
    /// All of these pods answer, and nobody else does.
    Answers { by: &'a [Pod], port: u16, source: SeenSource },
    /// The caller is told at once that nobody is there.
    Refusal,
    /// The caller is told nothing.
    Silence,
}

/// Whose address an endpoint sees as the source of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SeenSource {
    Caller,
    Node,
    /// The caller's, or the node's where the caller was connected to itself.
    NodeFromItself,
}

impl SeenSource {
    pub(super) fn describe(self) -> &'static str {
        match self {
            SeenSource::Caller => "source seen: the caller's",
            SeenSource::Node => "source seen: the node's",
            SeenSource::NodeFromItself => "source seen: own, or from itself the node's",
        }
    }

    /// The address that `endpoint` has to see.
    pub(super) fn address(self, from: Host, endpoint: IpAddr) -> IpAddr {
        let family = Family::of(endpoint);
        let own = from.address(family);
        match self {
            SeenSource::Caller => own,
            SeenSource::NodeFromItself if endpoint != own => own,
            SeenSource::Node | SeenSource::NodeFromItself => Host::Node.address(family),
        }
    }
}

impl<'a> Question<'a> {
    /// A call by TCP that is expected to meet with silence, until one of the methods says
    /// otherwise.
    pub(super) const fn call(from: Host, to: Target) -> Question<'a> {
        Question { from, to, protocol: Protocol::Tcp, expected: Expected::Silence }
    }

    pub(super) const fn by_udp(self) -> Question<'a> {
        Question { protocol: Protocol::Udp, ..self }
    }

    pub(super) const fn is_refused(self) -> Question<'a> {
        Question { expected: Expected::Refusal, ..self }
    }

    /// All pods that `service` has at the start answer.
    pub(super) const fn is_answered(self, service: &'a Service, source: SeenSource) -> Self {
        self.is_answered_by(service.pods, service, source)
    }

    /// These pods answer on the port of `service`.
    pub(super) const fn is_answered_by(
        self,
        by: &'a [Pod],
        service: &Service,
        source: SeenSource,
    ) -> Question<'a> {
        let port = service.target_port;
        Question { expected: Expected::Answers { by, port, source }, ..self }
    }
}
