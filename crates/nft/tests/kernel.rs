//! The backend against a real kernel, in namespaces of its own.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;
#[path = "common/counted.rs"]
mod counted;
#[path = "common/life.rs"]
mod life;

use std::sync::Arc;

use portolan_core::{
    Backend, Change, Environment, HealthCheck, Index, Protocol, ServicePlan, ServiceType,
    SyncReport, Update,
};
use portolan_lab::namespaced;
use portolan_netlink::nftables::{Batch, Chain, Connection, ElementOperation, Family, Table};
use portolan_nft::{KernelTable, NftBackend, NftOptions, cleanup, inspect};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const TABLE: &str = "portolan";

fn converge(plans: &[Arc<ServicePlan>], environment: &Environment) -> (NftBackend, SyncReport) {
    converge_table(TABLE, plans, environment)
}

fn converge_table(
    table: &str,
    plans: &[Arc<ServicePlan>],
    environment: &Environment,
) -> (NftBackend, SyncReport) {
    let options = NftOptions { table: table.to_owned(), ..NftOptions::default() };
    let mut backend = NftBackend::open(options).unwrap();
    let report = backend.converge(&mut plans.iter(), environment).unwrap();
    (backend, report)
}

fn table() -> KernelTable {
    inspect(TABLE).unwrap().unwrap()
}

#[test]
fn a_second_start_on_an_unchanged_table_sends_nothing() {
    namespaced("a_second_start_on_an_unchanged_table_sends_nothing", || {
        let plans = common::one_of_each();
        let (_, first) = converge(&plans, &common::environment());
        assert!(first.added > 50, "{first:?}");
        let (_, second) = converge(&plans, &common::environment());
        assert_eq!(second, SyncReport::default());
    });
}

#[test]
fn what_was_read_ahead_counts_unless_somebody_changed_something_since() {
    namespaced("what_was_read_ahead_counts_unless_somebody_changed_something_since", || {
        let (plans, environment) = (common::one_of_each(), common::environment());
        let mut connection = Connection::open().unwrap();
        for (there, changed, sends) in
            [(false, false, true), (true, false, false), (true, true, true)]
        {
            cleanup(TABLE).unwrap();
            if there {
                converge(&plans, &environment);
            }
            let mut backend = NftBackend::open(NftOptions::default()).unwrap();
            backend.look_ahead();
            if changed {
                let mut batch = Batch::new(None);
                batch.flush_set(Family::Ip6, TABLE, "endpoints");
                connection.commit(&mut batch).unwrap();
            }
            let report = backend.converge(&mut plans.iter(), &environment).unwrap();
            assert_eq!(report.added > 0, sends, "{there} {changed}: {report:?}");
            assert!(!backend.is_disturbed().unwrap(), "{there} {changed}");
            let (_, report) = converge(&plans, &environment);
            assert_eq!(report, SyncReport::default(), "{there} {changed}");
        }
    });
}

#[test]
fn what_only_load_balancers_are_told_is_not_sent() {
    namespaced("what_only_load_balancers_are_told_is_not_sent", || {
        let plans = common::one_of_each();
        let (mut backend, _) = converge(&plans, &common::environment());
        let counted = |local_v4| {
            let health_check = Some(HealthCheck { port: 32000, local_v4, local_v6: None });
            let plan = |plan: &Arc<ServicePlan>| ServicePlan { health_check, ..(**plan).clone() };
            plans.iter().map(plan).map(Arc::new).collect::<Vec<_>>()
        };
        let mut old = plans.clone();
        for new in [counted(Some(1)), counted(Some(0))] {
            let changes: Vec<Change> = old
                .iter()
                .zip(&new)
                .map(|(old, new)| Change {
                    service: new.name.clone(),
                    old: Some(Arc::clone(old)),
                    new: Some(Arc::clone(new)),
                })
                .collect();
            assert_eq!(backend.apply(&changes).unwrap(), SyncReport::default());
            old = new;
        }
    });
}

#[test]
fn every_environment_is_read_back_as_it_was_written() {
    namespaced("every_environment_is_read_back_as_it_was_written", || {
        let plans = common::one_of_each();
        let mut runner = TestRunner::new(Config { cases: 40, ..Config::default() });
        runner
            .run(&life::environment(), |environment| {
                converge(&plans, &environment);
                let (_, second) = converge(&plans, &environment);
                prop_assert_eq!(second, SyncReport::default());
                Ok(())
            })
            .unwrap();
    });
}

