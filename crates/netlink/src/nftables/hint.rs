//! What an operator should check when the kernel refuses a request.

use nix::errno::Errno;

use super::path::Place;
use super::uapi::{chain, element_list, message};

/// A hint for this error of this kind of request at this place, if there is one.
pub(super) fn hint(kind: u16, errno: Errno, place: Option<&Place>) -> Option<String> {
    let expression = place.and_then(|place| place.expression.as_deref());
    let at = |attribute: Option<&str>| {
        let path = place.map(|place| place.path.as_str());
        attribute.is_some() && path.and_then(|path| path.split(['.', '[']).next()) == attribute
    };
    let at_elements = at(element_list::name(element_list::ELEMENTS));
    match (kind, errno) {
        (message::BATCH_BEGIN, Errno::EOPNOTSUPP | Errno::EINVAL) => Some(no_nf_tables()),
        (message::NEW_TABLE, Errno::EAFNOSUPPORT) => Some(
            "this kernel has no nf_tables for the address family: check CONFIG_NF_TABLES_IPV4 \
             and CONFIG_NF_TABLES_IPV6"
                .to_owned(),
        ),
        (message::NEW_CHAIN, Errno::ENOENT | Errno::EOPNOTSUPP) if at(chain::name(chain::TYPE)) => {
            Some(
                "this kernel has no such type of chain: check CONFIG_NFT_NAT and that the \
                 module nft_chain_nat can be loaded"
                    .to_owned(),
            )
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
        (message::DELETE_ELEMENTS, Errno::ENOENT) if at_elements => {
            Some("the key is not in the set: another program may have deleted it".to_owned())
        }
        // Linux 5.10 tells only when it is the table.
        (message::DELETE_ELEMENTS, Errno::ENOENT) if place.is_none() => Some(
            "the key or the whole set is not there: another program may have deleted it".to_owned(),
        ),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str, expression: Option<&str>) -> Place {
        Place { path: path.to_owned(), expression: expression.map(str::to_owned) }
    }

    fn text(kind: u16, errno: Errno, place: &Place) -> String {
        hint(kind, errno, Some(place)).unwrap_or_default()
    }

    #[test]
    fn a_missing_part_of_the_kernel_is_named_with_its_option() {
        let chain_type = place("NFTA_CHAIN_TYPE", None);
        let nowhere = place("", None);
        assert!(text(message::BATCH_BEGIN, Errno::EOPNOTSUPP, &nowhere).contains("NF_TABLES"));
        assert!(text(message::NEW_TABLE, Errno::EAFNOSUPPORT, &nowhere).contains("TABLES_IPV6"));
        assert!(text(message::NEW_CHAIN, Errno::ENOENT, &chain_type).contains("CONFIG_NFT_NAT"));
        for (name, option) in [
            ("numgen", "CONFIG_NFT_NUMGEN"),
            ("masq", "CONFIG_NFT_MASQ"),
            ("nat", "CONFIG_NFT_NAT"),
            ("ct", "CONFIG_NFT_CT"),
            ("fib", "CONFIG_NFT_FIB_IPV4"),
            ("reject", "CONFIG_NFT_REJECT"),
        ] {
            let place = place("NFTA_RULE_EXPRESSIONS[3]", Some(name));
            assert!(text(message::NEW_RULE, Errno::ENOENT, &place).contains(option), "{name}");
        }
    }

    #[test]
    fn a_missing_table_is_not_taken_for_a_missing_element_or_module() {
        let table = place("NFTA_SET_ELEM_LIST_TABLE", None);
        assert_eq!(hint(message::DELETE_ELEMENTS, Errno::ENOENT, Some(&table)), None);
        let unplaced = hint(message::DELETE_ELEMENTS, Errno::ENOENT, None).unwrap();
        assert!(unplaced.starts_with("the key or the whole set is not there"), "{unplaced}");
        let element = place("NFTA_SET_ELEM_LIST_ELEMENTS[3]", None);
        assert!(hint(message::DELETE_ELEMENTS, Errno::ENOENT, Some(&element)).is_some());
        let chain = place("NFTA_RULE_CHAIN", None);
        assert_eq!(hint(message::NEW_RULE, Errno::ENOENT, Some(&chain)), None);
        let table = place("NFTA_CHAIN_TABLE", None);
        assert_eq!(hint(message::NEW_CHAIN, Errno::ENOENT, Some(&table)), None);
    }
}
