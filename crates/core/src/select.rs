//! Endpoint selection: which endpoints of a service port this node may use.
//!
//! The rules are kube-proxy's (`CategorizeEndpoints`), without its feature gates: node
//! hints (KEP-3015, `PreferSameNode`) are always honoured. `trafficDistribution` itself is
//! never read; the EndpointSlice controller turns it into hints.

use crate::model::{Conditions, Hints};
use crate::plan::{EndpointAddress, Pool};

/// An endpoint of one service port, seen from one node.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Address and port.
    pub address: EndpointAddress,
    /// Its conditions.
    pub conditions: Conditions,
    /// Where it runs.
    pub placement: Placement,
    /// Where it should be used.
    pub hints: Option<&'a Hints>,
}

/// Where an endpoint runs, as `nodeName` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// On this node.
    ThisNode,
    /// On another node.
    OtherNode,
    /// The endpoint names no node. It does not count as local, but may be.
    Unknown,
}

impl Candidate<'_> {
    /// Takes new connections. An endpoint can be ready and terminating at once, if its
    /// Service publishes not-ready addresses; ready wins.
    fn is_ready(&self) -> bool {
        self.conditions.ready
    }

    /// On its way out, but still answering: the last resort.
    fn is_draining(&self) -> bool {
        self.conditions.serving && self.conditions.terminating
    }

    fn is_local(&self) -> bool {
        self.placement == Placement::ThisNode
    }

    fn is_hinted_for_node(&self, node_name: &str) -> bool {
        self.hints.is_some_and(|hints| hints.nodes.iter().any(|node| **node == *node_name))
    }

    fn is_hinted_for_zone(&self, zone: &str) -> bool {
        self.hints.is_some_and(|hints| hints.zones.iter().any(|name| **name == *zone))
    }
}

/// Which of the two lists are needed; the frontends of the port decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelectionPolicy {
    /// Some traffic may go to any node.
    pub uses_cluster: bool,
    /// Some traffic must stay on this node.
    pub uses_local: bool,
}

/// The endpoints that this node may use. Every list keeps the order of the candidates.
#[derive(Clone, Debug, Default)]
pub struct Selection<'a> {
    /// For the `Cluster` policy: ready endpoints that fit the topology hints, else all
    /// that drain. `None` if not asked for, or if there are no endpoints.
    pub cluster: Option<Vec<&'a Candidate<'a>>>,
    /// For the `Local` policy: ready endpoints of this node, else draining ones of this
    /// node; hints play no part. `None` if not asked for, or if there are no endpoints.
    pub local: Option<Vec<&'a Candidate<'a>>>,
    /// The union of both lists.
    pub all: Vec<&'a Candidate<'a>>,
    /// Some node has a usable endpoint, perhaps out of reach from here.
    pub has_any: bool,
}

/// Selects the endpoints that this node may use.
///
/// `node_name` and `zone` are compared with the hints; an empty name or no zone fits none.
pub fn select<'a>(
    candidates: &'a [Candidate<'a>],
    policy: SelectionPolicy,
    node_name: &str,
    zone: Option<&str>,
) -> Selection<'a> {
    if candidates.is_empty() {
        return Selection::default();
    }
    let filter = |pool| Filter::of(pool, candidates, node_name, zone);
    let cluster = policy.uses_cluster.then(|| filter(Pool::Cluster));
    let local = policy.uses_local.then(|| filter(Pool::Local));
    let list = |filter: Filter<'_>| candidates.iter().filter(|c| filter.admits(c)).collect();
    let admitted = |c: &&Candidate<'_>| [cluster, local].iter().flatten().any(|f| f.admits(c));
    Selection {
        cluster: cluster.map(list),
        local: local.map(list),
        all: candidates.iter().filter(admitted).collect(),
        has_any: candidates.iter().any(|c| c.is_ready() || c.is_draining()),
    }
}

/// The rule by which one list is filled.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Filter<'a> {
    Ready,
    ReadyForNode(&'a str),
    ReadyForZone(&'a str),
    Draining,
    ReadyOnThisNode,
    DrainingOnThisNode,
}

impl<'a> Filter<'a> {
    /// The rule for one of the lists. There is at least one candidate.
    pub(crate) fn of(
        pool: Pool,
        candidates: &[Candidate<'_>],
        node_name: &'a str,
        zone: Option<&'a str>,
    ) -> Filter<'a> {
        match pool {
            Pool::Cluster => Filter::cluster(candidates, node_name, zone),
            Pool::Local => Filter::local(candidates),
        }
    }

    /// Hints count only if every ready endpoint has them: one without says that the
    /// controller could not spread the load, and then all nodes must use all endpoints.
    fn cluster(
        candidates: &[Candidate<'_>],
        node_name: &'a str,
        zone: Option<&'a str>,
    ) -> Filter<'a> {
        let ready = || candidates.iter().filter(|c| c.is_ready());
        if ready().next().is_none() {
            return Filter::Draining;
        }
        let hinted = |list: fn(&Hints) -> usize| {
            ready().all(|c| c.hints.is_some_and(|hints| list(hints) > 0))
        };
        if hinted(|hints| hints.nodes.len())
            && !node_name.is_empty()
            && ready().any(|c| c.is_hinted_for_node(node_name))
        {
            return Filter::ReadyForNode(node_name);
        }
        match zone {
            Some(zone)
                if hinted(|hints| hints.zones.len())
                    && ready().any(|c| c.is_hinted_for_zone(zone)) =>
            {
                Filter::ReadyForZone(zone)
            }
            _ => Filter::Ready,
        }
    }

    fn local(candidates: &[Candidate<'_>]) -> Filter<'a> {
        if candidates.iter().any(|c| c.is_local() && c.is_ready()) {
            Filter::ReadyOnThisNode
        } else {
            Filter::DrainingOnThisNode
        }
    }

    pub(crate) fn admits(self, candidate: &Candidate<'_>) -> bool {
        match self {
            Filter::Ready => candidate.is_ready(),
            Filter::ReadyForNode(name) => {
                candidate.is_ready() && candidate.is_hinted_for_node(name)
            }
            Filter::ReadyForZone(zone) => {
                candidate.is_ready() && candidate.is_hinted_for_zone(zone)
            }
            Filter::Draining => candidate.is_draining(),
            Filter::ReadyOnThisNode => candidate.is_local() && candidate.is_ready(),
            Filter::DrainingOnThisNode => candidate.is_local() && candidate.is_draining(),
        }
    }
}
