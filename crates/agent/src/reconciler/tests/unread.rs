//! A look at the kernel that fails.

use super::*;

impl Scene {
    /// The next look ends like this.
    fn look(&mut self, result: Result<Done, WorkError>) {
        self.later(CHECK_EVERY.as_secs());
        let work = self.reconciler.next_work(self.now);
        assert!(matches!(work, Some(Work::Check)), "{work:?}");
        self.finish(result);
    }

    fn is_compared_after(&mut self, seconds: u64) -> bool {
        self.later(seconds);
        matches!(self.reconciler.next_work(self.now), Some(Work::Converge { .. }))
    }
}

fn unread() -> Result<Done, WorkError> {
    Err(WorkError::Unread("no answer".into()))
}

#[test]
fn a_kernel_that_cannot_be_read_keeps_no_change_waiting() {
    let mut scene = Scene::synced();
    scene.look(unread());
    assert_eq!(scene.waiting_seconds(), None);
    let status = scene.reconciler.status();
    assert_eq!((status.failures, status.last_error), (0, None), "no sync has failed");
    scene.receive(slice_applied("web", &[1, 2]));
    assert!(matches!(scene.reconciler.next_work(scene.now), Some(Work::Apply(_))));
}

#[test]
fn only_the_third_failure_in_a_row_to_read_the_kernel_is_one_of_the_sync() {
    let mut scene = Scene::synced();
    for result in [unread(), unread(), Ok(checked(false)), unread(), unread()] {
        scene.look(result);
        assert!(!scene.is_compared_after(1));
    }
    scene.look(unread());
    assert_eq!(scene.waiting_seconds(), Some(0));
    let status = scene.reconciler.status();
    assert_eq!((status.failures, status.last_error.as_deref()), (1, Some("no answer")));
    assert!(scene.is_compared_after(1));
    scene.finish(Ok(Done::Synced(SyncReport::default())));
    scene.look(unread());
    assert!(!scene.is_compared_after(1), "it is counted anew");
}

#[test]
fn what_a_look_leaves_in_doubt_and_a_panic_are_failures_of_the_sync_at_once() {
    for error in [WorkError::Backend("no luck".into()), WorkError::Panicked("oh".to_owned())] {
        let mut scene = Scene::synced();
        scene.look(Err(error));
        assert_eq!(scene.reconciler.status().failures, 1);
        assert!(scene.is_compared_after(1));
    }
}
