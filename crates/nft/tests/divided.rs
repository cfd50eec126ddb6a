//! Tables whose endpoints are in several maps, against a real kernel.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;
#[path = "common/mixed_services.rs"]
mod mixed_services;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portolan_core::{Backend as _, Change, ServicePlan, SyncReport};
use portolan_lab::namespaced;
use portolan_netlink::nftables::{
    Batch, Connection, Data, ElementView, Family, Field, Set, SetData,
};
use portolan_nft::{KernelTable, NftBackend, NftOptions, inspect};

use self::mixed_services::mixed_services;

fn options(table: &str, endpoints_per_map: usize) -> NftOptions {
    NftOptions { table: table.to_owned(), endpoints_per_map, ..NftOptions::default() }
}

fn converge(
    plans: &[Arc<ServicePlan>],
    table: &str,
    endpoints_per_map: usize,
) -> (NftBackend, SyncReport) {
    let mut backend = NftBackend::open(options(table, endpoints_per_map)).unwrap();
    let report = backend.converge(&mut plans.iter(), &common::environment()).unwrap();
    (backend, report)
}

/// What a table does, whichever chains do it.
fn serving(table: &str) -> KernelTable {
    let mut serving = inspect(table).unwrap().unwrap();
    for frontend in &mut serving.frontends {
        assert_eq!(frontend.empty_slots, 0, "{frontend:?}");
        frontend.verdict.clear();
    }
    serving
}

/// The maps of the endpoints of ClusterIPs.
fn maps(table: &str) -> BTreeSet<String> {
    let sets = Connection::open().unwrap().sets(Family::Ip, table).unwrap();
    sets.into_iter().map(|set| set.name).filter(|name| name.starts_with("endpoints")).collect()
}

/// Who is in which slot, by the bytes of keys and values, whichever map it is in.
fn slots(table: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut connection = Connection::open().unwrap();
    let mut slots = BTreeMap::new();
    for map in maps(table) {
        let visit = &mut |element: ElementView<'_>| {
            let Some(Data::Bytes(endpoint)) = element.data else { unreachable!("{element:?}") };
            slots.insert(element.key.to_vec(), endpoint.to_vec());
        };
        connection.elements(Family::Ip, table, &map, visit).unwrap();
    }
    slots
}

/// The same plans with the endpoints of each pool in the opposite order.
fn reversed(plans: &[Arc<ServicePlan>]) -> Vec<Arc<ServicePlan>> {
    let reverse = |plan: &Arc<ServicePlan>| {
        let mut plan = (**plan).clone();
        plan.ports.iter_mut().for_each(|port| port.cluster.reverse());
        Arc::new(plan)
    };
    plans.iter().map(reverse).collect()
}

fn appear(plans: &[Arc<ServicePlan>]) -> Vec<Change> {
    let change = |plan: &Arc<ServicePlan>| Change {
        service: plan.name.clone(),
        old: None,
        new: Some(Arc::clone(plan)),
    };
    plans.iter().map(change).collect()
}

/// The key of our maps.
fn slotted() -> Vec<Field> {
    vec![Field::Ipv4Address, Field::Protocol, Field::Port, Field::Slot]
}

/// Has others add a map that is declared as ours, but for its key.
fn add_map(name: &str, key: Vec<Field>) {
    let map = Set {
        name: name.to_owned(),
        key,
        data: Some(SetData::Fields(vec![Field::Ipv4Address, Field::Port])),
        size: Some(64),
        ..Set::default()
    };
    let mut batch = Batch::new(None);
    batch.add_set(Family::Ip, "portolan", &map);
    Connection::open().unwrap().commit(&mut batch).unwrap();
}

/// Has others delete maps, and the rules of the chains that use them; returns how many rules.
fn delete_maps(maps: &[String]) -> usize {
    let mut connection = Connection::open().unwrap();
    let rules = connection.rules(Family::Ip, "portolan").unwrap();
    let uses = |rule: &str| maps.iter().any(|map| rule.contains(&format!("{map:?}")));
    let users = rules.iter().filter(|listed| uses(&format!("{:?}", listed.rule)));
    let users: BTreeSet<&str> = users.map(|listed| listed.chain.as_str()).collect();
    let mut batch = Batch::new(None);
    users.iter().for_each(|chain| batch.flush_chain(Family::Ip, "portolan", chain));
    maps.iter().for_each(|map| batch.delete_set(Family::Ip, "portolan", map));
    connection.commit(&mut batch).unwrap();
    rules.iter().filter(|listed| users.contains(listed.chain.as_str())).count()
}

#[test]
fn endpoints_in_several_maps_serve_as_they_do_in_one() {
    namespaced("endpoints_in_several_maps_serve_as_they_do_in_one", || {
        let plans = mixed_services(60);
        converge(&plans, "whole", usize::MAX);
        converge(&plans, "divided", 100);
        assert_eq!(maps("whole").len(), 1);
        assert!(maps("divided").len() >= 4, "{:?}", maps("divided"));
        assert_eq!(serving("divided"), serving("whole"));
    });
}

