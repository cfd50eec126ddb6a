//! What both backends cost in the same machine: a table to read, and what has to hold of it
//! whatever the machine. `cargo xtask vm --bench` prints it for 5,000 Services.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "table/cluster.rs"]
mod cluster;
#[path = "table/row.rs"]
mod row;

use std::time::{Duration, Instant};

use portolan_core::{Backend as _, SyncReport, Update};
use portolan_ipvs::{Dataplane, IpvsOptions, Mode};
use portolan_lab::{Namespace, namespaced_as_superuser};
use portolan_netlink::ipvs::{Ipvs, ServerKey};
use portolan_netlink::nftables::{Batch, Connection, Family, Table};
use portolan_nft::NftOptions;

use self::cluster::{Cluster, ENDPOINTS, environment, requests};
use self::row::Row;

/// How many Services; without it as many as are quick.
const SERVICES: &str = "PORTOLAN_TABLE_SERVICES";
/// Of work on everything.
const RUNS: usize = 3;

/// What one size cost.
#[derive(Default)]
struct Costs {
    from_nothing: Row,
    restart: Row,
    replaced: Row,
    scaled: Row,
    let_go: Row,
}

fn open(mode: Mode) -> Dataplane {
    Dataplane::open(mode, NftOptions::default(), IpvsOptions::default()).unwrap()
}

/// Where nothing was before: IPVS keeps destinations that were deleted for two minutes, and
/// looks through all of them for each that is added (`ip_vs_trash_get_dest`, v6.1).
fn fresh() -> Namespace {
    Namespace::new("the node").unwrap()
}

fn measure(mode: Mode, services: u32, changes: u32) -> Costs {
    let (mut cluster, environment) = (Cluster::new(services), environment());
    let plans = cluster.plans();
    let mut costs = Costs::default();
    let from_nothing = |row: &mut Row| {
        let mut backend = open(mode);
        row.time(|| backend.converge(&mut plans.iter(), &environment));
    };
    for _ in 1..RUNS {
        fresh().run(|| from_nothing(&mut costs.from_nothing));
    }
    fresh().run(|| {
        from_nothing(&mut costs.from_nothing);
        let mut backend = open(mode);
        for _ in 0..RUNS {
            backend = open(mode);
            costs.restart.time(|| backend.converge(&mut plans.iter(), &environment));
        }
        change(&mut backend, &mut cluster, &mut costs, changes);
        if mode == Mode::Ipvs {
            let services = services as usize;
            assert_eq!(in_ipvs(), (services, ENDPOINTS as usize * services));
        }
    });
    costs
}

/// Changes Services one at a time, and leaves them as they were.
fn change(backend: &mut Dataplane, cluster: &mut Cluster, costs: &mut Costs, changes: u32) {
    let replaced: Vec<Update> = (0..changes).map(|round| cluster.replaced(round)).collect();
    for update in replaced {
        costs.replaced.time(|| backend.apply(&cluster.take(update)));
    }
    costs.let_go.time(|| Ok(backend.is_disturbed().map(|_| SyncReport::default())?));
    let back: Vec<Update> = (0..changes).map(|round| cluster.scaled_down(round)).collect();
    for update in back {
        backend.apply(&cluster.take(update)).unwrap();
    }
    backend.is_disturbed().unwrap();
    for round in 0..changes {
        for update in [cluster.scaled_up(round), cluster.scaled_down(round)] {
            costs.scaled.time(|| backend.apply(&cluster.take(update)));
        }
    }
    backend.is_disturbed().unwrap();
}

/// Virtual servers and destinations in the kernel.
fn in_ipvs() -> (usize, usize) {
    let mut ipvs = Ipvs::open().unwrap();
    let keys: Vec<ServerKey> = ipvs.servers().unwrap().into_iter().map(|it| it.key).collect();
    let destinations = keys.iter().map(|key| ipvs.destinations(key).unwrap().len()).sum();
    (keys.len(), destinations)
}

