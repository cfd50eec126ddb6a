//! The conversation with connection tracking in the network namespace of this thread.

use nix::errno::Errno;

use super::Flow;
use super::request::{Wanted, delete_request, list_request, mark_request};
use super::uapi::{flag, message};
use crate::nftables::Family;
use crate::socket::{ReceiveError, Socket};
use crate::wire::acknowledgement::Acknowledgement;
use crate::wire::encoder::Encoder;
use crate::wire::message::{Message, Messages};
use crate::{NetlinkError, Refusal};

/// How often a listing is begun anew because the flows changed meanwhile.
const ATTEMPTS: u32 = 5;

/// A socket to connection tracking in the network namespace that the calling thread was in
/// when it was opened. Calls block until the kernel has answered.
///
/// Opening needs no privilege; everything else needs CAP_NET_ADMIN in the user namespace
/// that owns the network namespace, and the kernel module `nf_conntrack_netlink`.
#[derive(Debug)]
pub struct Conntrack {
    socket: Socket,
}

impl Conntrack {
    /// Opens the socket.
    pub fn open() -> Result<Conntrack, NetlinkError> {
        Ok(Conntrack { socket: Socket::open()? })
    }

    /// Calls `visit` for the flows of a family and an IP protocol number, as they arrive.
    ///
    /// The kernel picks those of the protocol (since Linux 5.8), so that a table of a
    /// million TCP connections is not copied for a few UDP flows; what an older kernel
    /// sends besides is left out here. A listing that was interrupted is begun anew, and
    /// then flows are visited again.
    pub fn flows(
        &mut self,
        family: Family,
        number: u8,
        visit: &mut dyn FnMut(Flow),
    ) -> Result<(), NetlinkError> {
        self.list(Wanted { family, number, unanswered: false, marks: 0 }, visit)
    }

    /// The same for the flows that have not been answered, which the kernel picks since Linux
    /// 5.16.
    pub fn unanswered_flows(
        &mut self,
        family: Family,
        number: u8,
        visit: &mut dyn FnMut(Flow),
    ) -> Result<(), NetlinkError> {
        self.list(Wanted { family, number, unanswered: true, marks: 0 }, visit)
    }

    /// The same for the flows whose mark has all of these bits, of which there is at least one.
    pub fn marked_flows(
        &mut self,
        family: Family,
        number: u8,
        bits: u32,
        visit: &mut dyn FnMut(Flow),
    ) -> Result<(), NetlinkError> {
        self.list(Wanted { family, number, unanswered: false, marks: bits }, visit)
    }

    fn list(&mut self, wanted: Wanted, visit: &mut dyn FnMut(Flow)) -> Result<(), NetlinkError> {
        let action = format!("list the {} flows of connection tracking", wanted.family);
        for _ in 0..ATTEMPTS {
            let sequence = self.socket.sequences(1);
            self.socket.send(list_request(wanted, sequence).bytes())?;
            let mut visit = |flow: Flow| {
                if wanted.fits(&flow) {
                    visit(flow);
                }
            };
            match self.collect(sequence, &action, &mut visit) {
                Ok(Progress::Complete) => return Ok(()),
                Ok(Progress::Interrupted) => self.socket.drain(),
                Err(error) => {
                    self.socket.drain();
                    return Err(error);
                }
            }
        }
        Err(NetlinkError::Interrupted { action, attempts: ATTEMPTS })
    }

    /// Ends one flow: its next packet begins a new one. `false` if it is gone already, even
    /// if another has taken its place.
    pub fn delete(&mut self, flow: &Flow) -> Result<bool, NetlinkError> {
        let action = format!("delete the flow {flow} from connection tracking");
        let sequence = self.socket.sequences(1);
        self.change(&delete_request(flow, sequence), sequence, &action)
    }

