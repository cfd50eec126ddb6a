//! What an operator should check when the kernel refuses a request.

use nix::errno::Errno;

use super::path::Place;
use super::uapi::{chain, message};

/// A hint for this error of this kind of request at this place, if there is one.
pub(super) fn hint(kind: u16, errno: Errno, place: Option<&Place>) -> Option<String> {
    let expression = place.and_then(|place| place.expression.as_deref());
    match (kind, errno) {
        (message::BATCH_BEGIN, Errno::EOPNOTSUPP | Errno::EINVAL) => Some(no_nf_tables()),
        (message::NEW_TABLE, Errno::EAFNOSUPPORT) => Some(
            "this kernel has no nf_tables for the address family: check CONFIG_NF_TABLES_IPV4 \
             and CONFIG_NF_TABLES_IPV6"
                .to_owned(),
        ),
        (message::NEW_CHAIN, Errno::ENOENT | Errno::EOPNOTSUPP) => {
            let kind = chain::name(chain::TYPE).unwrap_or_default();
            place.filter(|place| place.path == kind).map(|_| {
                "this kernel has no such type of chain: check CONFIG_NFT_NAT and that the \
                 module nft_chain_nat can be loaded"
                    .to_owned()
            })
        }
        (message::NEW_RULE, Errno::ENOENT | Errno::EOPNOTSUPP) => missing_expression(expression?),
        (message::NEW_ELEMENTS, Errno::ENFILE) => {
            Some("the set is full: it needs a larger size".to_owned())
        }
        (message::NEW_ELEMENTS, Errno::EEXIST) => Some(
            "the key exists with other data, or its range overlaps another: delete the old \
             element in the same transaction"
                .to_owned(),
        ),
        (message::DELETE_ELEMENTS, Errno::ENOENT) => {
            Some("the key is not in the set: another program may have deleted it".to_owned())
        }
        (message::DELETE_SET | message::DELETE_CHAIN, Errno::EBUSY) => {
            Some("a rule or element still uses it".to_owned())
        }
        _ => None,
    }
}

/// The hint for a kernel without nf_tables.
pub(super) fn no_nf_tables() -> String {
    "this kernel has no nf_tables: check CONFIG_NF_TABLES and that the module nf_tables can \
     be loaded"
        .to_owned()
}

/// Expressions that name a set or chain get the same error when that does not exist.
fn missing_expression(name: &str) -> Option<String> {
    let option = match name {
        "lookup" => return Some("check that the set exists and fits the rule".to_owned()),
        "immediate" => return Some("check that the chain exists".to_owned()),
        "payload" | "meta" | "cmp" | "bitwise" => "CONFIG_NF_TABLES".to_owned(),
        "fib" => "CONFIG_NFT_FIB_IPV4 and CONFIG_NFT_FIB_IPV6".to_owned(),
        "reject" => "CONFIG_NFT_REJECT".to_owned(),
        name => format!("CONFIG_NFT_{}", name.to_uppercase()),
    };
    Some(format!("this kernel has no expression {name}: check {option} and its module"))
}
