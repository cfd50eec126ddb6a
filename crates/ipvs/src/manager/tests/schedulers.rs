//! Schedulers that the kernel lacks, or lacks by now.

use super::*;

const SERVICES: std::ops::RangeInclusive<u8> = 2..=5;

/// These Services, each with one endpoint, ask for `twos`.
fn asking(numbers: impl Iterator<Item = u8>) -> impl Iterator<Item = Update> {
    numbers.flat_map(|number| [service(number, Some("twos")), serve(number, &[number])])
}

/// Each of them is served by this scheduler.
fn assert_served(scene: &Scene, by: &str) {
    for number in SERVICES {
        assert_eq!(scene.server(number), Some((by.to_owned(), vec![(number, 1)])), "{number}");
    }
}

#[test]
fn a_service_without_endpoints_is_not_the_one_that_tries_a_scheduler_for_all() {
    let name = "manager::tests::schedulers::\
                a_service_without_endpoints_is_not_the_one_that_tries_a_scheduler_for_all";
    namespaced(name, || {
        let mut scene = Scene::new();
        scene.kernel.state().lacks.insert("twos".to_owned());
        scene.update([service(1, Some("twos"))].into_iter().chain(asking(SERVICES)));
        assert_served(&scene, "rr");
        assert_eq!(scene.kernel.state().asked_in_vain, 1, "each refusal looks for a module");
        assert_eq!(scene.server(1), None);
        assert_eq!(scene.manager.problems().len(), 1);

        // It is tried again, and serves when it is there.
        scene.manager.try_schedulers_again();
        assert!(!scene.settle(), "nobody has to go another way for that");
        assert_eq!(scene.kernel.state().asked_in_vain, 2);
        assert_served(&scene, "rr");
        assert_eq!(scene.manager.problems().len(), 1);
        scene.kernel.state().lacks.clear();
        scene.manager.try_schedulers_again();
        assert_served(&scene, "rr");
        assert!(scene.settle());
        assert_served(&scene, "twos");
        assert_eq!(scene.manager.problems(), Vec::<String>::new());
    });
}

#[test]
fn a_scheduler_whose_module_was_unloaded_is_tried_by_one_server_again() {
    let name = "manager::tests::schedulers::\
                a_scheduler_whose_module_was_unloaded_is_tried_by_one_server_again";
    namespaced(name, || {
        let mut scene = Scene::new();
        scene.update(asking(1..=1));
        assert_eq!(scene.server(1).unwrap().0, "twos");
        // The kernel unloads no module that a server uses.
        scene.update([Update::ServiceDeleted(super::name(1))]);
        scene.manager.release().unwrap();
        assert_eq!(scene.server(1), None);
        scene.kernel.state().lacks.insert("twos".to_owned());
        scene.update(asking(SERVICES));
        assert_served(&scene, "rr");
        assert_eq!(scene.kernel.state().asked_in_vain, 1);
    });
}

#[test]
fn whoever_gets_another_scheduler_says_so_before() {
    let name = "manager::tests::schedulers::whoever_gets_another_scheduler_says_so_before";
    namespaced(name, || {
        let mut scene = Scene::new();
        let apply = |scene: &mut Scene, updates: Vec<Update>| {
            updates.into_iter().for_each(|update| scene.index.apply(update));
            scene.manager.change(&scene.index.take_changes());
            let reschedules = scene.settle();
            scene.manager.finish().unwrap();
            reschedules
        };
        scene.kernel.state().connections = 1;
        scene.kernel.state().lacks.insert("twos".to_owned());
        let new =
            vec![service(1, None), serve(1, &[1, 2]), service(2, Some("dh")), serve(2, &[1, 2])];
        assert!(!apply(&mut scene, new), "a new one");
        assert!(!apply(&mut scene, vec![serve(1, &[1])]), "other endpoints");
        assert!(!apply(&mut scene, vec![service(1, Some("twos"))]), "one that is missing");
        assert!(apply(&mut scene, vec![service(1, Some("wlc"))]), "another one");
        assert!(apply(&mut scene, vec![serve(2, &[1])]), "one that has to give way");
        scene.kernel.state().connections = 0;
        scene.manager.release().unwrap();
        assert_eq!(scene.server(2).unwrap().0, "rr");
        assert!(scene.settle(), "one that comes back");
        assert_eq!(scene.server(2), Some(("dh".to_owned(), vec![(1, 1)])));

        scene.kernel.state().servers.get_mut(&key(1)).unwrap().0.scheduler = "sed".to_owned();
        let plans: Vec<_> = scene.index.plans().cloned().collect();
        scene.manager.catch_up(&plans, &scene.environment).unwrap();
        assert_eq!(scene.server(1).unwrap().0, "sed");
        assert!(scene.settle(), "one that others changed");
        assert_eq!(scene.server(1).unwrap().0, "wlc");
    });
}

#[test]
fn servers_that_are_refused_all_together_are_served_in_the_same_pass() {
    let name = "manager::tests::schedulers::\
                servers_that_are_refused_all_together_are_served_in_the_same_pass";
    namespaced(name, || {
        let mut scene = Scene::new();
        scene.update(asking(1..=1));
        // Others delete the server that has shown that there is such a module, and unload it.
        scene.kernel.state().servers.clear();
        scene.kernel.state().lacks.insert("twos".to_owned());
        scene.update(asking(SERVICES));
        assert_served(&scene, "rr");
        // Those that only change their scheduler as well.
        let mut scene = Scene::new();
        scene.update(asking(1..=1));
        scene.update(SERVICES.flat_map(|it| [service(it, None), serve(it, &[it])]));
        assert_served(&scene, "rr");
        scene.kernel.state().lacks.insert("twos".to_owned());
        scene.update(SERVICES.map(|number| service(number, Some("twos"))));
        assert_served(&scene, "rr");
        assert_eq!(scene.kernel.state().servers.len(), 5);
    });
}
