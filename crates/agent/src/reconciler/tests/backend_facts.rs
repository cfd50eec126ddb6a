//! What the backend says of itself with every call.

use portolan_core::{Draining, Family, Remembered};

use super::*;
use crate::testing::{page, sample};

impl Scene {
    /// A call succeeds, after which the backend has this to say.
    fn succeed_saying(&mut self, facts: BackendFacts) {
        self.start_check();
        let result = Ok(checked(false));
        self.reconciler.finish(Outcome { result, facts, took: Duration::ZERO }, self.now);
    }

    fn start_check(&mut self) {
        self.later(CHECK_EVERY.as_secs());
        assert!(matches!(self.reconciler.next_work(self.now), Some(Work::Check)));
    }

    fn told(&self) -> Vec<String> {
        self.reconciler.dump().problems.iter().map(ToString::to_string).collect()
    }

    pub(super) fn value(&self, name: &str) -> f64 {
        sample(&page(&self.reconciler.measure.metrics).text(), name).unwrap()
    }
}

fn synced() -> Scene {
    let mut scene = Scene::new();
    scene.receive(node(&["192.0.2.1"], &[]));
    scene.list();
    scene.succeed();
    scene
}

#[test]
fn what_the_backend_cannot_do_as_asked_is_told_until_it_can() {
    let [problems, of_source] =
        ["backend", "source"].map(|reason| format!("portolan_problems{{reason=\"{reason}\"}}"));
    let mut scene = synced();
    for (says, expected) in [(vec!["no scheduler twos".to_owned()], 1.0), (Vec::new(), 0.0)] {
        scene.succeed_saying(BackendFacts { problems: says.clone(), ..BackendFacts::default() });
        assert_eq!(scene.told(), says);
        assert_eq!(scene.value(&problems), expected);
        assert_eq!(scene.value(&of_source), 0.0, "the backend is no source");
    }
}

#[test]
fn what_drains_is_measured_by_whether_its_backend_is_in_use() {
    let backend = "ipvs".to_owned();
    let draining = Draining { backend, servers: 4, endpoints: 5, connections: 6, seconds_left: 7 };
    let mut scene = synced();
    for (name, endpoint, backend) in [("ipvs", 6.0, 0.0), ("nftables", 0.0, 6.0)] {
        let draining = Some(draining.clone());
        scene.succeed_saying(BackendFacts { name, draining, ..BackendFacts::default() });
        let connections = "portolan_draining_connections";
        assert_eq!(scene.value(&format!("{connections}{{reason=\"endpoint\"}}")), endpoint);
        assert_eq!(scene.value(&format!("{connections}{{reason=\"backend\"}}")), backend);
    }
}

#[test]
fn the_fill_of_the_affinity_maps_is_told_while_the_backend_can_tell() {
    let name = "portolan_affinity_clients{ip_family=\"IPv6\",map=\"affinity\"}";
    let mut scene = synced();
    let known = Remembered { family: Family::V6, map: "affinity", clients: 3, room: 9 };
    for (remembered, expected) in [(vec![known], Some(3.0)), (Vec::new(), None)] {
        scene.start_check();
        scene.finish(Ok(Done::Checked { disturbed: false, remembered }));
        let page = page(&scene.reconciler.measure.metrics).text();
        assert_eq!(sample(&page, name), expected);
    }
}
