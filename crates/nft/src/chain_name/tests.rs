//! Names of chains, to and fro.

use super::*;

#[test]
fn every_name_leads_back_to_its_chain() {
    let mut chains = vec![ServingChain::Reject];
    for affinity in [None, Some(1), Some(10_800)] {
        let draw = |slots| Draw { slots, affinity, part: 0 };
        chains.push(ServingChain::ClusterIp(draw(3)));
        for kind in [EntryKind::Address, EntryKind::NodePort] {
            chains.push(ServingChain::External(kind, draw(12)));
            for pool in [Pool::Cluster, Pool::Local] {
                chains.push(ServingChain::Balance(kind, pool, draw(1)));
            }
            for inside in [Outlet::Balance(draw(7)), Outlet::Reject, Outlet::Drop] {
                for outside in [Outlet::Balance(draw(2)), Outlet::Reject, Outlet::Drop] {
                    chains.push(ServingChain::ExternalLocal(kind, inside, outside));
                }
            }
        }
    }
    let parted = Draw { slots: 3, affinity: None, part: 12 };
    chains.push(ServingChain::ClusterIp(parted));
    chains.push(ServingChain::External(EntryKind::Address, parted));
    chains.push(ServingChain::Balance(EntryKind::Address, Pool::Cluster, parted));
    for outside in [Outlet::Balance(Draw { part: 0, ..parted }), Outlet::Reject, Outlet::Drop] {
        let inside = Outlet::Balance(parted);
        chains.push(ServingChain::ExternalLocal(EntryKind::Address, inside, outside));
    }
    let strays: Vec<_> = chains.iter().map(|chain| chain.resetting_strays()).collect();
    assert_eq!(strays.iter().filter(|it| matches!(it, ServingChain::ResetStrays(_))).count(), 68);
    chains.extend(strays);
    chains.push(ServingChain::ResetStrays(Beyond::Drop));
    let restricted: Vec<_> = chains.iter().filter_map(|chain| chain.restricted()).collect();
    assert!(restricted.len() > 20);
    for chain in chains.into_iter().chain(restricted) {
        assert_eq!(ServingChain::from_name(&chain.to_string()), Some(chain), "{chain}");
    }
    let others = [
        "services",
        "balance-",
        "balance-03",
        "node-port-cluster-ip-3",
        "external-x",
        "balance-3-affinity",
        "balance-3-affinity-",
        "balance-3-part-0",
        "balance-3-part-",
        "balance-3-part-1-affinity-60",
        "external-local-3",
        "external-local-3-1-2",
        "allowed-cluster-ip-3",
        "allowed-allowed-external-3",
        "reset-strays-",
        "reset-strays-balance-3",
        "reset-strays-reject-connection",
        "reset-strays-allowed-external-3",
        "reset-strays-reset-strays-drop",
        "allowed-reset-strays-drop",
        "allowed-reset-strays-cluster-ip-3",
    ];
    for name in others {
        assert_eq!(ServingChain::from_name(name), None, "{name}");
    }
}
