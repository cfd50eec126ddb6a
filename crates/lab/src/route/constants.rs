//! Numbers of the kernel's headers that the `libc` crate lacks or has under other types.

/// `include/uapi/linux/netlink.h`
pub(super) mod netlink {
    pub(in crate::route) const NLMSG_ERROR: u16 = 2;
    pub(in crate::route) const NLM_F_REQUEST: u16 = 0x1;
    pub(in crate::route) const NLM_F_ACK: u16 = 0x4;
    pub(in crate::route) const NLM_F_REPLACE: u16 = 0x100;
    /// In an answer: the request is not repeated behind the error number.
    pub(in crate::route) const NLM_F_CAPPED: u16 = 0x100;
    pub(in crate::route) const NLM_F_EXCL: u16 = 0x200;
    pub(in crate::route) const NLM_F_CREATE: u16 = 0x400;
    pub(in crate::route) const NLA_F_NESTED: u16 = 0x8000;
    pub(in crate::route) const NLA_TYPE_MASK: u16 = 0x3fff;
    pub(in crate::route) const NLMSGERR_ATTR_MSG: u16 = 1;
}

/// `include/uapi/linux/rtnetlink.h`
pub(super) mod rtnetlink {
    pub(in crate::route) const RTM_NEWLINK: u16 = 16;
    pub(in crate::route) const RTM_DELLINK: u16 = 17;
    pub(in crate::route) const RTM_GETLINK: u16 = 18;
    pub(in crate::route) const RTM_SETLINK: u16 = 19;
    pub(in crate::route) const RTM_NEWADDR: u16 = 20;
    pub(in crate::route) const RTM_DELADDR: u16 = 21;
    pub(in crate::route) const RTM_NEWROUTE: u16 = 24;
    pub(in crate::route) const RTM_DELROUTE: u16 = 25;
    pub(in crate::route) const RTM_GETROUTE: u16 = 26;
    pub(in crate::route) const RTM_DELNEIGH: u16 = 29;

    /// `include/uapi/linux/neighbour.h`
    pub(in crate::route) const NDA_DST: u16 = 1;

    pub(in crate::route) const RTA_DST: u16 = 1;
    pub(in crate::route) const RTA_OIF: u16 = 4;
    pub(in crate::route) const RTA_GATEWAY: u16 = 5;
    pub(in crate::route) const RTA_PREFSRC: u16 = 7;

    pub(in crate::route) const RT_TABLE_MAIN: u8 = 254;
    pub(in crate::route) const RTPROT_STATIC: u8 = 4;
    pub(in crate::route) const RTN_UNICAST: u8 = 1;
    pub(in crate::route) const RTN_LOCAL: u8 = 2;
    pub(in crate::route) const RTNH_F_ONLINK: u32 = 4;

    pub(in crate::route) const RT_SCOPE_UNIVERSE: u8 = 0;
    pub(in crate::route) const RT_SCOPE_LINK: u8 = 253;
    pub(in crate::route) const RT_SCOPE_HOST: u8 = 254;
}

/// `include/uapi/linux/if_link.h`, `if.h`, `veth.h`
pub(super) mod link {
    pub(in crate::route) const IFLA_ADDRESS: u16 = 1;
    pub(in crate::route) const IFLA_IFNAME: u16 = 3;
    pub(in crate::route) const IFLA_QDISC: u16 = 6;
    pub(in crate::route) const IFLA_MASTER: u16 = 10;
    pub(in crate::route) const IFLA_PROTINFO: u16 = 12;
    pub(in crate::route) const IFLA_LINKINFO: u16 = 18;
    pub(in crate::route) const IFLA_NET_NS_FD: u16 = 28;

    pub(in crate::route) const IFLA_INFO_KIND: u16 = 1;
    pub(in crate::route) const IFLA_INFO_DATA: u16 = 2;
    pub(in crate::route) const IFLA_BR_MCAST_SNOOPING: u16 = 23;
    pub(in crate::route) const IFLA_BRPORT_MODE: u16 = 4;
    pub(in crate::route) const VETH_INFO_PEER: u16 = 1;

    pub(in crate::route) const IFF_UP: u32 = 0x1;
    pub(in crate::route) const IFF_RUNNING: u32 = 0x40;
}

/// `include/uapi/linux/if_addr.h`
pub(super) mod address {
    pub(in crate::route) const IFA_ADDRESS: u16 = 1;
    pub(in crate::route) const IFA_LOCAL: u16 = 2;
    /// Usable at once, without duplicate address detection.
    pub(in crate::route) const IFA_F_NODAD: u8 = 0x02;
}
