//! The conversation with connection tracking in the network namespace of this thread.

use nix::errno::Errno;

use super::Flow;
use super::request::{Wanted, delete_request, list_request};
use super::uapi::{flag, message};
use crate::nftables::Family;
use crate::socket::{ReceiveError, Socket};
use crate::wire::acknowledgement::Acknowledgement;
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
        self.list(Wanted { family, number, unanswered: false }, visit)
    }

    /// The same for the flows that have not been answered, which the kernel picks since Linux
    /// 5.16.
    pub fn unanswered_flows(
        &mut self,
        family: Family,
        number: u8,
        visit: &mut dyn FnMut(Flow),
    ) -> Result<(), NetlinkError> {
        self.list(Wanted { family, number, unanswered: true }, visit)
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
        self.socket.send(delete_request(flow, sequence).bytes())?;
        let result = self.collect(sequence, &action, &mut |_| {});
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
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use portolan_lab::namespaced;

    use super::*;
    use crate::nftables::{
        BaseChain, Batch, Chain, ChainKind, Connection, CtKey, Expression, Hook, Policy, Register,
        Rule, Table,
    };

    /// The kernel tracks connections once a rule asks about them.
    fn track() {
        let (name, kind) = ("track".to_owned(), ChainKind::Filter);
        let base = BaseChain { kind, hook: Hook::Output, priority: 0, policy: Policy::Accept };
        let ask = Expression::CtLoad { key: CtKey::Status, register: Register::Word(0) };
        let rule = Rule { expressions: vec![ask], comment: None };
        let mut batch = Batch::new(None);
        batch.add_table(Family::Ip, &Table { name: name.clone(), ..Table::default() });
        let chain = Chain { name: name.clone(), base: Some(base), comment: None };
        batch.add_chain(Family::Ip, &name, &chain);
        batch.add_rule(Family::Ip, &name, &name, &rule);
        Connection::open().unwrap().commit(&mut batch).unwrap();
    }

    #[test]
    fn the_kernel_itself_leaves_out_other_protocols_and_what_has_been_answered() {
        let name = "conntrack::connection::tests::the_kernel_itself_leaves_out_other_protocols_and_what_has_been_answered";
        namespaced(name, || {
            track();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let _stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.send_to(b"hello", socket.local_addr().unwrap()).unwrap();
            let mut conntrack = Conntrack::open().unwrap();
            let cases =
                [(6, false, Some(6)), (17, false, Some(17)), (6, true, None), (17, true, Some(17))];
            for (number, unanswered, expected) in cases {
                let wanted = Wanted { family: Family::Ip, number, unanswered };
                conntrack.socket.send(list_request(wanted, 1).bytes()).unwrap();
                let mut protocols = Vec::new();
                let mut visit = |flow: Flow| protocols.push(flow.protocol);
                conntrack.collect(1, "list", &mut visit).unwrap();
                assert_eq!(protocols, Vec::from_iter(expected), "{wanted:?}");
            }
        });
    }

    #[test]
    fn refusals_say_what_to_check() {
        for (error, expected) in [(1, "CAP_NET_ADMIN"), (22, "nf_conntrack_netlink")] {
            let acknowledgement = Acknowledgement { error, ..Acknowledgement::default() };
            let text = refused(acknowledgement, "list flows").to_string();
            assert!(text.contains(expected) && text.contains("list flows"), "{text}");
        }
    }
}
