//! How an agent ends.

use super::*;

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_long_for_a_busy_backend() {
    let mut agent = Harness::synced(config()).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]));
    let before = Instant::now();
    agent.shutdown.take().unwrap().send(()).unwrap();
    settle().await;
    advance(LAST_CALL).await;
    assert!((&mut agent.agent).await.unwrap().is_ok());
    assert_eq!(before.elapsed(), LAST_CALL);
}

#[tokio::test(start_paused = true)]
async fn shutdown_lets_a_call_end_that_is_about_to() {
    let mut agent = Harness::synced(config()).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]));
    agent.answer(Answer::Succeed);
    let before = Instant::now();
    agent.stop().await.unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn shutdown_works_before_anything_is_known() {
    Harness::start(config()).stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_cannot_be_opened_ends_the_agent_with_its_reason() {
    let open: OpenBackend = Box::new(|_| Err("CAP_NET_ADMIN is missing".into()));
    let agent = Harness::start_with(config(), open, fake_backend().1);
    let error = agent.agent.await.unwrap().unwrap_err();
    assert_eq!(crate::chain(&error), "the backend cannot be used: CAP_NET_ADMIN is missing");

    let open: OpenBackend = Box::new(|_| panic!("out of cheese"));
    let agent = Harness::start_with(config(), open, fake_backend().1);
    let error = agent.agent.await.unwrap().unwrap_err();
    assert!(crate::chain(&error).ends_with("out of cheese"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_ends_ends_the_agent() {
    let mut agent = Harness::start(config());
    (agent.events, _) = mpsc::channel(1);
    assert!(matches!(agent.agent.await.unwrap(), Err(AgentError::SourceEnded)));
}
