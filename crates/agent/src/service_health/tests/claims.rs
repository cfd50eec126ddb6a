//! Two Services with one port.

use super::*;

#[tokio::test]
async fn the_first_service_keeps_a_port_until_it_gives_it_up() {
    let mut scene = Scene::on(&["127.32.5.1"]).await;
    scene.change([("web", check(PORT, 1))]).await;
    let before = scene.servers.tasks();
    // By name they would come first.
    scene.change([("api", check(PORT, 2)), ("dns", check(PORT, 3))]).await;
    assert_eq!(asked("127.32.5.1", PORT).await, says("web", 1));
    scene
        .replace([("api", check(PORT, 4)), ("dns", check(PORT, 3)), ("web", check(PORT, 5))])
        .await;
    assert_eq!(asked("127.32.5.1", PORT).await, says("web", 5));
    scene.change([("web", check(PORT + 1, 5))]).await;
    assert_eq!(asked("127.32.5.1", PORT).await, says("api", 4));
    assert_eq!(asked("127.32.5.1", PORT + 1).await, says("web", 5));
    assert_eq!(scene.servers.tasks()[&PORT], before[&PORT], "the port never was closed");
    scene.change([("dns", None)]).await;
    assert_eq!(asked("127.32.5.1", PORT).await, says("api", 4));
    scene.change([("api", None)]).await;
    assert_eq!(asked("127.32.5.1", PORT).await, None);
}

#[tokio::test]
async fn services_may_swap_their_ports() {
    let mut scene = Scene::on(&["127.32.6.1"]).await;
    scene.change([("web", check(PORT, 1)), ("api", check(PORT + 1, 2))]).await;
    scene.change([("web", check(PORT + 1, 1)), ("api", check(PORT, 2))]).await;
    assert_eq!(asked("127.32.6.1", PORT).await, says("api", 2));
    assert_eq!(asked("127.32.6.1", PORT + 1).await, says("web", 1));
}

#[tokio::test]
async fn a_second_service_is_warned_of_once() {
    let (warnings, _guard) = crate::testing::count_warnings();
    let mut scene = Scene::on(&["127.32.7.1"]).await;
    scene.change([("web", check(PORT, 1))]).await;
    assert_eq!(warnings.count(), 0);
    scene.change([("api", check(PORT, 1))]).await;
    assert_eq!(warnings.count(), 1);
    scene.change([("api", check(PORT, 2)), ("web", check(PORT, 3))]).await;
    scene.replace([("api", check(PORT, 2)), ("web", check(PORT, 3))]).await;
    assert_eq!(warnings.count(), 1);
}
