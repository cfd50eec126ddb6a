//! Numbers of `include/uapi/linux/ip_vs.h` and `include/uapi/linux/genetlink.h`.

pub(super) use crate::wire::uapi::flag;

/// The name by which generic netlink knows IPVS.
pub(super) const FAMILY_NAME: &str = "IPVS";
/// `IPVS_GENL_VERSION`
pub(super) const VERSION: u8 = 1;

/// Message kinds that exist whatever the family.
pub(super) mod message {
    pub(in super::super) use crate::wire::uapi::kind::{DONE, ERROR};

    /// `GENL_ID_CTRL`: questions about the families themselves
    pub(in super::super) const CONTROL: u16 = 16;
}

/// Questions about families.
pub(super) mod control {
    /// `CTRL_CMD_GETFAMILY`
    pub(in super::super) const GET_FAMILY: u8 = 3;
    /// `CTRL_ATTR_FAMILY_ID`
    pub(in super::super) const FAMILY_ID: u16 = 1;
    /// `CTRL_ATTR_FAMILY_NAME`
    pub(in super::super) const FAMILY_NAME: u16 = 2;
}

/// `IPVS_CMD_…`
pub(super) mod command {
    pub(in super::super) const NEW_SERVICE: u8 = 1;
    pub(in super::super) const SET_SERVICE: u8 = 2;
    pub(in super::super) const DELETE_SERVICE: u8 = 3;
    pub(in super::super) const GET_SERVICE: u8 = 4;
    pub(in super::super) const NEW_DESTINATION: u8 = 5;
    pub(in super::super) const SET_DESTINATION: u8 = 6;
    pub(in super::super) const DELETE_DESTINATION: u8 = 7;
    pub(in super::super) const GET_DESTINATION: u8 = 8;
    pub(in super::super) const SET_CONFIG: u8 = 12;
    pub(in super::super) const GET_CONFIG: u8 = 13;
    pub(in super::super) const GET_INFO: u8 = 15;
}

/// `IPVS_CMD_ATTR_…`
pub(super) mod top {
    pub(in super::super) const SERVICE: u16 = 1;
    pub(in super::super) const DESTINATION: u16 = 2;
    pub(in super::super) const TIMEOUT_TCP: u16 = 4;
    pub(in super::super) const TIMEOUT_TCP_FIN: u16 = 5;
    pub(in super::super) const TIMEOUT_UDP: u16 = 6;
}

/// `IPVS_SVC_ATTR_…`
pub(super) mod service {
    pub(in super::super) const FAMILY: u16 = 1;
    pub(in super::super) const PROTOCOL: u16 = 2;
    /// 16 bytes, IPv4 in the first four
    pub(in super::super) const ADDRESS: u16 = 3;
    /// In network byte order, unlike all other numbers
    pub(in super::super) const PORT: u16 = 4;
    pub(in super::super) const FIREWALL_MARK: u16 = 5;
    pub(in super::super) const SCHEDULER: u16 = 6;
    /// `struct ip_vs_flags`: flags and a mask
    pub(in super::super) const FLAGS: u16 = 7;
    pub(in super::super) const TIMEOUT: u16 = 8;
    /// IPv4: a mask in network byte order; IPv6: a prefix length
    pub(in super::super) const NETMASK: u16 = 9;
}

/// `IPVS_DEST_ATTR_…`
pub(super) mod destination {
    pub(in super::super) const ADDRESS: u16 = 1;
    /// In network byte order
    pub(in super::super) const PORT: u16 = 2;
    pub(in super::super) const FORWARDING: u16 = 3;
    pub(in super::super) const WEIGHT: u16 = 4;
    pub(in super::super) const UPPER_THRESHOLD: u16 = 5;
    pub(in super::super) const LOWER_THRESHOLD: u16 = 6;
    pub(in super::super) const ACTIVE_CONNECTIONS: u16 = 7;
    pub(in super::super) const INACTIVE_CONNECTIONS: u16 = 8;
    pub(in super::super) const PERSISTENT_CONNECTIONS: u16 = 9;
    pub(in super::super) const FAMILY: u16 = 11;
}

/// `IPVS_INFO_ATTR_…`
pub(super) mod info {
    pub(in super::super) const VERSION: u16 = 1;
    pub(in super::super) const TABLE_SIZE: u16 = 2;
}

/// `AF_INET` and `AF_INET6`
pub(super) mod family {
    pub(in super::super) const V4: u16 = 2;
    pub(in super::super) const V6: u16 = 10;
}

/// `IP_VS_SVC_F_PERSISTENT`
pub(super) const PERSISTENT: u32 = 1;
/// `IP_VS_SVC_F_HASHED`, which the kernel sets by itself
pub(super) const HASHED: u32 = 2;
/// `IP_VS_CONN_F_FWD_MASK`
pub(super) const FORWARDING_MASK: u32 = 7;
/// `IP_VS_CONN_F_MASQ`
pub(super) const MASQUERADING: u32 = 0;
