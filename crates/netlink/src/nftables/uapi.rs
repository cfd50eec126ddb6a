//! The numbers of the kernel's interface: `include/uapi/linux/netfilter/nf_tables.h` and
//! `nfnetlink.h` of Linux 6.1, which never change once released. The names of attributes
//! are kept for error texts.

use nix::libc;

pub(crate) use crate::wire::uapi::flag;

/// Requests (`NFT_MSG_*`), with the subsystem's number in the upper byte.
pub(crate) mod message {
    pub(crate) use crate::wire::uapi::kind::{DONE, ERROR};

    /// `NFNL_SUBSYS_NFTABLES`
    pub(crate) const SUBSYSTEM: u16 = 10;
    pub(crate) const NEW_TABLE: u16 = SUBSYSTEM << 8;
    pub(crate) const GET_TABLE: u16 = NEW_TABLE + 1;
    pub(crate) const DELETE_TABLE: u16 = NEW_TABLE + 2;
    pub(crate) const NEW_CHAIN: u16 = NEW_TABLE + 3;
    pub(crate) const GET_CHAIN: u16 = NEW_TABLE + 4;
    pub(crate) const DELETE_CHAIN: u16 = NEW_TABLE + 5;
    pub(crate) const NEW_RULE: u16 = NEW_TABLE + 6;
    pub(crate) const GET_RULE: u16 = NEW_TABLE + 7;
    pub(crate) const DELETE_RULE: u16 = NEW_TABLE + 8;
    pub(crate) const NEW_SET: u16 = NEW_TABLE + 9;
    pub(crate) const GET_SET: u16 = NEW_TABLE + 10;
    pub(crate) const DELETE_SET: u16 = NEW_TABLE + 11;
    pub(crate) const NEW_ELEMENTS: u16 = NEW_TABLE + 12;
    pub(crate) const GET_ELEMENTS: u16 = NEW_TABLE + 13;
    pub(crate) const DELETE_ELEMENTS: u16 = NEW_TABLE + 14;
    pub(crate) const NEW_GENERATION: u16 = NEW_TABLE + 15;
    pub(crate) const GET_GENERATION: u16 = NEW_TABLE + 16;
    /// `NFNL_MSG_BATCH_BEGIN`
    pub(crate) const BATCH_BEGIN: u16 = 16;
    /// `NFNL_MSG_BATCH_END`
    pub(crate) const BATCH_END: u16 = 17;
}

/// `NFT_SET_*`
pub(crate) mod set_flag {
    pub(crate) const INTERVAL: u32 = 4;
    pub(crate) const MAP: u32 = 8;
    pub(crate) const TIMEOUT: u32 = 16;
    /// `NFT_SET_EVAL`, `dynamic` in nft.
    pub(crate) const DYNAMIC: u32 = 32;
    pub(crate) const CONCATENATION: u32 = 128;
}

/// Verdicts (`NF_*` of netfilter.h, `NFT_*`).
pub(crate) mod verdict_code {
    pub(crate) const DROP: i32 = 0;
    pub(crate) const ACCEPT: i32 = 1;
    pub(crate) const JUMP: i32 = -3;
    pub(crate) const GOTO: i32 = -4;
    pub(crate) const RETURN: i32 = -5;
}

/// `NFNL_BATCH_GENID`
pub(crate) const BATCH_GENERATION: u16 = 1;
/// `NFTA_GEN_ID`
pub(crate) const GENERATION_ID: u16 = 1;
/// `NFT_TABLE_F_DORMANT`
pub(crate) const TABLE_DORMANT: u32 = 1;
/// `NFT_SET_ELEM_INTERVAL_END`
pub(crate) const ELEMENT_INTERVAL_END: u32 = 1;
/// `NFT_DATA_VERDICT`, the data type of verdict maps.
pub(crate) const DATA_TYPE_VERDICT: u32 = 0xffff_ff00;
/// `NFT_USERDATA_MAXLEN`
pub(crate) const USERDATA_MAX: usize = 256;

/// Declares the attributes of one kind of object, and a function that names them.
macro_rules! attributes {
    ($($space:ident $prefix:literal { $($name:ident = $number:literal),* $(,)? })*) => {$(
        pub(crate) mod $space {
            $(pub(crate) const $name: u16 = $number;)*
            /// The kernel's name of an attribute.
            pub(crate) fn name(kind: u16) -> Option<&'static str> {
                match kind {
                    $($name => Some(concat!($prefix, stringify!($name))),)*
                    _ => None,
                }
            }
        }
    )*};
}