    /// Sets bits of one flow's mark, and leaves the others. `false` if the flow is gone already;
    /// one that has taken its place gets them too.
    pub fn mark(&mut self, flow: &Flow, bits: u32) -> Result<bool, NetlinkError> {
        let action = format!("mark the flow {flow} in connection tracking");
        let sequence = self.socket.sequences(1);
        self.change(&mark_request(flow, bits, sequence), sequence, &action)
    }

    /// Asks for a change of one flow. `false` if it is gone already.
    fn change(
        &mut self,
        request: &Encoder,
        sequence: u32,
        action: &str,
    ) -> Result<bool, NetlinkError> {
        self.socket.send(request.bytes())?;
        let result = self.collect(sequence, action, &mut |_| {});
        match result {
            Ok(_) => Ok(true),
            Err(NetlinkError::Refused(refusal)) if refusal.errno == Errno::ENOENT => Ok(false),
            Err(error) => {
                self.socket.drain();
                Err(error)
            }
        }
    }

    /// Reads answers until the last one.
    fn collect(
        &mut self,
        sequence: u32,
        action: &str,
        visit: &mut dyn FnMut(Flow),
    ) -> Result<Progress, NetlinkError> {
        let mut interrupted = false;
        loop {
            let packet = match self.socket.receive() {
                Ok(packet) => packet,
                Err(ReceiveError::Overrun) => return Ok(Progress::Interrupted),
                Err(error) => return Err(unanswered(error, action)),
            };
            for entry in Messages::new(packet) {
                let answer = entry.ok_or_else(|| malformed(action))?;
                if answer.sequence != sequence {
                    continue;
                }
                interrupted |= answer.flags & flag::DUMP_INTERRUPTED != 0;
                if read(&answer, action, visit)? {
                    return Ok(match interrupted {
                        true => Progress::Interrupted,
                        false => Progress::Complete,
                    });
                }
            }
        }
    }
}

/// Whether a listing can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Complete,
    Interrupted,
}

/// Takes in one answer. `true` if it is the last.
fn read(
    answer: &Message<'_>,
    action: &str,
    visit: &mut dyn FnMut(Flow),
) -> Result<bool, NetlinkError> {
    match answer.kind {
        message::NEW => {
            let flow = answer.netfilter().and_then(|(_, _, attributes)| Flow::decode(attributes));
            flow.into_iter().for_each(visit);
            Ok(false)
        }
        message::ERROR | message::DONE => {
            let acknowledgement =
                Acknowledgement::decode_end(answer).ok_or_else(|| malformed(action))?;
            match acknowledgement.error {
                0 => Ok(true),
                _ => Err(refused(acknowledgement, action)),
            }
        }
        _ => Ok(false),
    }
}

fn refused(acknowledgement: Acknowledgement, action: &str) -> NetlinkError {
    let errno = Errno::from_raw(acknowledgement.error);
    if errno == Errno::EPERM {
        return NetlinkError::Permission { action: action.to_owned() };
    }
    // The answer of a kernel that has nobody for the subsystem.
    let hint = (errno == Errno::EINVAL && acknowledgement.offset.is_none()).then(|| {
        "is the kernel module nf_conntrack_netlink there (CONFIG_NF_CT_NETLINK)?".to_owned()
    });
    NetlinkError::Refused(Box::new(Refusal {
        operation: action.to_owned(),
        errno,
        number: acknowledgement.error,
        message: acknowledgement.text,
        attribute: None,
        hint,
    }))
}

fn unanswered(error: ReceiveError, action: &str) -> NetlinkError {
    match error {
        ReceiveError::Failed(source) => {
            NetlinkError::Socket { action: "receive from the kernel", source }
        }
        ReceiveError::Nothing | ReceiveError::Overrun => {
            NetlinkError::NoAnswer { action: action.to_owned() }
        }
    }
}

fn malformed(action: &str) -> NetlinkError {
    NetlinkError::Malformed { action: action.to_owned(), reason: "its lengths do not add up" }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
