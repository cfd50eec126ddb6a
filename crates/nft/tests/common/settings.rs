//! Every way to set the backend up that changes its rules.

use portolan_core::Environment;
use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_nft::{Ipvs, NftOptions};

use crate::common;

/// Environments and options that together lead to every statement.
pub(crate) fn settings() -> Vec<(Environment, NftOptions)> {
    let options = |masquerade_bit, masquerade_all| NftOptions {
        masquerade_bit,
        masquerade_all,
        ..NftOptions::default()
    };
    let pods = |local_pods: LocalPods| Environment {
        node_ports_v4: NodePortAddresses::Any,
        node_ports_v6: NodePortAddresses::Any,
        local_pods_v4: local_pods.clone(),
        local_pods_v6: local_pods,
        ..common::environment()
    };
    vec![
        (common::environment(), options(14, false)),
        (pods(LocalPods::Unknown), options(0, true)),
        (pods(LocalPods::Interface("cni0".to_owned())), options(1, false)),
        (pods(LocalPods::InterfacePrefix("veth".to_owned())), options(31, false)),
        (pods(LocalPods::Unknown), NftOptions { ipvs: Ipvs::Draining, ..options(14, false) }),
        (
            pods(LocalPods::Unknown),
            NftOptions {
                ipvs: Ipvs::Serving,
                former_ipvs_marks: 1 << 12 | 1 << 31,
                ..options(14, false)
            },
        ),
        (
            Environment { localhost_node_ports: true, ..common::environment() },
            NftOptions { ipvs: Ipvs::Serving, ..options(14, false) },
        ),
    ]
}