attributes! {
    table "NFTA_TABLE_" { NAME = 1, FLAGS = 2, USE = 3, HANDLE = 4, USERDATA = 6 }
    chain "NFTA_CHAIN_" {
        TABLE = 1, HANDLE = 2, NAME = 3, HOOK = 4, POLICY = 5, USE = 6, TYPE = 7, FLAGS = 10,
        USERDATA = 12,
    }
    hook "NFTA_HOOK_" { HOOKNUM = 1, PRIORITY = 2 }
    rule "NFTA_RULE_" {
        TABLE = 1, CHAIN = 2, HANDLE = 3, EXPRESSIONS = 4, POSITION = 6, USERDATA = 7,
    }
    list "NFTA_LIST_" { ELEM = 1 }
    set "NFTA_SET_" {
        TABLE = 1, NAME = 2, FLAGS = 3, KEY_TYPE = 4, KEY_LEN = 5, DATA_TYPE = 6, DATA_LEN = 7,
        DESC = 9, ID = 10, USERDATA = 13, EXPR = 17, EXPRESSIONS = 18, COUNT = 20,
    }
    set_description "NFTA_SET_DESC_" { SIZE = 1, CONCAT = 2 }
    set_field "NFTA_SET_FIELD_" { LEN = 1 }
    element_list "NFTA_SET_ELEM_LIST_" { TABLE = 1, SET = 2, ELEMENTS = 3, SET_ID = 4 }
    element "NFTA_SET_ELEM_" {
        KEY = 1, DATA = 2, FLAGS = 3, USERDATA = 6, EXPR = 7, KEY_END = 10, EXPRESSIONS = 11,
    }
    data "NFTA_DATA_" { VALUE = 1, VERDICT = 2 }
    verdict "NFTA_VERDICT_" { CODE = 1, CHAIN = 2 }
    expression "NFTA_EXPR_" { NAME = 1, DATA = 2 }
    payload "NFTA_PAYLOAD_" { DREG = 1, BASE = 2, OFFSET = 3, LEN = 4, SREG = 5 }
    meta "NFTA_META_" { DREG = 1, KEY = 2, SREG = 3 }
    cmp "NFTA_CMP_" { SREG = 1, OP = 2, DATA = 3 }
    bitwise "NFTA_BITWISE_" { SREG = 1, DREG = 2, LEN = 3, MASK = 4, XOR = 5, OP = 6 }
    immediate "NFTA_IMMEDIATE_" { DREG = 1, DATA = 2 }
    lookup "NFTA_LOOKUP_" { SET = 1, SREG = 2, DREG = 3, SET_ID = 4, FLAGS = 5 }
    dynset "NFTA_DYNSET_" {
        SET_NAME = 1, OP = 3, SREG_KEY = 4, SREG_DATA = 5, TIMEOUT = 6, EXPR = 7,
        FLAGS = 9, EXPRESSIONS = 10,
    }
    numgen "NFTA_NG_" { DREG = 1, MODULUS = 2, TYPE = 3, OFFSET = 4 }
    fib "NFTA_FIB_" { DREG = 1, RESULT = 2, FLAGS = 3 }
    ct "NFTA_CT_" { DREG = 1, KEY = 2, DIRECTION = 3, SREG = 4 }
    nat "NFTA_NAT_" {
        TYPE = 1, FAMILY = 2, REG_ADDR_MIN = 3, REG_ADDR_MAX = 4, REG_PROTO_MIN = 5,
        REG_PROTO_MAX = 6, FLAGS = 7,
    }
    masquerade "NFTA_MASQ_" { FLAGS = 1, REG_PROTO_MIN = 2, REG_PROTO_MAX = 3 }
    reject "NFTA_REJECT_" { TYPE = 1, ICMP_CODE = 2 }
}

#[expect(clippy::cast_possible_truncation, reason = "libc widens 16-bit numbers to int")]
const _: () = {
    use message::*;
    assert!(SUBSYSTEM == libc::NFNL_SUBSYS_NFTABLES as u16);
    assert!(BATCH_BEGIN == libc::NFNL_MSG_BATCH_BEGIN as u16);
    assert!(BATCH_END == libc::NFNL_MSG_BATCH_END as u16);
    assert!(DELETE_TABLE & 0xff == libc::NFT_MSG_DELTABLE as u16);
    assert!(DELETE_CHAIN & 0xff == libc::NFT_MSG_DELCHAIN as u16);
    assert!(DELETE_RULE & 0xff == libc::NFT_MSG_DELRULE as u16);
    assert!(DELETE_SET & 0xff == libc::NFT_MSG_DELSET as u16);
    assert!(DELETE_ELEMENTS & 0xff == libc::NFT_MSG_DELSETELEM as u16);
    assert!(GET_GENERATION & 0xff == libc::NFT_MSG_GETGEN as u16);
    assert!(set_flag::INTERVAL == libc::NFT_SET_INTERVAL as u32);
    assert!(set_flag::TIMEOUT == libc::NFT_SET_TIMEOUT as u32);
    assert!(set_flag::DYNAMIC == libc::NFT_SET_EVAL as u32);
    assert!(set_flag::MAP == libc::NFT_SET_MAP as u32);
    assert!(verdict_code::JUMP == libc::NFT_JUMP && verdict_code::GOTO == libc::NFT_GOTO);
    assert!(verdict_code::RETURN == libc::NFT_RETURN);
    assert!(ELEMENT_INTERVAL_END == libc::NFT_SET_ELEM_INTERVAL_END as u32);
    assert!(DATA_TYPE_VERDICT == libc::NFT_DATA_VERDICT);
    assert!(USERDATA_MAX == libc::NFT_USERDATA_MAXLEN as usize);
};
