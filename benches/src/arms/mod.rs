//! What is measured side by side.
//!
//! | arm | what it is |
//! |---|---|
//! | `portolan` | the agent, as a process of its own |
//! | `kube-proxy` | a real kube-proxy, if `--kube-proxy` names one, against the same server |
//! | `floor` | the same transaction, encoded beforehand and sent by itself |
//! | `direct` | traffic past all services, on a node without rules |
//! | `asked` | the rate at which changes were to be written |
//!
//! The first two are processes and described here. Runs take turns, so that what else the
//! machine does falls on all of them.

mod kube_proxy;
mod portolan;

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub use self::kube_proxy::Mode;
pub use self::portolan::Backend;
use crate::cluster::{POD_NETWORK_V4, POD_NETWORK_V6};
use crate::observe::{Contents, Witness, Written};

/// The names of those that are no process.
pub(crate) const FLOOR: &str = "floor";
pub(crate) const DIRECT: &str = "direct";
pub(crate) const ASKED: &str = "asked";
pub(crate) const PORTOLAN: &str = "portolan";
pub(crate) const KUBE_PROXY: &str = "kube-proxy";

/// Where the arms serve their health; each has a network namespace of its own.
pub(crate) const HEALTHZ: &str = "127.0.0.1:10256";
/// Where they serve their metrics.
pub(crate) const METRICS: &str = "127.0.0.1:10249";

/// A service proxy to measure.
#[derive(Clone, Debug)]
pub(crate) struct Arm {
    pub(crate) name: &'static str,
    program: PathBuf,
    arguments: Vec<OsString>,
    /// Directories that it looks for programs in, before those of this process.
    path: Vec<PathBuf>,
    /// Where it keeps its frontends.
    pub(crate) contents: Contents,
    pub(crate) written: Written,
    /// So long without a transaction means that it has nothing more to say.
    pub(crate) quiet: Duration,
    /// A pause before each single change, after which it reacts at once.
    pub(crate) pause: Duration,
    /// The most single changes of a kind: the pauses add up.
    pub(crate) changes: u32,
    /// Where a change of it is seen first, and while one follows another.
    pub(crate) witness: Witness,
    /// /healthz says 200 once the first synchronisation is complete, and not before.
    pub(crate) tells_readiness: bool,
    /// Its metrics say how much it has sent to the kernel.
    pub(crate) tells_what_it_sends: bool,
}

impl Arm {
    /// The command with the arguments that lead it to its API server, and its output going
    /// to a file.
    pub(crate) fn command(&self, server: &[OsString], log: &Path) -> anyhow::Result<Command> {
        let mut command = Command::new(&self.program);
        let log = File::create(log)?;
        command
            .args(&self.arguments)
            .args(server)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A pod's environment would lead it to the cluster that this runs in.
            .env_remove("KUBERNETES_SERVICE_HOST")
            .env_remove("RUST_LOG");
        let own = std::env::var_os("PATH").unwrap_or_default();
        let path = self.path.iter().cloned().chain(std::env::split_paths(&own));
        command.env("PATH", std::env::join_paths(path)?);
        Ok(command)
    }
}

/// The pods' networks, as both arms take them.
fn cluster_cidr() -> String {
    format!("{POD_NETWORK_V4},{POD_NETWORK_V6}")
}
