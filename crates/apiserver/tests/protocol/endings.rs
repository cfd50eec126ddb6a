//! What the clock does to watches: bookmarks, and how they end.

use std::time::Duration;

use serde_json::json;

use crate::client::{Next, SERVICES, Watch, get, names, service};
use crate::watches::three;

#[tokio::test(start_paused = true)]
async fn bookmarks_come_each_minute_and_at_the_end() {
    let api = three();
    let path = format!(
        "{SERVICES}?watch=true&resourceVersion=4&allowWatchBookmarks=true&timeoutSeconds=150"
    );
    let mut watch = Watch::start(&api, &path).await;
    let start = tokio::time::Instant::now();
    let mut told = Vec::new();
    while told.last().is_none_or(|last| last != "end") {
        told.extend(watch.told().await);
        if told.len() == 1 && start.elapsed() < Duration::from_secs(61) {
            // Of another resource, which this client hears of by bookmarks only.
            let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}});
            api.store().put(&node).unwrap();
            let path = "/api/v1/services?resourceVersion=5";
            assert_eq!(names(&get(&api, path).await.1).len(), 3);
        }
    }
    assert_eq!(told[0], "BOOKMARK 4");
    let last = told.iter().rev().nth(1).unwrap();
    assert_eq!(last, &format!("BOOKMARK {}", api.store().resource_version()));
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(start.elapsed().as_secs(), 150);
}

#[tokio::test(start_paused = true)]
async fn bookmarks_and_the_end_come_while_changes_keep_coming() {
    let api = three();
    let path = format!(
        "{SERVICES}?watch=true&resourceVersion=4&allowWatchBookmarks=true&timeoutSeconds=150"
    );
    let mut watch = Watch::start(&api, &path).await;
    let start = tokio::time::Instant::now();
    let mut bookmarks = 0;
    for address in 0.. {
        assert!(start.elapsed() < Duration::from_secs(200), "the watch does not end");
        // There is always something to tell.
        api.store().put(&service("a", &format!("10.0.1.{address}"))).unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        match watch.next().await {
            Next::Event(event) => bookmarks += usize::from(event["type"] == "BOOKMARK"),
            Next::End => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(bookmarks, 3, "one each minute and one at the end");
}

#[tokio::test(start_paused = true)]
async fn a_watch_without_a_timeout_ends_as_those_of_an_api_server_do() {
    let api = three();
    let mut watch = Watch::start(&api, &format!("{SERVICES}?watch=true&resourceVersion=4")).await;
    let start = tokio::time::Instant::now();
    while watch.told().await.is_empty() {}
    assert_eq!(start.elapsed().as_secs(), 45 * 60);
}

#[tokio::test(start_paused = true)]
async fn without_bookmarks_only_the_end_comes() {
    let api = three();
    let path = format!("{SERVICES}?watch=true&resourceVersion=4&timeoutSeconds=150");
    let mut watch = Watch::start(&api, &path).await;
    let start = tokio::time::Instant::now();
    while watch.told().await.is_empty() {}
    assert_eq!(start.elapsed().as_secs(), 150);
}