#[test]
fn a_restart_keeps_the_maps_that_are_there_whatever_it_would_make_itself() {
    namespaced("a_restart_keeps_the_maps_that_are_there_whatever_it_would_make_itself", || {
        let plans = mixed_services(60);
        converge(&plans, "portolan", 100);
        let before = maps("portolan");
        for endpoints_per_map in [100, 50, 16_384] {
            let (_, report) = converge(&plans, "portolan", endpoints_per_map);
            assert_eq!(report, SyncReport::default(), "{endpoints_per_map}");
            assert_eq!(maps("portolan"), before);
        }
    });
}

#[test]
fn maps_that_became_far_too_large_are_divided_by_the_next_start_and_everybody_keeps_their_slot() {
    let name = "maps_that_became_far_too_large_are_divided_by_the_next_start_and_everybody_keeps_their_slot";
    namespaced(name, || {
        let plans = mixed_services(60);
        let (mut backend, _) = converge(&plans[..2], "portolan", 20);
        assert_eq!(maps("portolan").len(), 1);
        backend.apply(&appear(&plans[2..])).unwrap();
        assert_eq!(maps("portolan").len(), 1, "a change divides nothing");
        let report = backend.converge(&mut plans.iter(), &common::environment()).unwrap();
        assert_eq!(report, SyncReport::default(), "nor does the same process ever");
        let before = (serving("portolan"), slots("portolan"));
        let (mut backend, report) = converge(&reversed(&plans), "portolan", 20);
        assert!(report.added > 100 && maps("portolan").len() >= 16, "{report:?}");
        assert_eq!((serving("portolan"), slots("portolan")), before);
        assert_eq!(backend.apply(&appear(&plans)).unwrap(), SyncReport::default());
        let (_, report) = converge(&plans, "portolan", 20);
        assert_eq!(report, SyncReport::default());
    });
}

#[test]
fn a_map_that_somebody_deletes_comes_back_alone() {
    namespaced("a_map_that_somebody_deletes_comes_back_alone", || {
        let plans = mixed_services(60);
        converge(&plans, "portolan", 100);
        let (maps_before, before) = (maps("portolan"), serving("portolan"));
        assert!(delete_maps(&["endpoints-part-1".to_owned()]) > 0);
        let (_, report) = converge(&plans, "portolan", 100);
        let all: usize = before.frontends.iter().map(|it| it.endpoints.len()).sum();
        assert!(report.added > 10 && report.added < all / 2, "{report:?} of {all}");
        assert_eq!((maps("portolan"), serving("portolan")), (maps_before, before));
    });
}

#[test]
fn maps_of_others_under_names_of_ours_divide_nothing_and_nobody_loses_their_slot() {
    let name = "maps_of_others_under_names_of_ours_divide_nothing_and_nobody_loses_their_slot";
    namespaced(name, || {
        let plans = mixed_services(60);
        for (key, is_as_ours) in [(vec![Field::Ipv4Address], false), (slotted(), true)] {
            converge(&plans, "portolan", usize::MAX);
            let before = slots("portolan");
            add_map("endpoints-part-15", key);
            let (_, report) = converge(&reversed(&plans), "portolan", usize::MAX);
            if !is_as_ours {
                assert_eq!((report.added, report.deleted), (0, 1), "{report:?}");
                assert_eq!(maps("portolan").len(), 1);
            }
            assert_eq!(slots("portolan"), before, "{is_as_ours}");
            let (_, report) = converge(&plans, "portolan", usize::MAX);
            assert_eq!(report, SyncReport::default());
        }
    });
}

#[test]
fn maps_that_others_add_or_delete_have_no_other_made_again() {
    namespaced("maps_that_others_add_or_delete_have_no_other_made_again", || {
        let plans = mixed_services(60);
        for (endpoints_per_map, parts) in [(200, 2), (100, 4), (50, 8)] {
            let table = || (maps("portolan"), slots("portolan"), serving("portolan"));
            let (mut backend, _) = converge(&plans, "portolan", endpoints_per_map);
            let before = table();
            assert_eq!(before.0.len(), parts);
            add_map("endpoints-part-9", slotted());
            let report = backend.converge(&mut plans.iter(), &common::environment()).unwrap();
            assert_eq!((report.added, report.deleted), (0, 1), "{parts}: {report:?}");
            assert_eq!(table(), before);

            let upper: Vec<String> =
                (parts / 2..parts).map(|part| format!("endpoints-part-{part}")).collect();
            let rules = delete_maps(&upper);
            let gone = before.1.len() - slots("portolan").len();
            let report = backend.converge(&mut plans.iter(), &common::environment()).unwrap();
            let added = rules + gone + upper.len();
            assert_eq!((report.added, report.deleted), (added, 0), "{parts}: {report:?}");
            assert_eq!(table(), before);
            portolan_nft::cleanup("portolan").unwrap();
        }
    });
}
