//! What happens without any event, and what happens at once.

use super::*;

#[tokio::test(start_paused = true)]
async fn failed_changes_are_converged_without_a_pause() {
    let mut agent = Harness::synced(config()).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]));
    let before = Instant::now();
    agent.answer(Answer::Fail);
    assert_eq!(plans(agent.asked().await), counts(&[("api", 0), ("web", 2)]));
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_others_change_in_the_kernel_is_converged_without_any_event() {
    for disturbance in [Disturbance::Edited, Disturbance::Unreadable] {
        let mut agent = Harness::synced(config()).await;
        for _ in 0..20 {
            settle().await;
            advance(Duration::from_secs(1)).await;
        }
        assert!(agent.kernel.asked.is_empty(), "nobody disturbs");
        *agent.kernel.disturbance.lock().unwrap() = disturbance;
        while agent.kernel.asked.is_empty() {
            settle().await;
            advance(Duration::from_secs(1)).await;
        }
        let all = counts(&[("api", 0), ("web", 1)]);
        assert_eq!(plans(agent.asked().await), all, "{disturbance:?}");
        agent.answer(Answer::Succeed);
        agent.send(slice_applied("api", &[3])).await;
        assert_eq!(agent.asked().await, changed(&[("api", 1)]), "back to changes");
    }
}
