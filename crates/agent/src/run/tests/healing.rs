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

/// Lets seconds pass; whether the backend was asked to change something meanwhile.
async fn is_asked_within(agent: &Harness, seconds: u32) -> bool {
    for _ in 0..seconds {
        settle().await;
        advance(Duration::from_secs(1)).await;
    }
    // The backend has a thread of its own, and a busy machine runs it when it likes.
    for _ in 0..200 {
        settle().await;
        if !agent.kernel.asked.is_empty() {
            return true;
        }
    }
    false
}

#[tokio::test(start_paused = true)]
async fn what_others_change_in_the_kernel_is_converged_without_any_event() {
    let mut agent = Harness::synced(config()).await;
    assert!(!is_asked_within(&agent, 20).await, "nobody disturbs");
    *agent.kernel.disturbance.lock().unwrap() = Disturbance::Edited;
    assert!(is_asked_within(&agent, 6).await);
    assert_eq!(plans(agent.asked().await), counts(&[("api", 0), ("web", 1)]));
    agent.answer(Answer::Succeed);
    agent.send(slice_applied("api", &[3])).await;
    assert_eq!(agent.asked().await, changed(&[("api", 1)]), "back to changes");
}

#[tokio::test(start_paused = true)]
async fn a_kernel_that_cannot_be_read_for_a_moment_is_no_reason_to_compare_everything() {
    let mut agent = Harness::synced(config()).await;
    *agent.kernel.disturbance.lock().unwrap() = Disturbance::Unreadable;
    assert!(!is_asked_within(&agent, 14).await);
    agent.send(slice_applied("api", &[3])).await;
    assert_eq!(agent.asked().await, changed(&[("api", 1)]), "what was written is not in doubt");
    agent.answer(Answer::Succeed);
    *agent.kernel.disturbance.lock().unwrap() = Disturbance::None;
    assert!(!is_asked_within(&agent, 20).await);
}
