//! The agent as its users run it, with its own defaults.

use std::path::Path;
use std::time::Duration;

use super::{Arm, HEALTHZ, PORTOLAN, cluster_cidr};
use crate::cluster::NODE_NAME;
use crate::observe::{Contents, Written};

impl Arm {
    /// The agent in this file.
    pub(crate) fn portolan(program: &Path) -> Arm {
        let cidr = cluster_cidr();
        let arguments = [
            "run",
            "--source=kube",
            "--node-name",
            NODE_NAME,
            "--cluster-cidr",
            &cidr,
            "--healthz-bind-address",
            HEALTHZ,
            // Of the machine, not of the namespace.
            "--control-socket=",
        ];
        Arm {
            name: PORTOLAN,
            program: program.to_owned(),
            arguments: arguments.map(Into::into).to_vec(),
            path: Vec::new(),
            contents: Contents::Map { table: "portolan", map: "services" },
            written: Written::Everything,
            quiet: Duration::from_millis(300),
            pause: Duration::from_millis(2),
            changes: u32::MAX,
            rewrites: false,
            tells_readiness: true,
        }
    }
}
