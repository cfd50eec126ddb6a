//! What is done once the table leads nobody there, and cannot be done at once.

use super::*;

#[test]
fn what_could_not_be_done_afterwards_does_not_hit_who_serves_again() {
    let name = "manager::tests::afterwards::\
                what_could_not_be_done_afterwards_does_not_hit_who_serves_again";
    namespaced(name, || {
        let mut scene = Scene::new();
        scene.kernel.state().connections = 1;
        scene.update([service(1, None), serve(1, &[1, 2]), service(2, None), serve(2, &[1])]);
        assert!(scene.manager.is_undisturbed().unwrap());

        scene.before([serve(1, &[2]), Update::ServiceDeleted(super::name(2))]);
        scene.kernel.state().is_silent = true;
        scene.manager.finish().unwrap_err();
        scene.kernel.state().is_silent = false;
        assert!(!scene.manager.is_undisturbed().unwrap(), "it is to be worked out anew");

        scene.update([serve(1, &[1, 2])]);
        scene.manager.release().unwrap();
        assert_eq!(scene.server(1).unwrap().1, [(1, 1), (2, 1)]);
        scene.converge();
        assert_eq!(scene.server(1).unwrap().1, [(1, 1), (2, 1)]);
        assert_eq!(scene.server(2).unwrap().1, [(1, 0)]);
        assert!(scene.manager.is_undisturbed().unwrap());
    });
}
