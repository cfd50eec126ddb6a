//! What is known of one frontend, and which of its flows are stale by that.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::TrackedFlow;
use crate::model::Protocol;
use crate::plan::EndpointAddress;

/// Former endpoints beyond this are not remembered; flows to them time out.
const MOST_FORMER: usize = 10_000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FlowRule {
    /// The serving endpoints of the owner; `None` if there is no owner any more, or only one
    /// that lets flows be.
    pub(super) serving: Option<Arc<[EndpointAddress]>>,
    /// The serving endpoints of those that owned it before; `None` if nothing is known of
    /// that time.
    former: Option<BTreeSet<EndpointAddress>>,
}

impl FlowRule {
    /// Takes in an owner that is no more, or not as it was.
    pub(super) fn was_served_by(&mut self, endpoints: &[EndpointAddress]) {
        let former = self.former.get_or_insert_default();
        if former.len() < MOST_FORMER {
            former.extend(endpoints);
        }
    }

    /// Takes in what became known later.
    pub(super) fn replace(&mut self, later: FlowRule) {
        self.serving = later.serving;
        if let Some(former) = later.former {
            let known = self.former.get_or_insert_default();
            if known.len() < MOST_FORMER {
                known.extend(former);
            }
        }
    }

    /// Whether the change could leave a flow stale, or another change no longer does.
    pub(super) fn matters(&self, protocol: Protocol) -> bool {
        let former = self.former.as_ref();
        match (&self.serving, former) {
            (Some(serving), Some(former)) => !former.iter().eq(serving.iter()),
            // Of a UDP frontend that nobody had, none without an endpoint is served wrongly.
            (Some(serving), None) => protocol == Protocol::Tcp || !serving.is_empty(),
            (None, _) => protocol == Protocol::Tcp || former.is_some_and(|it| !it.is_empty()),
        }
    }

    /// Whether any flow can be stale.
    pub(super) fn ends_any(&self, protocol: Protocol) -> bool {
        protocol != Protocol::Tcp || self.serving.is_some()
    }

    pub(super) fn is_stale(&self, flow: TrackedFlow) -> bool {
        let translated = flow.reply_source != flow.destination;
        match (self.serving.as_deref(), flow.protocol) {
            (Some([]), _) => translated,
            // A connection that is not translated may be one to a program of this node.
            (Some(_), Protocol::Tcp) if !translated => false,
            (Some(serving), _) => serving.binary_search(&flow.reply_source).is_err(),
            (None, Protocol::Tcp) => false,
            // Without an owner others may use the address: only what is known to have been
            // translated by us is ours to end.
            (None, _) => {
                self.former.as_ref().is_some_and(|former| former.contains(&flow.reply_source))
            }
        }
    }
}