#[test]
fn changes_one_by_one_make_the_table_that_is_built_from_nothing() {
    namespaced("changes_one_by_one_make_the_table_that_is_built_from_nothing", || {
        let life = prop::collection::vec(prop::collection::vec(life::update(), 1..4), 1..20);
        let mut runner = TestRunner::new(Config { cases: 30, ..Config::default() });
        runner
            .run(&(life, life::environment()), |(life, environment)| {
                cleanup(TABLE).unwrap();
                let mut index = Index::new("here");
                let (mut backend, _) = converge(&[], &environment);
                for updates in life {
                    updates.into_iter().for_each(|update| index.apply(update));
                    backend.apply(&index.take_changes()).unwrap();
                }
                let plans: Vec<_> = index.plans().cloned().collect();
                converge_table("fresh", &plans, &environment);
                prop_assert_eq!(table(), inspect("fresh").unwrap().unwrap());
                cleanup("fresh").unwrap();
                drop(backend);
                let (_, restart) = converge(&plans, &environment);
                prop_assert_eq!(restart, SyncReport::default());
                Ok(())
            })
            .unwrap();
    });
}

#[test]
fn maps_grow_in_the_kernel_and_keep_what_they_hold() {
    namespaced("maps_grow_in_the_kernel_and_keep_what_they_hold", || {
        // Transactions stay within what a user namespace may send on a stock machine.
        let mut index = Index::new(common::NODE);
        let environment = common::environment();
        let (mut backend, _) = converge(&[], &environment);
        for number in 0..1_200u16 {
            let [high, low] = number.to_be_bytes();
            let name = format!("s{number}");
            let mut service = common::service(&name, &[]);
            service.service_type = ServiceType::NodePort;
            service.cluster_ips = vec![[172, 30, high, low].into()];
            service.ports = vec![common::port("http", Protocol::Tcp, 80, Some(30_000 + number))];
            index.apply(Update::ServiceApplied(service));
            let endpoints = ["10.0.0.1@a", "10.0.0.2@b"];
            index.apply(Update::EndpointSliceApplied(common::slice(&name, "v4", &endpoints)));
            if number % 100 == 99 {
                backend.apply(&index.take_changes()).unwrap();
            }
        }
        let held = table();
        assert_eq!(held.frontends.len(), 2_400);
        assert!(held.frontends.iter().all(|it| it.endpoints.len() == 2));
        assert!(held.frontends.iter().all(|it| it.empty_slots == 0));
        let plans: Vec<_> = index.plans().cloned().collect();
        let (_, again) = converge(&plans, &environment);
        assert_eq!(again, SyncReport::default());
    });
}

#[test]
fn edits_by_others_are_undone_and_their_own_tables_left_alone() {
    namespaced("edits_by_others_are_undone_and_their_own_tables_left_alone", || {
        let plans = common::one_of_each();
        converge(&plans, &common::environment());
        let before = table();
        let mut connection = Connection::open().unwrap();
        let mut batch = Batch::new(None);
        let theirs = Table { name: "theirs".to_owned(), ..Table::default() };
        batch.add_table(Family::Ip, &theirs);
        batch.add_chain(
            Family::Ip,
            TABLE,
            &Chain { name: "intruder".to_owned(), ..Chain::default() },
        );
        batch.flush_chain(Family::Ip, TABLE, "nat-postrouting");
        batch.flush_chain(Family::Ip6, TABLE, "services");
        batch.flush_set(Family::Ip6, TABLE, "endpoints");
        batch.elements(Family::Ip, TABLE, "cluster-ips", ElementOperation::Add).push(
            &[9, 9, 9, 9],
            None,
            None,
        );
        connection.commit(&mut batch).unwrap();
        assert_ne!(table(), before);

        let (_, mended) = converge(&plans, &common::environment());
        assert!(mended.added > 0 && mended.deleted > 0, "{mended:?}");
        assert_eq!(table(), before);
        let (_, second) = converge(&plans, &common::environment());
        assert_eq!(second, SyncReport::default());

        assert_eq!(cleanup(TABLE).unwrap(), ["table ip portolan", "table ip6 portolan"]);
        assert_eq!(cleanup(TABLE).unwrap(), [""; 0]);
        let left: Vec<Table> = connection.tables(Family::Ip).unwrap();
        assert_eq!(left.into_iter().map(|table| table.name).collect::<Vec<_>>(), ["theirs"]);
    });
}

