use std::io;
use std::net::IpAddr;

use nix::errno::Errno;

/// Why a lab could not be built or used.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The host refused new user and network namespaces.
    #[error("this host does not allow new network namespaces ({errno}): {advice}")]
    Forbidden {
        /// What the kernel answered to `unshare`.
        errno: Errno,
        /// Which settings of this host stand in the way and what to do about them.
        advice: String,
    },

    /// [`enter_or_explain`](crate::enter_or_explain) was called by a process with several
    /// threads, which the kernel does not let into a new user namespace.
    #[error(
        "this process runs {threads} threads; a new user namespace can only be entered before \
         the first one is started"
    )]
    ThreadsRunning {
        /// Number of threads, the caller included.
        threads: usize,
    },

    /// A file of `/proc` or a setting could not be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: String,
        /// What the kernel answered.
        source: io::Error,
    },

    /// A system call failed that works wherever network namespaces work.
    #[error("cannot {action}")]
    System {
        /// What was attempted, to be read after "cannot".
        action: String,
        /// What the kernel answered.
        source: io::Error,
    },

    /// An address was asked for twice.
    #[error("the address {address} is another host's already")]
    AddressTaken {
        /// The address.
        address: IpAddr,
    },

    /// No host of the lab has this address.
    #[error("no host of the lab has the address {address}")]
    UnknownAddress {
        /// The address.
        address: IpAddr,
    },

    /// The kernel refused a change of links, addresses or routes.
    #[error("cannot {action}: {errno}{}", explain(message))]
    Route {
        /// What was attempted, to be read after "cannot".
        action: String,
        /// The error of the acknowledgement.
        errno: Errno,
        /// The kernel's own words (`NLMSGERR_ATTR_MSG`), if it had any.
        message: Option<String>,
    },
}

impl LabError {
    /// Wraps a failed system call; `action` is read after "cannot".
    pub(crate) fn system(action: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::System { action: action.into(), source: source.into() }
    }
}

fn explain(message: &Option<String>) -> String {
    message.as_ref().map(|text| format!(" ({text})")).unwrap_or_default()
}
