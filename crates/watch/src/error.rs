//! Why a source could not start or had to end.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A failure of a source. What is wrong with single objects or files is no failure: it is
/// reported as [`crate::Notice`] and the rest is served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The directory of manifests cannot be read at start.
    #[error("cannot read the directory of manifests {path}{}", directory_hint(path, source))]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The thread that reads files ended before its time, by a panic or at shutdown.
    #[error("the thread that reads manifests ended")]
    Reader(#[source] tokio::task::JoinError),
    /// The kubeconfig file cannot be used.
    #[error("cannot use the kubeconfig file {path}")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<kube::config::KubeconfigError>,
    },
    /// The user of the kubeconfig file gets its credentials from a program.
    #[error(
        "the user {user:?} in the kubeconfig file {path} runs a program for its credentials \
         ({field}), which this agent never does: give the user a token or a client certificate"
    )]
    CredentialProgram {
        /// The file.
        path: PathBuf,
        /// The user of the current context.
        user: String,
        /// `exec` or `auth-provider`.
        field: &'static str,
    },
    /// There is no token in the file that the kubeconfig file, or the pod, has it in.
    #[error("cannot read the token file {path}")]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// The system's reason, or what is wrong with it.
        #[source]
        source: io::Error,
    },
    /// There is no kubeconfig file, and this is no pod with a service account.
    #[error(
        "no credentials for an API server: give --kubeconfig FILE, run in a pod with a service \
         account, or read files with --source dir:PATH"
    )]
    InCluster(#[source] Box<kube::config::InClusterError>),
    /// The URL of the API server is none.
    #[error("{0:?} is not the URL of an API server: write it like https://192.0.2.1:6443")]
    Master(String),
    /// The client does not accept its configuration: certificates, keys, proxy.
    #[error("cannot set up the connection to the API server")]
    Client(#[source] Box<kube::Error>),
}

/// What was probably meant, or is to be checked.
fn directory_hint(path: &Path, error: &io::Error) -> String {
    match (error.kind(), path.parent()) {
        (ErrorKind::NotADirectory, Some(parent)) if path.is_file() => {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            format!(" (it is a file; did you mean its directory, dir:{}?)", parent.display())
        }
        (ErrorKind::PermissionDenied, _) => " (which this user may not do)".to_owned(),
        _ => String::new(),
    }
}
