//! What can go wrong between this process and the kernel.

use std::fmt;
use std::io;

use nix::errno::Errno;

use crate::socket::ReceiveError;

/// A failed conversation with the kernel. The text tells the operator what to check.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetlinkError {
    /// The socket could not be made, or reading or writing it failed.
    #[error("cannot {action}")]
    Socket {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The kernel wants a privilege that this process has not.
    #[error(
        "the kernel refused to {action}: this needs CAP_NET_ADMIN in the user namespace that owns the network namespace"
    )]
    Permission {
        /// What was tried.
        action: String,
    },
    /// As [`NetlinkError::Permission`], for what the kernel lets only the machine's own
    /// superuser do (`GENL_ADMIN_PERM`).
    #[error(
        "the kernel refused to {action}: this needs CAP_NET_ADMIN in the initial user namespace, whoever owns the network namespace"
    )]
    InitialPermission {
        /// What was tried.
        action: String,
    },
    /// A transaction must travel in one piece, and this one is larger than the socket's
    /// send buffer may become. Nothing was sent.
    #[error(
        "a transaction of {bytes} bytes exceeds the send buffer of {limit} bytes: raise net.core.wmem_max to at least {} or give the process CAP_NET_ADMIN in the initial user namespace",
        bytes.div_ceil(2)
    )]
    TooLarge {
        /// The size of the transaction.
        bytes: usize,
        /// The most that one send can carry.
        limit: usize,
    },
    /// Something changed the tables after [`generation`](crate::nftables::Connection::generation)
    /// was read. Nothing was applied: observe again and repeat.
    #[error("the nf_tables generation is no longer {generation}: another program changed a table")]
    StaleGeneration {
        /// The generation that the transaction was made for.
        generation: u32,
    },
    /// The kernel refused one request; of a transaction nothing was applied.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// Other programs kept changing the tables while they were read.
    #[error("cannot {action}: the tables changed during each of {attempts} attempts")]
    Interrupted {
        /// What was requested.
        action: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// The kernel has nobody for these requests.
    #[error(
        "this kernel has no {subsystem}: is the module {module} there, and may it be loaded? `modprobe {module}` on the node tells"
    )]
    Unavailable {
        /// The subsystem.
        subsystem: &'static str,
        /// Its kernel module.
        module: &'static str,
    },
    /// The kernel did not answer.
    #[error("the kernel did not answer a request to {action}")]
    NoAnswer {
        /// What was requested.
        action: String,
    },
    /// The kernel's answer was not a netlink message that can be understood.
    #[error("the kernel's answer to a request to {action} cannot be read: {reason}")]
    Malformed {
        /// What was requested.
        action: String,
        /// What is wrong with the answer.
        reason: &'static str,
    },
    /// A name, key or text given by the caller does not fit into an attribute, whose length
    /// is a 16-bit number. Nothing was sent.
    #[error("{operation} does not fit into a netlink attribute (64 KiB)")]
    Unencodable {
        /// The operation, with the name of its object.
        operation: String,
    },
}

impl NetlinkError {
    /// The answer to a request makes no sense.
    pub(crate) fn malformed(action: &str) -> NetlinkError {
        NetlinkError::Malformed { action: action.to_owned(), reason: "its lengths do not add up" }
    }

    /// There is no answer to a request.
    pub(crate) fn unanswered(error: ReceiveError, action: &str) -> NetlinkError {
        match error {
            ReceiveError::Nothing => NetlinkError::NoAnswer { action: action.to_owned() },
            ReceiveError::Overrun => NetlinkError::Socket {
                action: "receive from the kernel: its answers did not fit into the receive queue",
                source: Errno::ENOBUFS.into(),
            },
            ReceiveError::Failed(source) => {
                NetlinkError::Socket { action: "receive from the kernel", source }
            }
        }
    }
}

/// One request that the kernel refused, and all that it said about why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was requested, with the names of the objects.
    pub operation: String,
    /// The error, as far as user space has a name for it.
    pub errno: Errno,
    /// Its number. Some of the kernel's have no name in user space.
    pub number: i32,
    /// The kernel's own words (extended acknowledgement), if it had any.
    pub message: Option<String>,
    /// The attribute that the kernel points at, e.g.
    /// `NFTA_SET_ELEM_LIST_ELEMENTS[3].NFTA_SET_ELEM_KEY`.
    pub attribute: Option<String>,
    /// What the operator should check, where that is known.
    pub hint: Option<String>,
}

impl Refusal {
    /// Whether the kernel refused it because there is one already.
    pub fn is_duplicate(&self) -> bool {
        self.errno == Errno::EEXIST
    }

    /// Whether the kernel refused a virtual server because it has no module for its
    /// scheduler (`ip_vs_add_service`, `ip_vs_edit_service`, v6.1).
    pub fn lacks_scheduler(&self) -> bool {
        self.errno == Errno::ENOENT
    }

    /// Whether the kernel refused it because there is no such thing.
    pub fn is_missing(&self) -> bool {
        matches!(self.errno, Errno::ENOENT | Errno::ESRCH)
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: ", self.operation)?;
        match self.errno {
            Errno::UnknownErrno => write!(f, "error {}", self.number)?,
            errno => errno.fmt(f)?,
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        if let Some(attribute) = &self.attribute {
            write!(f, " (at {attribute})")?;
        }
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}
