//! Base chains of others in our table.

use portolan_core::{Environment, Family};
use portolan_netlink::nftables::{BaseChain, ChainKind, Hook, Policy, Rule};

use super::{Machine, TABLE};
use crate::diff::diff;
use crate::table::ObservedChain;

#[test]
fn a_base_chain_of_others_goes_with_the_first_transaction_and_other_chains_later() {
    let mut machine = Machine::default();
    machine.converge(&[], &Environment::default());
    let (kind, hook, policy) = (ChainKind::Filter, Hook::Output, Policy::Drop);
    let base = Some(BaseChain { kind, hook, priority: -77, policy });
    let rules = vec![Rule::default()];
    let mut observed = machine.kernel[&Family::V4].observe(Family::V4).unwrap();
    for (name, base, rules) in [
        ("__base", base, Vec::new()),
        ("__of-a-rule", None, rules.clone()),
        ("base", base, Vec::new()),
        ("base-with-rules", base, rules.clone()),
        ("other", None, Vec::new()),
        ("other-with-rules", None, rules),
    ] {
        observed.chains.insert(name.to_owned(), ObservedChain { base, rules });
    }
    let state = machine.state.as_ref().unwrap();
    let desired = &state.families[&Family::V4];
    let (delta, _) = diff(desired, Some(observed), state.inventory(&desired.settings), TABLE);
    assert_eq!(delta.flush_chains, ["base-with-rules", "other-with-rules"]);
    assert_eq!(delta.delete_chains, ["__base", "base", "base-with-rules"]);
    assert_eq!(delta.remove_chains, ["other", "other-with-rules"]);
}