/// The same requests to IPVS, encoded and sent by nobody but the socket.
fn bare(services: u32) -> Row {
    let operations = requests(services);
    let mut row = Row::default();
    for _ in 0..RUNS {
        fresh().run(|| {
            let mut ipvs = Ipvs::open().unwrap();
            row.time(|| {
                assert_eq!(ipvs.execute(&operations)?, []);
                let bytes = usize::try_from(ipvs.bytes_sent())?;
                let (added, transactions) = (operations.len(), operations.len());
                Ok(SyncReport { added, transactions, bytes, ..SyncReport::default() })
            });
        });
    }
    row
}

fn print(costs: &Costs, mode: Mode, services: u32) {
    for (what, row) in [
        ("from nothing", &costs.from_nothing),
        ("restart, nothing changed", &costs.restart),
        ("one endpoint replaced", &costs.replaced),
        ("scaled by one", &costs.scaled),
        ("look at what drained", &costs.let_go),
    ] {
        row.print(what, mode.name(), services);
    }
}

#[test]
fn a_change_costs_the_same_however_many_services_there_are_and_a_restart_sends_nothing() {
    let name =
        "a_change_costs_the_same_however_many_services_there_are_and_a_restart_sends_nothing";
    namespaced_as_superuser(name, || {
        let asked = std::env::var(SERVICES).ok().map(|text| text.parse::<u32>().unwrap());
        let (most, changes) = asked.map_or((200, 20), |services| (services.max(1000), 100));
        let build = if cfg!(debug_assertions) { "not optimised" } else { "optimised" };
        println!("\n{ENDPOINTS} endpoints of each Service; the program is {build}");
        Row::headline();
        for mode in [Mode::Nftables, Mode::Ipvs] {
            let [few, many] = [most / 10, most].map(|services| {
                let costs = measure(mode, services, changes);
                print(&costs, mode, services);
                costs
            });
            for costs in [&few, &many] {
                assert_eq!(costs.restart.counts(), (0, 0), "{mode:?}");
                assert!(costs.replaced.counts().0 > 0, "{mode:?}");
            }
            assert_eq!(few.replaced.counts(), many.replaced.counts(), "{mode:?}");
            assert_eq!(few.scaled.counts(), many.scaled.counts(), "{mode:?}");
        }
        for services in [most / 10, most] {
            bare(services).print("the bare requests", "ipvs", services);
        }
    });
}

#[test]
fn services_that_come_and_go_are_not_taken_for_changes_by_others() {
    let name = "services_that_come_and_go_are_not_taken_for_changes_by_others";
    namespaced_as_superuser(name, || {
        for mode in [Mode::Nftables, Mode::Ipvs] {
            let (mut cluster, environment) = (Cluster::new(10), environment());
            let mut backend = open(mode);
            backend.converge(&mut cluster.plans().iter(), &environment).unwrap();
            // Long after elements were last compared; they are again once others did anything.
            let later = || Instant::now() + Duration::from_secs(3600);
            for round in 0..3 {
                for update in [cluster.deleted(round), cluster.added(round)] {
                    backend.apply(&cluster.take(update)).unwrap();
                    assert!(!backend.is_disturbed_at(later()).unwrap(), "{mode:?} {round}");
                }
            }
            add_table_of_others();
            assert!(backend.is_disturbed_at(later()).unwrap(), "{mode:?}");
            backend.converge(&mut cluster.plans().iter(), &environment).unwrap();
            assert!(!backend.is_disturbed_at(later()).unwrap(), "{mode:?}");
        }
    });
}

fn add_table_of_others() {
    let mut batch = Batch::new(None);
    batch.add_table(Family::Ip, &Table { name: "theirs".to_owned(), ..Table::default() });
    batch.delete_table(Family::Ip, "theirs");
    Connection::open().unwrap().commit(&mut batch).unwrap();
}
