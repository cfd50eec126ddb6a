//! Who the agent says that it is.

use std::error::Error as _;

use portolan_apiserver::{Authority, Credentials, kubeconfig};
use portolan_watch::kube_client;
use tempfile::TempDir;

use crate::source::{Cluster, Source};

#[tokio::test(start_paused = true)]
async fn a_certificate_a_token_and_a_token_file_are_enough_to_follow_the_cluster() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "secret").unwrap();
    let cluster = Cluster::start().await;
    let identity = cluster.authority.client("system:kube-proxy").unwrap();
    for credentials in [
        Credentials::Certificate(identity),
        Credentials::Token("secret".to_owned()),
        Credentials::TokenFile(file),
    ] {
        match credentials {
            Credentials::Certificate(_) => cluster.api.access().require_certificate(),
            _ => cluster.api.access().require_token("secret"),
        }
        cluster.put("10.96.0.1");
        let mut source = Source::start(&cluster.url, &cluster.authority, &credentials, None).await;
        assert_eq!(source.address().await, "10.96.0.1", "{credentials:?}");
        cluster.put("10.96.0.2");
        assert_eq!(source.address().await, "10.96.0.2", "{credentials:?}");
        cluster.ask_again("10.96.0.3");
        assert_eq!(source.address().await, "10.96.0.3", "{credentials:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_not_taken_are_told() {
    let cluster = Cluster::start().await;
    let other = Authority::new("kubernetes").unwrap().client("system:kube-proxy").unwrap();
    for credentials in [Credentials::Certificate(other), Credentials::Token("other".to_owned())] {
        match credentials {
            Credentials::Certificate(_) => cluster.api.access().require_certificate(),
            _ => cluster.api.access().require_token("secret"),
        }
        let mut source = Source::start(&cluster.url, &cluster.authority, &credentials, None).await;
        let problem = source.problem().await;
        let told = "Unauthorized (401); are the credentials right?";
        assert!(problem.ends_with(told), "{credentials:?}: {problem}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_file_is_read_as_people_write_it_and_again_when_it_is_replaced() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("token");
    let cluster = Cluster::start().await;
    cluster.api.access().require_token("old");
    std::fs::write(&file, "old\n").unwrap();
    let credentials = Credentials::TokenFile(file.clone());
    let mut source = Source::start(&cluster.url, &cluster.authority, &credentials, None).await;
    assert_eq!(source.address().await, "10.96.0.1");
    cluster.api.access().require_token("new");
    std::fs::write(&file, "new").unwrap();
    cluster.ask_again("10.96.0.2");
    assert_eq!(source.address().await, "10.96.0.2", "with the new token");
    for (broken, address) in [("\n", "10.96.0.3"), ("two\nlines", "10.96.0.4")] {
        std::fs::write(&file, broken).unwrap();
        cluster.ask_again(address);
        assert_eq!(source.address().await, address, "with the last one");
    }
    std::fs::remove_file(&file).unwrap();
    cluster.ask_again("10.96.0.5");
    assert_eq!(source.address().await, "10.96.0.5", "with the last one");
}

#[tokio::test]
async fn a_token_file_that_holds_no_token_at_the_start_is_named() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("token");
    for (contents, why) in [(None, "No such file"), (Some(""), "empty"), (Some("a\nb"), "line")] {
        if let Some(contents) = contents {
            std::fs::write(&file, contents).unwrap();
        }
        let path = directory.path().join("kubeconfig");
        let credentials = Credentials::TokenFile(file.clone());
        std::fs::write(&path, kubeconfig("https://192.0.2.1", None, &credentials)).unwrap();
        let error = kube_client(Some(&path), None, None).await.err().unwrap();
        let text = format!("{error}: {}", error.source().unwrap());
        assert!(text.contains(file.to_str().unwrap()) && text.contains(why), "{text}");
    }
}
