//! Ports that others have.

use std::net::TcpListener;

use super::*;
use crate::listen::LISTEN_AGAIN;
use crate::testing::count_warnings;

#[tokio::test(start_paused = true)]
async fn a_port_that_is_taken_is_warned_of_once_and_tried_again_while_others_are_served() {
    let (warnings, _guard) = count_warnings();
    let taken = TcpListener::bind(at("127.32.8.1", PORT)).unwrap();
    let mut scene = Scene::on(&["127.32.8.1", "127.32.8.2"]).await;
    scene.change([("web", check(PORT, 1)), ("api", check(PORT + 1, 2))]).await;
    assert_eq!(asked("127.32.8.2", PORT).await, says("web", 1), "on its other address");
    assert_eq!(asked("127.32.8.1", PORT + 1).await, says("api", 2), "another port");
    tokio::time::sleep(3 * LISTEN_AGAIN).await;
    assert_eq!(warnings.count(), 1);
    drop(taken);
    assert_eq!(asked("127.32.8.1", PORT).await, None);
    tokio::time::sleep(LISTEN_AGAIN).await;
    assert_eq!(asked("127.32.8.1", PORT).await, says("web", 1));
    assert_eq!(warnings.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_port_that_is_no_longer_wanted_is_not_tried_again() {
    let taken = TcpListener::bind(at("127.32.9.1", PORT)).unwrap();
    let mut scene = Scene::on(&["127.32.9.1"]).await;
    scene.change([("web", check(PORT, 1))]).await;
    scene.change([("web", None)]).await;
    drop(taken);
    tokio::time::sleep(2 * LISTEN_AGAIN).await;
    assert_eq!(asked("127.32.9.1", PORT).await, None);
}
