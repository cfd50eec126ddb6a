//! Another `--ipvs-mark-bit` than that of an earlier process.

#[path = "../../../tests/common/guarded_marks.rs"]
mod guarded_marks;

use std::collections::BTreeSet;

use portolan_netlink::route::Routing;

use self::guarded_marks::guarded_marks;
use super::*;

impl Scene {
    /// Another process follows, which has this bit and has read what there is.
    fn restart(&mut self, mark_bit: u8) {
        let options = IpvsOptions { mark_bit, ..IpvsOptions::default() };
        self.manager = Manager::with(Box::new(self.kernel.clone()), &options).unwrap();
        self.manager.observe().unwrap();
    }
}

/// The marks that policy rules of ours ask for.
fn routed_marks() -> BTreeSet<u32> {
    let rules = Routing::open().unwrap().rules().unwrap();
    rules.into_iter().map(|rule| rule.mark).collect()
}

#[test]
fn what_an_earlier_process_marked_is_let_in_and_led_there_until_its_mark_is_forgotten() {
    let name = "manager::tests::marks::\
                what_an_earlier_process_marked_is_let_in_and_led_there_until_its_mark_is_forgotten";
    namespaced(name, || {
        let mut scene = Scene::new();
        let mut former = 1 << IpvsOptions::default().mark_bit;
        for bit in [12, 30, 13] {
            let ours = 1 << bit;
            // One that is killed before it forgets is followed by one that does.
            for _ in 0..2 {
                scene.restart(bit);
                assert_eq!(guarded_marks(), BTreeSet::from([ours | former]), "{bit}");
                assert_eq!(routed_marks(), BTreeSet::from([ours, former]), "{bit}");
                assert!(scene.manager.is_undisturbed().unwrap(), "{bit}");
            }
            scene.manager.forget_former_marks().unwrap();
            assert_eq!(guarded_marks(), BTreeSet::from([ours]), "{bit}");
            assert_eq!(routed_marks(), BTreeSet::from([ours]), "{bit}");
            assert!(scene.manager.is_undisturbed().unwrap(), "{bit}");
            former = ours;
        }
    });
}
