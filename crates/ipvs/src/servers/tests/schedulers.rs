//! Servers whose scheduler the kernel may lack.

use super::*;

/// TCP to endpoint 1 with a scheduler, and the server for it.
fn wanted_by(scheduler: &str) -> (Wanted, Server) {
    let server = Server { scheduler: scheduler.to_owned(), ..server(TCP) };
    (Wanted { server: server.clone(), ..wanted(TCP, &[1]) }, server)
}

#[test]
fn where_a_scheduler_is_missing_that_of_the_node_serves_until_it_is_there() {
    let mut schedulers = Schedulers::new(Scheduler { name: "mh".to_owned(), flags: 0x10 });
    schedulers.refused("twos");
    let (wish, with_twos) = wanted_by("twos");
    let (_, with_mh) = wanted_by("mh");
    let with_mh = Server { flags: 0x10, ..with_mh };
    let mut servers = Servers::default();
    let mut want = |schedulers: &Schedulers| {
        want_with(&mut servers, schedulers, Some(wish.clone()), TCP).servers
    };
    assert_eq!(want(&schedulers), [Operation::AddServer(with_mh)]);
    assert_eq!(want(&schedulers), [], "nothing is sent again and again");
    assert_eq!(schedulers.try_again(), BTreeSet::from(["twos".to_owned()]));
    assert_eq!(want(&schedulers), [Operation::ChangeServer(with_twos)]);
}

#[test]
fn a_change_that_was_refused_is_not_taken_for_done() {
    let mut schedulers = Schedulers::new(Scheduler::of_node("rr"));
    let mut servers = Servers::default();
    want(&mut servers, Some(wanted(TCP, &[1])), TCP);
    let (wish, with_twos) = wanted_by("twos");
    let change = Operation::ChangeServer(with_twos);
    let steps = want_with(&mut servers, &schedulers, Some(wish.clone()), TCP);
    assert_eq!(steps.servers, std::slice::from_ref(&change));
    servers.not_done(&change);
    schedulers.refused("twos");
    let steps = want_with(&mut servers, &schedulers, Some(wish), TCP);
    assert_eq!(steps.servers, [Operation::ChangeServer(server(TCP))], "whatever it has");
}

#[test]
fn one_server_that_serves_tries_a_scheduler_for_all() {
    let mut servers = Servers::default();
    let mut keys = BTreeSet::new();
    let mut claim = |last: u8, scheduler: &str, destinations: &[u8]| {
        let address = address(&format!("10.96.0.{last}:80"));
        let key = ServerKey::Address { protocol: TCP, address };
        let server = Server { key, scheduler: scheduler.to_owned(), ..server(TCP) };
        servers.claim(&service(), Wanted { server, ..wanted(TCP, destinations) });
        keys.insert(key);
        key
    };
    let claims = ["rr", "twos", "twos", "twos", "rr", "mh"].into_iter().zip(1..);
    let claimed: Vec<ServerKey> =
        claims.map(|(name, last)| claim(last, name, if last == 2 { &[] } else { &[1] })).collect();
    let [rr, _, twos, _, _, mh] = <[ServerKey; 6]>::try_from(claimed).unwrap();
    let mut schedulers = Schedulers::new(Scheduler::of_node("rr"));
    assert_eq!(servers.untried(&keys, &schedulers), [rr, twos, mh]);
    servers.settle(rr, &schedulers, Instant::now(), &mut Steps::default());
    schedulers.found("rr", rr);
    schedulers.refused("twos");
    assert_eq!(servers.untried(&keys, &schedulers), [mh]);
    servers.is_of_others(rr);
    assert_eq!(servers.untried(&keys, &schedulers).len(), 2, "the server that has it is gone");
}

#[test]
fn it_is_known_which_schedulers_are_asked_for() {
    let mut servers = Servers::default();
    let wish = wanted_by("wlc").0;
    servers.claim(&service(), wish.clone());
    servers.claim(&service(), wish.clone());
    assert!(servers.is_asked_for("wlc") && !servers.is_asked_for("fo"));
    let asked = BTreeSet::from(["wlc".to_owned(), "fo".to_owned()]);
    assert_eq!(servers.wanted_with(&asked), BTreeSet::from([key(TCP)]));
    servers.withdraw(&service(), &wish);
    assert!(!servers.is_asked_for("wlc"));
    assert_eq!(servers.wanted_with(&asked), BTreeSet::new());
}

#[test]
fn a_scheduler_that_would_block_gives_way_while_a_destination_drains() {
    for (of_node, instead) in [("wlc", "wlc"), ("dh", "rr")] {
        let schedulers = Schedulers::new(Scheduler::of_node(of_node));
        let mut servers = Servers::default();
        let want = |servers: &mut Servers, numbers: &[u8]| {
            let wish = Wanted { destinations: pods(numbers), ..wanted_by("dh").0 };
            want_with(servers, &schedulers, Some(wish), TCP).servers
        };
        let (_, own) = wanted_by("dh");
        let (_, instead) = wanted_by(instead);
        assert_eq!(want(&mut servers, &[1, 2]), [Operation::AddServer(own.clone())]);
        assert_eq!(want(&mut servers, &[1]), [Operation::ChangeServer(instead)]);
        assert_eq!(want(&mut servers, &[1]), [], "as long as it drains");
        servers.release(key(TCP), &[state(1, 1, 0), state(2, 0, 0)], None, &mut Vec::new());
        assert_eq!(want(&mut servers, &[1]), [Operation::ChangeServer(own)]);
    }
}

#[test]
fn where_the_weight_is_a_number_of_connections_it_is_a_large_one() {
    let schedulers = Schedulers::new(Scheduler::of_node("rr"));
    let mut servers = Servers::default();
    want(&mut servers, Some(wanted(TCP, &[1])), TCP);
    for (scheduler, weight) in [("ovf", 65_535), ("rr", 1)] {
        let steps = want_with(&mut servers, &schedulers, Some(wanted_by(scheduler).0), TCP);
        assert_eq!(steps.destinations, [weigh(TCP, 1, weight)]);
    }
    let (wish, with_ovf) = wanted_by("ovf");
    let there = vec![(with_ovf, vec![state(1, 65_535, 0)])];
    let mut servers = Servers::observed(there, BTreeSet::new(), Instant::now());
    let steps = want_with(&mut servers, &schedulers, Some(wish), TCP);
    assert_eq!(steps, Steps::default(), "a start adopts it");
}
