//! What a client needs to know, as a file.

use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::tls::{Authority, Identity};

/// How a client says who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A bearer token.
    Token(String),
    /// A file with a bearer token, which may be replaced.
    TokenFile(PathBuf),
    /// A client certificate.
    Certificate(Identity),
}

/// A kubeconfig file for a server. With an authority, certificates of others are refused.
///
/// It is JSON, which is YAML too, and holds everything but what is behind a
/// [`Credentials::TokenFile`].
pub fn kubeconfig(url: &str, authority: Option<&Authority>, credentials: &Credentials) -> String {
    let authority = authority.map(|authority| data(&authority.certificate()));
    let cluster = json!({"server": url, "certificate-authority-data": authority});
    let user = match credentials {
        Credentials::Token(token) => json!({"token": token}),
        Credentials::TokenFile(path) => json!({"tokenFile": path}),
        Credentials::Certificate(identity) => json!({
            "client-certificate-data": data(&identity.certificate),
            "client-key-data": data(&identity.key),
        }),
    };
    let name = "portolan";
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    })
    .to_string()
}

/// PEM as it stands in a kubeconfig.
fn data(pem: &str) -> Value {
    BASE64_STANDARD.encode(pem).into()
}
