//! Numbers of `include/uapi/linux/rtnetlink.h`, `fib_rules.h` and `netlink.h`.

pub(super) use crate::wire::uapi::flag;

/// The protocol number by which `ip rule` and `ip route` show what is ours. Numbers say who
/// made a route and have no effect; neither `linux/rtnetlink.h` nor iproute2's
/// `rt_protos` gives this one to anybody.
pub const PROTOCOL: u8 = 112;

/// `struct rtmsg` and `struct fib_rule_hdr`
pub(super) const HEADER: usize = 12;

/// Message kinds.
pub(super) mod message {
    pub(in super::super) use crate::wire::uapi::kind::{DONE, ERROR};

    /// `RTM_NEWROUTE`
    pub(in super::super) const NEW_ROUTE: u16 = 24;
    /// `RTM_DELROUTE`
    pub(in super::super) const DELETE_ROUTE: u16 = 25;
    /// `RTM_GETROUTE`
    pub(in super::super) const GET_ROUTE: u16 = 26;
    /// `RTM_NEWRULE`
    pub(in super::super) const NEW_RULE: u16 = 32;
    /// `RTM_DELRULE`
    pub(in super::super) const DELETE_RULE: u16 = 33;
    /// `RTM_GETRULE`
    pub(in super::super) const GET_RULE: u16 = 34;
}

/// `AF_INET` and `AF_INET6`
pub(super) mod family {
    pub(in super::super) const V4: u8 = 2;
    pub(in super::super) const V6: u8 = 10;
}

/// `RTA_…`
pub(super) mod route {
    pub(in super::super) const DESTINATION: u16 = 1;
    pub(in super::super) const OUTPUT_INTERFACE: u16 = 4;
    pub(in super::super) const METRIC: u16 = 6;
    pub(in super::super) const TABLE: u16 = 15;

    /// `RTN_LOCAL`
    pub(in super::super) const LOCAL: u8 = 2;
    /// `RT_SCOPE_HOST`
    pub(in super::super) const SCOPE_HOST: u8 = 254;
    /// `RTA_PRIORITY` of our IPv6 routes. The one that the kernel chooses (1024) others have,
    /// too, and to it two routes of one metric by one interface are the same, even if the
    /// other one throws packets away.
    pub(in super::super) const FIRST_METRIC: u32 = 1;
    /// `LOOPBACK_IFINDEX` of `include/net/flow.h`: `lo` has it in every network namespace
    pub(in super::super) const LOOPBACK: u32 = 1;
}

/// `FRA_…`
pub(super) mod rule {
    pub(in super::super) const PRIORITY: u16 = 6;
    pub(in super::super) const MARK: u16 = 10;
    pub(in super::super) const SUPPRESS_PREFIX_LENGTH: u16 = 14;
    pub(in super::super) const TABLE: u16 = 15;
    pub(in super::super) const MASK: u16 = 16;
    pub(in super::super) const PROTOCOL: u16 = 21;
    /// What else narrows a rule: addresses, interfaces, realms, tunnels, suppressed
    /// interface groups, users, transport protocols, ports, DSCP and flow labels
    pub(in super::super) const NARROWING: [u16; 18] =
        [1, 2, 3, 11, 12, 13, 17, 19, 20, 22, 23, 24, 25, 26, 27, 28, 29, 30];

    /// `FR_ACT_TO_TBL`
    pub(in super::super) const TO_TABLE: u8 = 1;
    /// `FIB_RULE_INVERT`
    pub(in super::super) const INVERT: u32 = 2;
}
