//! Servers that the agent does not trust.

use portolan_apiserver::{Api, Authority, Credentials};
use tokio::net::TcpListener;

use crate::source::{Cluster, Source};

fn token() -> Credentials {
    Credentials::Token("secret".to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_server_of_another_authority_is_told_nothing_and_named_with_what_to_check() {
    // Most clusters call theirs the same.
    for name in ["other", "kubernetes"] {
        let cluster = Cluster::start().await;
        let other = Authority::new(name).unwrap();
        let mut source = Source::start(&cluster.url, &other, &token(), None).await;
        let problem = source.problem().await;
        assert!(problem.contains(&cluster.url), "{problem}");
        assert!(problem.contains("certificate-authority-data"), "{problem}");
        assert!(problem.contains("ca.crt"), "{problem}");
        assert_eq!(cluster.api.requests(), [], "the token is for nobody else");
    }
}

#[tokio::test(start_paused = true)]
async fn a_certificate_for_other_names_is_refused_unless_one_of_them_is_given() {
    let cluster = Cluster::start().await;
    let (url, authority) = (&cluster.url, &cluster.authority);
    let mut source = Source::start(url, authority, &token(), Some("apiserver.test")).await;
    let problem = source.problem().await;
    for part in [url, "apiserver.test", "kubernetes.default.svc", "--tls-server-name"] {
        assert!(problem.contains(part), "{part}: {problem}");
    }
    assert_eq!(cluster.api.requests(), []);
    let mut source = Source::start(url, authority, &token(), Some("kubernetes")).await;
    assert_eq!(source.address().await, "10.96.0.1");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_speaks_no_tls_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let api = Api::new();
    let served = api.clone();
    tokio::spawn(async move { served.serve(&listener).await });
    let authority = Authority::new("kubernetes").unwrap();
    let mut source = Source::start(&url, &authority, &token(), None).await;
    let problem = source.problem().await;
    assert!(problem.contains(&url) && problem.contains("HTTPS"), "{problem}");
    assert_eq!(api.requests(), []);
}
