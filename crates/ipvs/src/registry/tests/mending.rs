//! What others do to the register, and what becomes of that.

use portolan_lab::namespaced;
use portolan_netlink::nftables::{Chain, Data, Field, Set, SetData, Verdict};

use super::*;

/// What another program does to the tables.
type Disturbance = fn(&mut Batch);

pub(super) fn commit(disturb: Disturbance) {
    let mut batch = Batch::new(None);
    disturb(&mut batch);
    Connection::open().unwrap().commit(&mut batch).unwrap();
}

fn switch_off(batch: &mut Batch) {
    let table = Table { name: "ours".to_owned(), dormant: true, ..Table::default() };
    Family::ALL.into_iter().for_each(|family| batch.add_table(family, &table));
}

/// The servers as the kernel has them, with their comments.
fn register(families: impl IntoIterator<Item = Family>) -> BTreeSet<(Vec<u8>, Option<String>)> {
    let mut register = BTreeSet::new();
    for family in families {
        Connection::open()
            .unwrap()
            .elements(family, "ours", SET, &mut |element| {
                register.insert((element.key.to_vec(), element.comment.map(str::to_owned)));
            })
            .unwrap();
    }
    register
}

/// A register with a server in each family.
pub(super) fn filled() -> Registry {
    let mut registry = opened();
    registry.create().unwrap();
    let server = |text: &str| {
        let key = ServerKey::Address { protocol: 6, address: text.parse().unwrap() };
        (key, format!("of {text}"))
    };
    registry.add(&["10.96.0.1:80", "[fd00::1]:80"].map(server)).unwrap();
    registry.take_transactions();
    registry
}

/// Whatever was done to it, the register is mended, keeps its servers, and counts what it sent.
fn is_mended(registry: &mut Registry, what: &str) {
    let (generation, before) = (registry.connection.generation(), register(Family::ALL));
    assert!(!registry.is_guarded().unwrap(), "{what}");
    registry.create().unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(registry.is_guarded().unwrap(), "{what}");
    assert_eq!(register(Family::ALL), before, "{what}");
    let after = generation.unwrap() + registry.take_transactions();
    assert_eq!(registry.connection.generation().unwrap(), after, "{what}");
    registry.create().unwrap();
    assert_eq!(registry.take_transactions(), 0, "{what}: that was all");
}

#[test]
fn a_register_that_is_switched_off_is_switched_on_whatever_else_is_to_be_mended() {
    let name = "registry::tests::mending::\
                a_register_that_is_switched_off_is_switched_on_whatever_else_is_to_be_mended";
    namespaced(name, || {
        let disturbances: [(&str, Disturbance); 4] = [
            ("nothing", |_| {}),
            ("a rule is gone", |batch| batch.flush_chain(Family::Ip, "ours", "input")),
            ("a chain is gone", |batch| {
                batch.flush_chain(Family::Ip6, "ours", "new-output");
                batch.delete_chain(Family::Ip6, "ours", "new-output");
            }),
            ("there is another chain", |batch| batch.add_chain(Family::Ip, "ours", &theirs())),
        ];
        let mut registry = filled();
        for (what, disturb) in disturbances {
            for bits in [0, 1] {
                commit(disturb);
                commit(switch_off);
                registry.mark <<= bits;
                is_mended(&mut registry, &format!("{what}, and another mark by {bits} bits"));
            }
        }
    });
}

fn theirs() -> Chain {
    Chain { name: "theirs".to_owned(), base: None, comment: None }
}

/// Another program's map that leads to a chain, which cannot be deleted before it.
fn lead_to(chain: &str, batch: &mut Batch) {
    let map = Set {
        name: "their-map".to_owned(),
        key: vec![Field::Ipv4Address],
        data: Some(SetData::Verdict),
        size: Some(4),
        ..Set::default()
    };
    batch.add_set(Family::Ip, "ours", &map);
    batch.elements(Family::Ip, "ours", &map.name, ElementOperation::Add).push(
        &[9, 9, 9, 9],
        Some(Data::Verdict(Verdict::Goto(chain))),
        None,
    );
}

#[test]
fn a_register_that_the_kernel_does_not_let_us_change_is_made_anew() {
    let name =
        "registry::tests::mending::a_register_that_the_kernel_does_not_let_us_change_is_made_anew";
    namespaced(name, || {
        let disturbances: [(&str, Disturbance); 3] = [
            ("a map leads to their chain", |batch| {
                batch.add_chain(Family::Ip, "ours", &theirs());
                lead_to("theirs", batch);
            }),
            ("a map leads to a chain in the place of ours", |batch| {
                batch.flush_chain(Family::Ip, "ours", "input");
                batch.delete_chain(Family::Ip, "ours", "input");
                let input = Chain { name: "input".to_owned(), ..Chain::default() };
                batch.add_chain(Family::Ip, "ours", &input);
                lead_to("input", batch);
            }),
            ("that, and it is switched off", |batch| {
                batch.add_chain(Family::Ip, "ours", &theirs());
                lead_to("theirs", batch);
                switch_off(batch);
            }),
        ];
        let mut registry = filled();
        for (what, disturb) in disturbances {
            commit(disturb);
            is_mended(&mut registry, what);
        }
        commit(|batch| batch.delete_table(Family::Ip6, "ours"));
        commit(|batch| {
            batch.add_chain(Family::Ip, "ours", &theirs());
            lead_to("theirs", batch);
        });
        let before = register([Family::Ip]);
        registry.create().unwrap();
        assert!(registry.is_guarded().unwrap());
        assert_eq!(register(Family::ALL), before, "the other family's are lost with its table");
    });
}

#[test]
fn rules_that_others_changed_are_mended_and_others_are_not_written_again() {
    let name = "registry::tests::mending::rules_that_others_changed_are_mended_and_others_are_not_written_again";
    namespaced(name, || {
        let mut registry = opened();
        registry.create().unwrap();
        assert_eq!(registry.take_transactions(), 1);
        registry.create().unwrap();
        assert_eq!(registry.take_transactions(), 0);
        let disturbances: [(&str, Disturbance); 3] = [
            ("a rule is gone", |batch| batch.flush_chain(Family::Ip6, "ours", "input")),
            ("there is another chain", |batch| batch.add_chain(Family::Ip, "ours", &theirs())),
            ("one of the tables is switched off", |batch| {
                let table = Table { name: "ours".to_owned(), dormant: true, ..Table::default() };
                batch.add_table(Family::Ip, &table);
            }),
        ];
        for (what, disturb) in disturbances {
            commit(disturb);
            is_mended(&mut registry, what);
        }
        registry.let_in(registry.mark << 1);
        assert!(!registry.is_guarded().unwrap(), "the mark of an earlier process, too");
        registry.let_in(0);
        assert!(registry.is_guarded().unwrap(), "as it was");
        registry.mark <<= 1;
        assert!(!registry.is_guarded().unwrap(), "another mark");
    });
}
