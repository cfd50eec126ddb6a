//! Who the agent says that it is.

use portolan_apiserver::{Authority, Credentials, Resource};
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
        cluster.api.faults().cut_watches(&[Resource::Services]);
        cluster.put("10.96.0.3");
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
