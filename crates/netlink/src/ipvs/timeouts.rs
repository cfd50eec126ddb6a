//! How long IPVS keeps connections that are silent.

use super::uapi::top;
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;

/// Timeouts of connections in seconds, for all virtual servers of a network namespace.
/// Zero in a request leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Of established TCP connections; the kernel's default is 900.
    pub tcp: u32,
    /// Of TCP connections after a FIN; 120.
    pub tcp_fin: u32,
    /// Of UDP flows; 300.
    pub udp: u32,
}

impl Timeouts {
    pub(super) fn encode(self, encoder: &mut Encoder) {
        for (kind, seconds) in [
            (top::TIMEOUT_TCP, self.tcp),
            (top::TIMEOUT_TCP_FIN, self.tcp_fin),
            (top::TIMEOUT_UDP, self.udp),
        ] {
            encoder.attribute(kind, &seconds.to_ne_bytes());
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Timeouts> {
        let set = AttributeSet::<7>::parse(bytes)?;
        let seconds = |kind| set.ne32(kind).unwrap_or_default();
        Some(Timeouts {
            tcp: seconds(top::TIMEOUT_TCP),
            tcp_fin: seconds(top::TIMEOUT_TCP_FIN),
            udp: seconds(top::TIMEOUT_UDP),
        })
    }
}
