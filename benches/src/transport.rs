//! The API server of a node, and how a process is told to reach it.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::Context as _;
use portolan_apiserver::{ApiServer, Authority, Credentials, kubeconfig};
use serde::{Deserialize, Serialize};

/// The least that a token of a service account has: `{"alg":"RS256",…}`, claims and a
/// signature of 256 bytes, in base64.
const TOKEN_LENGTH: usize = 900;

/// How processes speak to the API server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transport {
    /// Without TLS, anonymously.
    #[default]
    Http,
    /// With an authority of its own and a bearer token, as pods do.
    Https,
}

impl Transport {
    /// As people write it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Transport::Http => "HTTP",
            Transport::Https => "HTTPS",
        }
    }

    /// Starts a server in the namespace of the caller, and returns the arguments with which
    /// the agent and kube-proxy find it. A file that they need goes to the directory.
    pub(crate) fn serve(self, directory: &Path) -> anyhow::Result<(ApiServer, [OsString; 2])> {
        let any = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        match self {
            Transport::Http => {
                let server = ApiServer::start(any)?;
                let url = server.url().into();
                Ok((server, ["--master".into(), url]))
            }
            Transport::Https => {
                let authority = Authority::new("kubernetes")?;
                let server = ApiServer::start_https(any, &authority)?;
                let token = "t".repeat(TOKEN_LENGTH);
                server.access().require_token(&token);
                let credentials = Credentials::Token(token);
                let path = directory.join("kubeconfig");
                fs::write(&path, kubeconfig(&server.url(), Some(&authority), &credentials))
                    .context("cannot write the kubeconfig")?;
                Ok((server, ["--kubeconfig".into(), path.into()]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_led_to_a_server_of_the_kind_that_was_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let (server, arguments) = Transport::Http.serve(directory.path()).unwrap();
        assert!(server.url().starts_with("http://"), "{}", server.url());
        assert_eq!(arguments, ["--master".into(), OsString::from(server.url())]);
        let (server, [flag, path]) = Transport::Https.serve(directory.path()).unwrap();
        assert!(server.url().starts_with("https://"), "{}", server.url());
        assert_eq!(flag, "--kubeconfig");
        let text = fs::read_to_string(path).unwrap();
        for part in [&server.url(), "certificate-authority-data", "token"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
