use portolan_lab::namespaced;
use portolan_netlink::NetlinkError;
use portolan_netlink::nftables::{
    Batch, Data, ElementOperation, Expression, Family, Field, OwnedVerdict, Register, Rule, Set,
    Verdict,
};

use super::{
    Kernel, TABLE, add, address_map, assert_names_element, chain, delete, element,
    may_be_like_5_10, verdict_map,
};

fn rule(expressions: Vec<Expression>) -> Rule {
    Rule { expressions, comment: None }
}

fn with_chain() -> Kernel {
    let mut kernel = Kernel::with_table();
    kernel.apply(|batch| batch.add_chain(Family::Ip, TABLE, &chain("c")));
    kernel
}

#[test]
fn an_element_that_goes_to_a_missing_chain_is_named_by_its_number() {
    namespaced("errors::an_element_that_goes_to_a_missing_chain_is_named_by_its_number", || {
        let mut kernel = with_chain();
        kernel.apply(|batch| batch.add_set(Family::Ip, TABLE, &verdict_map("map", 8)));
        let error = kernel.refusal(|batch| {
            let mut writer = batch.elements(Family::Ip, TABLE, "map", ElementOperation::Add);
            for (key, chain) in (0_u32..).zip(["c", "c", "absent", "c"]) {
                let data = Data::Verdict(Verdict::Goto(chain));
                writer.push(&key.to_be_bytes(), Some(data), None);
            }
        });
        let start = "cannot add elements to set map of table ip portolan: ENOENT: No such file or directory";
        assert_names_element(&error, start, 2, "");
    });
}

#[test]
fn a_rule_that_names_something_missing_says_what() {
    namespaced("errors::a_rule_that_names_something_missing_says_what", || {
        let mut kernel = with_chain();
        let goto = Expression::Verdict(OwnedVerdict::Goto("absent".to_owned()));
        let error = kernel.refusal(|batch| {
            batch.add_rule(Family::Ip, TABLE, "c", &rule(vec![Expression::Counter, goto]));
        });
        assert_eq!(
            error,
            "cannot add a rule to chain c of table ip portolan: ENOENT: No such file or directory \
             (at NFTA_RULE_EXPRESSIONS[1]); check that the chain exists"
        );
        let lookup = Expression::Lookup {
            set: "absent".to_owned(),
            register: Register::Word(0),
            destination: None,
            inverted: false,
        };
        let error = kernel.refusal(|batch| {
            batch.add_rule(Family::Ip, TABLE, "c", &rule(vec![lookup]));
        });
        assert!(error.ends_with("check that the set exists and fits the rule"), "{error}");
        let error =
            kernel.refusal(|batch| batch.add_rule(Family::Ip, TABLE, "absent", &rule(Vec::new())));
        assert_eq!(
            error,
            "cannot add a rule to chain absent of table ip portolan: ENOENT: No such file or directory \
             (at NFTA_RULE_CHAIN)"
        );
    });
}

#[test]
fn an_expression_that_the_kernel_lacks_is_named_with_its_option() {
    namespaced("errors::an_expression_that_the_kernel_lacks_is_named_with_its_option", || {
        let mut kernel = with_chain();
        let unknown = Expression::Unknown { name: "portolan".to_owned() };
        let error = kernel.refusal(|batch| {
            batch.add_rule(Family::Ip, TABLE, "c", &rule(vec![unknown]));
        });
        assert_eq!(
            error,
            "cannot add a rule to chain c of table ip portolan: ENOENT: No such file or directory \
             (at NFTA_RULE_EXPRESSIONS[0]); this kernel has no expression portolan: check \
             CONFIG_NFT_PORTOLAN and its module"
        );
    });
}

#[test]
fn a_full_set_says_so() {
    namespaced("errors::a_full_set_says_so", || {
        let mut kernel = Kernel::with_table();
        let error = kernel.refusal(|batch| {
            batch.add_set(Family::Ip, TABLE, &address_map("map", 2));
            let mut writer = batch.elements(Family::Ip, TABLE, "map", ElementOperation::Add);
            for key in 0..4_u32 {
                writer.push(&key.to_be_bytes(), Some(Data::Bytes(&[0; 4])), None);
            }
        });
        let start =
            "cannot add elements to set map of table ip portolan: ENFILE: File table overflow";
        assert_names_element(&error, start, 2, "; the set is full: it needs a larger size");
    });
}

#[test]
fn deleting_what_is_not_there_says_which() {
    namespaced("errors::deleting_what_is_not_there_says_which", || {
        let mut kernel = Kernel::with_table();
        kernel.apply(|batch| batch.add_set(Family::Ip, TABLE, &address_map("map", 2)));
        let error = kernel.refusal(|batch| delete(batch, "map", 7));
        let named =
            error.contains("(at NFTA_SET_ELEM_LIST_ELEMENTS[0]); the key is not in the set");
        let unnamed = error.contains("directory; the key or the whole set is not there");
        assert!(named || may_be_like_5_10() && unnamed, "{error}");
        let error = kernel.refusal(|batch| batch.delete_set(Family::Ip, TABLE, "absent"));
        assert_eq!(
            error,
            "cannot delete set absent of table ip portolan: ENOENT: No such file or directory \
             (at NFTA_SET_NAME)"
        );
        let error = kernel.refusal(|batch| batch.delete_table(Family::Ip6, TABLE));
        assert_eq!(
            error,
            "cannot delete table ip6 portolan: ENOENT: No such file or directory (at NFTA_TABLE_NAME)"
        );
    });
}

#[test]
fn a_set_that_exists_otherwise_is_refused_and_stays() {
    namespaced("errors::a_set_that_exists_otherwise_is_refused_and_stays", || {
        let mut kernel = Kernel::with_table();
        kernel.apply(|batch| batch.add_set(Family::Ip, TABLE, &address_map("map", 2)));
        let other = Set { key: vec![Field::Port], ..address_map("map", 2) };
        match kernel.try_apply(|batch| batch.add_set(Family::Ip, TABLE, &other)) {
            // Linux 5.10 looks at the name only.
            Ok(_) if may_be_like_5_10() => {}
            Ok(receipt) => panic!("added another set of the same name: {receipt:?}"),
            Err(error) => {
                let error = error.to_string();
                assert!(error.starts_with("cannot add set map of table ip portolan"), "{error}");
            }
        }
        let sets = kernel.connection.sets(Family::Ip, TABLE).unwrap();
        assert_eq!(sets, [address_map("map", 2)]);
    });
}

#[test]
fn after_more_refusals_than_the_receive_queue_takes_the_connection_still_works() {
    let name = "errors::\
                after_more_refusals_than_the_receive_queue_takes_the_connection_still_works";
    namespaced(name, || {
        let mut kernel = Kernel::with_table();
        let mut batch = Batch::new(None);
        for number in 0..7_000 {
            batch.delete_chain(Family::Ip, TABLE, &format!("absent-{number}"));
        }
        let error = kernel.connection.commit(&mut batch).unwrap_err();
        assert!(matches!(error, NetlinkError::Refused(_)), "{error}");
        assert!(error.to_string().starts_with("cannot delete chain absent-0 of"), "{error}");
        kernel.apply(|batch| {
            batch.add_set(Family::Ip, TABLE, &address_map("map", 2));
            add(batch, "map", 1, 1);
        });
        assert_eq!(kernel.elements("map"), [element(1, 1)]);
    });
}
