//! Numbers of `include/uapi/linux/netfilter/nfnetlink_conntrack.h`.

pub(super) use crate::wire::uapi::flag;

/// `NFNL_SUBSYS_CTNETLINK`, the upper byte of every message kind.
const SUBSYSTEM: u16 = 1 << 8;

/// Message kinds (`enum cntl_msg_types`).
pub(super) mod message {
    pub(in super::super) use crate::wire::uapi::kind::{DONE, ERROR};

    use super::SUBSYSTEM;

    /// `IPCTNL_MSG_CT_NEW`
    pub(in super::super) const NEW: u16 = SUBSYSTEM;
    /// `IPCTNL_MSG_CT_GET`
    pub(in super::super) const GET: u16 = SUBSYSTEM | 1;
    /// `IPCTNL_MSG_CT_DELETE`
    pub(in super::super) const DELETE: u16 = SUBSYSTEM | 2;
}

/// `enum ctattr_type`
pub(super) mod flow {
    /// `CTA_TUPLE_ORIG`
    pub(in super::super) const ORIGINAL: u16 = 1;
    /// `CTA_TUPLE_REPLY`
    pub(in super::super) const REPLY: u16 = 2;
    /// `CTA_STATUS`
    pub(in super::super) const STATUS: u16 = 3;
    /// `CTA_MARK`
    pub(in super::super) const MARK: u16 = 8;
    /// `CTA_ID`
    pub(in super::super) const ID: u16 = 12;
    /// `CTA_ZONE`
    pub(in super::super) const ZONE: u16 = 18;
    /// `CTA_MARK_MASK`
    pub(in super::super) const MARK_MASK: u16 = 21;
    /// `CTA_FILTER`, since Linux 5.8
    pub(in super::super) const FILTER: u16 = 25;
    /// `CTA_STATUS_MASK`, since Linux 5.16
    pub(in super::super) const STATUS_MASK: u16 = 26;
}

/// `enum ctattr_tuple`
pub(super) mod tuple {
    /// `CTA_TUPLE_IP`
    pub(in super::super) const IP: u16 = 1;
    /// `CTA_TUPLE_PROTO`
    pub(in super::super) const PROTOCOL: u16 = 2;
    /// `CTA_TUPLE_ZONE`: the zone, if it holds for this direction only
    pub(in super::super) const ZONE: u16 = 3;
}

/// `enum ctattr_ip`
pub(super) mod ip {
    /// `CTA_IP_V4_SRC`
    pub(in super::super) const V4_SOURCE: u16 = 1;
    /// `CTA_IP_V4_DST`
    pub(in super::super) const V4_DESTINATION: u16 = 2;
    /// `CTA_IP_V6_SRC`
    pub(in super::super) const V6_SOURCE: u16 = 3;
    /// `CTA_IP_V6_DST`
    pub(in super::super) const V6_DESTINATION: u16 = 4;
}

/// `enum ctattr_l4proto`
pub(super) mod protocol {
    /// `CTA_PROTO_NUM`
    pub(in super::super) const NUMBER: u16 = 1;
    /// `CTA_PROTO_SRC_PORT`
    pub(in super::super) const SOURCE_PORT: u16 = 2;
    /// `CTA_PROTO_DST_PORT`
    pub(in super::super) const DESTINATION_PORT: u16 = 3;
}

/// `enum ip_conntrack_status` (`include/uapi/linux/netfilter/nf_conntrack_common.h`)
pub(super) mod status {
    /// `IPS_SEEN_REPLY`
    pub(in super::super) const SEEN_REPLY: u32 = 1 << 1;
}

/// `enum ctattr_filter`
pub(super) mod filter {
    /// `CTA_FILTER_ORIG_FLAGS`, in host byte order
    pub(in super::super) const ORIGINAL_FLAGS: u16 = 1;
    /// `CTA_FILTER_F_CTA_PROTO_NUM` (`net/netfilter/nf_internals.h`)
    pub(in super::super) const BY_PROTOCOL_NUMBER: u32 = 1 << 3;
}
