use std::cell::{Cell, RefCell};
use std::sync::mpsc::channel;

use anyhow::anyhow;
use portolan_lab::namespaced;
use portolan_netlink::nftables::{Batch, Connection, Family, Table};

use super::shared::OVERRUN;
use super::*;
use crate::cluster::Frontend;

/// So long that a test which waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_change_is_over_with_the_last_transaction_of_whoever_works_at_it() {
    let begin = Instant::now();
    let (commit, commits) = channel::<()>();
    let (committed, told) = channel();
    let observer = Observer::spawn(Witness::Generation, move |shared| {
        for () in commits {
            let now = Instant::now();
            shared.tell(|tracker| tracker.committed(now));
            committed.send(now).unwrap();
        }
        Ok(())
    })
    .unwrap();
    commit.send(()).unwrap();
    let mut all = vec![told.recv().unwrap()];
    // It works for longer than it is quiet, twice, and commits in the end of each.
    let left = Cell::new(2);
    let told = RefCell::new((told, &mut all));
    let works = || {
        let works = left.replace(left.get() - 1) > 0;
        if works {
            commit.send(())?;
            let (told, all) = &mut *told.borrow_mut();
            all.push(told.recv()?);
        }
        Ok(works)
    };
    let calm = Calm { quiet: Duration::from_millis(1), works: &works, patience: PATIENCE };
    let last = observer.last_commit_after(begin, &calm).unwrap();
    assert_eq!((all.len(), Some(&last)), (3, all.last()));
    drop(commit);
}

#[test]
fn whoever_waits_is_told_at_once_why_nothing_is_observed_any_more() {
    let observer =
        Observer::spawn(Witness::Generation, |_| Err(anyhow!("out of order").context("a clock")))
            .unwrap();
    let now = Instant::now();
    let calm = Calm { quiet: Duration::ZERO, works: &|| Ok(true), patience: PATIENCE };
    let pod = PodAddresses { v4: [10, 128, 0, 1].into(), v6: None };
    let frontend = Frontend { address: ([10, 96, 0, 1], 80).into(), udp: false };
    let (fresh, gone) = (vec![pod], vec![]);
    observer.expect(&Edit { service: 1, frontend, objects: vec![], fresh, gone });
    let told = [
        observer.all(PATIENCE).map(|_| ()),
        observer.next_commit(now, PATIENCE).map(|_| ()),
        observer.settled(&calm),
        observer.last_commit_after(now, &calm).map(|_| ()),
        observer.take_counts().map(|_| ()),
    ];
    for told in told {
        assert_eq!(told.unwrap_err().to_string(), "a clock: out of order");
    }
    assert!(now.elapsed() < PATIENCE);
}

#[test]
fn notifications_that_are_lost_are_an_error_that_names_the_setting() {
    const NAME: &str = "observe::observer::tests::\
                        notifications_that_are_lost_are_an_error_that_names_the_setting";
    namespaced(NAME, || {
        // The kernel makes it as small as it allows.
        let socket = subscribe(1).unwrap();
        let mut connection = Connection::open().unwrap();
        for number in 0..1_000 {
            let mut batch = Batch::new(None);
            let name = format!("table-{number}");
            batch.add_table(Family::Ip, &Table { name, ..Table::default() });
            connection.commit(&mut batch).unwrap();
        }
        let observer =
            Observer::spawn(Witness::Notifications, move |shared| shared.listen(&socket)).unwrap();
        let begin = Instant::now();
        let error = observer.next_commit(begin + PATIENCE, PATIENCE).unwrap_err();
        assert_eq!(error.to_string(), OVERRUN);
    });
}