#[test]
fn an_element_to_which_others_attached_a_statement_is_put_right() {
    namespaced("an_element_to_which_others_attached_a_statement_is_put_right", || {
        let plans = common::one_of_each();
        converge(&plans, &common::environment());
        let before = table();
        for set in ["cluster-ips", "endpoints", "hairpin", "node-port-endpoints"] {
            counted::count_one(TABLE, set);
            let (_, mended) = converge(&plans, &common::environment());
            assert_eq!((mended.added, mended.deleted), (1, 1), "{set}");
            let (_, second) = converge(&plans, &common::environment());
            assert_eq!(second, SyncReport::default(), "{set}");
            assert_eq!(table(), before, "{set}");
        }
    });
}

#[test]
fn only_edits_of_our_tables_disturb_us() {
    namespaced("only_edits_of_our_tables_disturb_us", || {
        let plans = common::one_of_each();
        let environment = common::environment();
        let (mut backend, _) = converge(&plans, &environment);
        assert!(!backend.is_disturbed().unwrap(), "our own transaction");
        let mut connection = Connection::open().unwrap();
        let mut edit = |edit: &dyn Fn(&mut Batch)| {
            let mut batch = Batch::new(None);
            edit(&mut batch);
            connection.commit(&mut batch).unwrap();
        };
        let theirs = Table { name: "theirs".to_owned(), ..Table::default() };
        edit(&|batch| batch.add_table(Family::Ip, &theirs));
        assert!(!backend.is_disturbed().unwrap(), "a table of others");
        let intruder = Chain { name: "intruder".to_owned(), ..Chain::default() };
        let dormant = Table { name: TABLE.to_owned(), dormant: true, ..Table::default() };
        let edits: [&dyn Fn(&mut Batch); 5] = [
            &|batch| batch.delete_table(Family::Ip6, TABLE),
            &|batch| batch.add_table(Family::Ip, &dormant),
            &|batch| batch.add_chain(Family::Ip, TABLE, &intruder),
            &|batch| batch.flush_chain(Family::Ip6, TABLE, "services"),
            &|batch| batch.flush_chain(Family::Ip, TABLE, "balance-3"),
        ];
        let before = table();
        for (number, what) in edits.into_iter().enumerate() {
            edit(what);
            assert!(backend.is_disturbed().unwrap(), "edit {number}");
            let report = backend.converge(&mut plans.iter(), &environment).unwrap();
            assert!(report.added + report.deleted > 0, "edit {number}");
            assert!(!backend.is_disturbed().unwrap(), "edit {number} is undone");
            assert_eq!(table(), before, "edit {number}");
        }
    });
}

#[test]
fn changes_are_applied_although_others_changed_tables_of_their_own() {
    namespaced("changes_are_applied_although_others_changed_tables_of_their_own", || {
        let mut index = Index::new(common::NODE);
        let (mut backend, _) = converge(&[], &common::environment());
        for number in 1..4u8 {
            let mut batch = Batch::new(None);
            let theirs = Table { name: format!("theirs-{number}"), ..Table::default() };
            batch.add_table(Family::Ip, &theirs);
            Connection::open().unwrap().commit(&mut batch).unwrap();
            let ip = format!("172.30.0.{number}");
            let service = common::service(&format!("s{number}"), &[&ip]);
            index.apply(Update::ServiceApplied(service));
            backend.apply(&index.take_changes()).unwrap();
            assert_eq!(table().frontends.len(), usize::from(number));
        }
    });
}

#[test]
fn changes_before_the_first_convergence_are_refused() {
    namespaced("changes_before_the_first_convergence_are_refused", || {
        let mut backend = NftBackend::open(NftOptions::default()).unwrap();
        let error = backend.apply(&[]).unwrap_err().to_string();
        assert!(error.contains("converged"), "{error}");
    });
}

#[test]
fn a_change_that_the_kernel_refuses_is_made_good_by_converging() {
    namespaced("a_change_that_the_kernel_refuses_is_made_good_by_converging", || {
        let mut index = Index::new(common::NODE);
        let (mut backend, _) = converge(&[], &common::environment());
        cleanup(TABLE).unwrap();
        index.apply(Update::ServiceApplied(common::service("web", &["172.30.0.1"])));
        let error = backend.apply(&index.take_changes()).unwrap_err().to_string();
        assert!(error.contains("services") || error.contains("portolan"), "{error}");
        assert!(backend.apply(&[]).is_err(), "the state is unknown until it is converged");
        let plans: Vec<_> = index.plans().cloned().collect();
        backend.converge(&mut plans.iter(), &common::environment()).unwrap();
        assert_eq!(table().frontends.len(), 1);
    });
}
