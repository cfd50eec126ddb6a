//! Which marks the rules beside the register of virtual servers let in.

use std::collections::BTreeSet;

use portolan_netlink::nftables::{Connection, CtKey, Expression, Family};

/// The bits of the connection mark that each rule of the register looks for, in both families.
pub(crate) fn guarded_marks() -> BTreeSet<u32> {
    let mut connection = Connection::open().unwrap();
    let mut marks = BTreeSet::new();
    for family in Family::ALL {
        for listed in connection.rules(family, "portolan-ipvs").unwrap() {
            for pair in listed.rule.expressions.windows(2) {
                if let [
                    Expression::CtLoad { key: CtKey::Mark, .. },
                    Expression::Bitwise { mask, .. },
                ] = pair
                {
                    marks.insert(u32::from_ne_bytes(mask.as_slice().try_into().unwrap()));
                }
            }
        }
    }
    marks
}
