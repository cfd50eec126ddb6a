//! The conversation with IPVS in the network namespace of this thread.

use nix::errno::Errno;

use super::uapi::{FAMILY_NAME, VERSION, control, flag, message};
use crate::socket::Socket;
use crate::wire::acknowledgement::Acknowledgement;
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;
use crate::wire::message::{Header, Message, Messages};
use crate::{NetlinkError, Refusal};

/// A socket to IPVS in the network namespace that the calling thread was in when it was
/// opened. Calls block until the kernel has answered.
///
/// Everything needs CAP_NET_ADMIN in the initial user namespace, whoever owns the network
/// namespace (`GENL_ADMIN_PERM`).
#[derive(Debug)]
pub struct Ipvs {
    pub(super) socket: Socket,
    /// What is to be sent.
    pub(super) encoder: Encoder,
    /// The number by which generic netlink knows IPVS on this machine.
    pub(super) family: u16,
}

impl Ipvs {
    /// Opens the socket. The kernel loads the module `ip_vs` if it can.
    pub fn open() -> Result<Ipvs, NetlinkError> {
        let socket = Socket::open_generic()?;
        let mut ipvs = Ipvs { socket, encoder: Encoder::default(), family: message::CONTROL };
        ipvs.family = ipvs.resolve()?;
        Ok(ipvs)
    }

    fn resolve(&mut self) -> Result<u16, NetlinkError> {
        let action = "look for IPVS in the kernel";
        let mut found = None;
        let asked = self.ask(control::GET_FAMILY, flag::ACKNOWLEDGE, action, |encoder| {
            encoder.text(control::FAMILY_NAME, FAMILY_NAME);
        });
        asked
            .and_then(|asked| {
                self.collect(asked, action, &mut |attributes| {
                    let id = AttributeSet::<2>::parse(attributes)
                        .and_then(|set| set.ne16(control::FAMILY_ID));
                    found = found.or(id);
                })
            })
            .map_err(|error| match error {
                NetlinkError::Refused(refusal) if refusal.errno == Errno::ENOENT => {
                    NetlinkError::Unavailable { subsystem: "IPVS", module: "ip_vs" }
                }
                error => error,
            })?;
        found.ok_or_else(|| NetlinkError::malformed(action))
    }

    /// Sends one request; returns its sequence number.
    pub(super) fn ask(
        &mut self,
        command: u8,
        flags: u16,
        action: &str,
        write: impl FnOnce(&mut Encoder),
    ) -> Result<u32, NetlinkError> {
        let sequence = self.socket.sequences(1);
        self.encoder.truncate(0);
        write_request(&mut self.encoder, self.family, command, flags, sequence, write);
        if self.encoder.take_fault() {
            return Err(NetlinkError::Unencodable { operation: action.to_owned() });
        }
        self.socket.send(self.encoder.bytes())?;
        Ok(sequence)
    }

    /// Reads answers until the last one.
    pub(super) fn collect(
        &mut self,
        sequence: u32,
        action: &str,
        visit: &mut dyn FnMut(&[u8]),
    ) -> Result<(), NetlinkError> {
        let outcome = self.collect_or_fail(sequence, action, visit);
        if outcome.is_err() {
            self.socket.drain();
        }
        outcome
    }

    fn collect_or_fail(
        &mut self,
        sequence: u32,
        action: &str,
        visit: &mut dyn FnMut(&[u8]),
    ) -> Result<(), NetlinkError> {
        let family = self.family;
        loop {
            let packet =
                self.socket.receive().map_err(|error| NetlinkError::unanswered(error, action))?;
            for entry in Messages::new(packet) {
                let answer = entry.ok_or_else(|| NetlinkError::malformed(action))?;
                if answer.sequence != sequence {
                    continue;
                }
                match answer.kind {
                    message::ERROR | message::DONE => return finish(&answer, action),
                    kind if kind == family => {
                        if let Some((_, _, attributes)) = answer.netfilter() {
                            visit(attributes);
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Appends a request to what is to be sent.
pub(super) fn write_request(
    encoder: &mut Encoder,
    kind: u16,
    command: u8,
    flags: u16,
    sequence: u32,
    write: impl FnOnce(&mut Encoder),
) {
    let header = Header {
        kind,
        flags: flag::REQUEST | flags,
        sequence,
        family: command,
        version: VERSION,
        resource: 0,
    };
    let start = encoder.begin_message(header);
    write(encoder);
    encoder.end_message(start);
}

/// The end of a listing or the answer to a request.
fn finish(answer: &Message<'_>, action: &str) -> Result<(), NetlinkError> {
    let acknowledgement =
        Acknowledgement::decode_end(answer).ok_or_else(|| NetlinkError::malformed(action))?;
    match acknowledgement.error {
        0 => Ok(()),
        _ => Err(NetlinkError::Refused(Box::new(refusal(acknowledgement, action.to_owned())?))),
    }
}

pub(super) fn refusal(
    acknowledgement: Acknowledgement,
    operation: String,
) -> Result<Refusal, NetlinkError> {
    let errno = Errno::from_raw(acknowledgement.error);
    if errno == Errno::EPERM {
        return Err(NetlinkError::InitialPermission { action: operation });
    }
    // A scheduler that is no module of this kernel; see `Refusal::lacks_scheduler`.
    let hint = (errno == Errno::ENOENT && operation.contains("scheduler"))
        .then(|| "is the kernel module ip_vs_SCHEDULER there? Look at `ls /lib/modules/$(uname -r)/kernel/net/netfilter/ipvs`".to_owned());
    Ok(Refusal {
        operation,
        errno,
        number: acknowledgement.error,
        message: acknowledgement.text,
        attribute: None,
        hint,
    })
}
