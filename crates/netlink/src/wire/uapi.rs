//! The numbers of netlink itself (`include/uapi/linux/netlink.h`), whatever the subsystem.

use nix::libc;

/// Kinds of answers.
pub(crate) mod kind {
    /// `NLMSG_ERROR`: an error, or the acknowledgement of a request
    pub(crate) const ERROR: u16 = 2;
    /// `NLMSG_DONE`: the end of a listing
    pub(crate) const DONE: u16 = 3;
}

/// Flags of requests and answers (`NLM_F_*`).
pub(crate) mod flag {
    pub(crate) const REQUEST: u16 = 0x1;
    /// `NLM_F_ACK`
    pub(crate) const ACKNOWLEDGE: u16 = 0x4;
    /// `NLM_F_DUMP_INTR`, in an answer: the objects changed while they were listed.
    pub(crate) const DUMP_INTERRUPTED: u16 = 0x10;
    /// `NLM_F_CAPPED`, in an answer: the request is quoted without its payload.
    pub(crate) const CAPPED: u16 = 0x100;
    /// `NLM_F_ACK_TLVS`, in an answer: attributes follow the quoted request.
    pub(crate) const HAS_ATTRIBUTES: u16 = 0x200;
    /// `NLM_F_EXCL`
    pub(crate) const EXCLUSIVE: u16 = 0x200;
    pub(crate) const DUMP: u16 = 0x300;
    pub(crate) const CREATE: u16 = 0x400;
    pub(crate) const APPEND: u16 = 0x800;
}

#[expect(clippy::cast_possible_truncation, reason = "libc widens 16-bit numbers to int")]
const _: () = {
    assert!(kind::ERROR == libc::NLMSG_ERROR as u16 && kind::DONE == libc::NLMSG_DONE as u16);
    assert!(flag::REQUEST == libc::NLM_F_REQUEST as u16);
    assert!(flag::ACKNOWLEDGE == libc::NLM_F_ACK as u16);
    assert!(flag::DUMP_INTERRUPTED == libc::NLM_F_DUMP_INTR as u16);
    assert!(flag::EXCLUSIVE == libc::NLM_F_EXCL as u16);
    assert!(flag::DUMP == libc::NLM_F_DUMP as u16);
    assert!(flag::CREATE == libc::NLM_F_CREATE as u16);
    assert!(flag::APPEND == libc::NLM_F_APPEND as u16);
};
