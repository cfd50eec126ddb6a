//! What becomes of TCP connections whose endpoint is gone.

use serde::{Deserialize, Serialize};

use crate::model::Protocol;

/// What becomes of a TCP connection to an endpoint that no longer serves: that is neither
/// ready nor serving while it terminates, or in no EndpointSlice any more. Policies and
/// topology play no part. The annotation `portolan.dev/tcp-when-endpoint-gone` of a Service
/// has these words; kube-proxy knows only the first.
///
/// Nobody can end a connection from the middle at once: that takes sequence numbers, which
/// connection tracking does not tell. Hence each end learns of it by its own next packet:
///
/// * **The client's.** An idle client that only reads hears nothing until its keepalive, which
///   is such a packet: by default after two hours, if it asked for it. A packet that
///   connection tracking takes for no beginning of a connection is seen by no rule, and to a
///   ClusterIP it is lost: a FIN, after which the client gives up in the end, and anything
///   while `net.netfilter.nf_conntrack_tcp_loose` is 0 (the default is 1). On a NodePort the
///   node itself answers both with a reset.
/// * **The endpoint's**, if it is still there. It leaves untranslated, with the endpoint's
///   own address and port, which no client has a connection with: whoever gets it (the
///   client, or this node if it had masqueraded) answers with a reset.
///
/// A Service that is deleted takes its annotation with it: connections are kept.
///
/// With IPVS the same holds, but for [`WhenEndpointGone::Drop`]: it is as
/// [`WhenEndpointGone::Reset`], as IPVS sends nothing anywhere that begins no connection.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum WhenEndpointGone {
    /// It lives on, until an end closes it or gives up.
    #[default]
    Keep,
    /// Connection tracking forgets it, so that the client's packets no longer go there. The
    /// next one goes where a new connection would: as a rule to another endpoint, which
    /// answers with a reset, or to the rejection of a service without endpoints, which does
    /// so too. Where the policy allows no endpoint, or the other endpoint is behind a packet
    /// filter of its own, there is silence.
    Drop,
    /// It is forgotten in the same way, and this node itself answers the client's next packet
    /// with a reset, whatever endpoints there are. So it does for every TCP packet to the
    /// service that neither begins a connection nor belongs to one that is tracked: after
    /// connection tracking has been flushed, no connection finds its endpoint again by chance.
    Reset,
}

impl WhenEndpointGone {
    /// Whether nothing is to be done.
    pub fn is_keep(&self) -> bool {
        *self == WhenEndpointGone::Keep
    }

    /// Whether flows of a port with this protocol end when their endpoint serves no longer.
    pub(crate) fn needs_serving(self, protocol: Protocol) -> bool {
        protocol == Protocol::Udp || !self.is_keep()
    }
}
