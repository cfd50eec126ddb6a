//! The connection to the API server.

use std::path::Path;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::follow::WATCH_SECONDS;
use super::outage;
use super::token_file::TokenFile;
use crate::error::WatchError;

/// After this long a silence a connection is dead: the server ends every watch earlier.
const READ_TIMEOUT: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 30);

/// Set by the kubelet in every pod.
const IN_CLUSTER: &str = "KUBERNETES_SERVICE_HOST";

/// Connects to the API server that `kubeconfig` names, or to that of the cluster in which
/// this pod runs.
///
/// `master` is a URL to use instead of the one found so. A service proxy in a pod needs it:
/// the pod's environment names the ClusterIP of the API server, which works only once this
/// very proxy, or another, has programmed it. `tls_server_name` is the name that the
/// server's certificate must have, if not the host of the URL.
///
/// With `master` alone, outside of a cluster, the connection is anonymous.
///
/// # Errors
///
/// If the configuration cannot be read or does not make sense. Nothing is sent yet: an API
/// server that cannot be reached is waited for.
pub async fn kube_client(
    kubeconfig: Option<&Path>,
    master: Option<&str>,
    tls_server_name: Option<&str>,
) -> Result<Client, WatchError> {
    let mut config = config(kubeconfig, master, tls_server_name).await?;
    let token = TokenFile::take(&mut config)?;
    outage::client(config, token).map_err(|source| WatchError::Client(Box::new(source)))
}

async fn config(
    kubeconfig: Option<&Path>,
    master: Option<&str>,
    tls_server_name: Option<&str>,
) -> Result<Config, WatchError> {
    let master = master.map(parse_master).transpose()?;
    let mut config = match (kubeconfig, &master) {
        (Some(path), _) => from_kubeconfig(path).await?,
        (None, Some(url)) if std::env::var_os(IN_CLUSTER).is_none() => Config::new(url.clone()),
        (None, _) => {
            Config::incluster().map_err(|source| WatchError::InCluster(Box::new(source)))?
        }
    };
    if let Some(url) = master {
        config.cluster_url = url;
    }
    if config.cluster_url.scheme_str() == Some("http") {
        // Nothing will be verified, and a node's image may have no certificates to load.
        config.root_cert = Some(Vec::new());
    }
    if let Some(name) = tls_server_name {
        config.tls_server_name = Some(name.to_owned());
    }
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    // kube's own retries of 429, 503 and 504 go on for an hour without a word.
    config.default_retry = false;
    Ok(config)
}

async fn from_kubeconfig(path: &Path) -> Result<Config, WatchError> {
    let error = |source| WatchError::Kubeconfig { path: path.to_owned(), source: Box::new(source) };
    let kubeconfig = Kubeconfig::read_from(path).map_err(error)?;
    refuse_programs(path, &kubeconfig)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(error)
}

/// A program would run with the agent's rights, which are those over the node's network.
fn refuse_programs(path: &Path, kubeconfig: &Kubeconfig) -> Result<(), WatchError> {
    for user in &kubeconfig.auth_infos {
        let Some(credentials) = &user.auth_info else { continue };
        let field = match (&credentials.exec, &credentials.auth_provider) {
            (Some(_), _) => "exec",
            (None, Some(_)) => "auth-provider",
            (None, None) => continue,
        };
        if current_user(kubeconfig) == Some(user.name.as_str()) {
            let (path, user) = (path.to_owned(), user.name.clone());
            return Err(WatchError::CredentialProgram { path, user, field });
        }
    }
    Ok(())
}

fn current_user(kubeconfig: &Kubeconfig) -> Option<&str> {
    let current = kubeconfig.current_context.as_ref()?;
    let context = kubeconfig.contexts.iter().find(|context| &context.name == current)?;
    context.context.as_ref()?.user.as_deref()
}

fn parse_master(url: &str) -> Result<http::Uri, WatchError> {
    let parsed = url.parse::<http::Uri>().ok();
    parsed
        .filter(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some())
        .ok_or_else(|| WatchError::Master(url.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
clusters:
- name: test
  cluster: {server: 'https://192.0.2.1:6443', tls-server-name: apiserver}
contexts:
- name: test
  context: {cluster: test, user: test}
current-context: test
users:
- name: test
  user: {token: secret}
";

    #[tokio::test]
    async fn master_overrides_the_url_and_nothing_else() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("kubeconfig");
        std::fs::write(&path, KUBECONFIG).unwrap();
        let plain = config(Some(&path), None, None).await.unwrap();
        assert_eq!(plain.cluster_url, "https://192.0.2.1:6443/");
        assert_eq!(plain.tls_server_name.as_deref(), Some("apiserver"));
        assert_eq!(plain.read_timeout, Some(READ_TIMEOUT));
        let other = config(Some(&path), Some("https://[fd00::1]:6443"), None).await.unwrap();
        assert_eq!(other.cluster_url, "https://[fd00::1]:6443/");
        assert_eq!(other.tls_server_name.as_deref(), Some("apiserver"));
        assert!(other.auth_info.token.is_some());
        let named = config(Some(&path), None, Some("kubernetes")).await.unwrap();
        assert_eq!(named.tls_server_name.as_deref(), Some("kubernetes"));
    }

    #[tokio::test]
    async fn a_program_for_credentials_is_never_run() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("kubeconfig");
        let ran = directory.path().join("ran");
        let exec = format!(
            "exec: {{apiVersion: client.authentication.k8s.io/v1, command: touch, \
             args: ['{}'], interactiveMode: Never}}",
            ran.display()
        );
        let provider = format!(
            "auth-provider: {{name: gcp, config: {{cmd-path: touch, cmd-args: '{}'}}}}",
            ran.display()
        );
        for (user, field) in [(exec, "exec"), (provider, "auth-provider")] {
            let text = KUBECONFIG.replace("token: secret", &user);
            std::fs::write(&path, &text).unwrap();
            let error = config(Some(&path), None, None).await.unwrap_err().to_string();
            assert!(error.contains(field) && error.contains("client certificate"), "{error}");
            assert!(!ran.exists(), "{field}");
            let other = text.replace("user: test}", "user: other}")
                + "- name: other\n  user: {token: secret}\n";
            std::fs::write(&path, other).unwrap();
            config(Some(&path), None, None).await.expect("nobody else's program matters");
        }
    }

    #[tokio::test]
    async fn a_configuration_that_cannot_be_used_is_named() {
        let error = config(Some(Path::new("/missing/kubeconfig")), None, None).await.unwrap_err();
        assert!(error.to_string().contains("/missing/kubeconfig"), "{error}");
        for master in ["192.0.2.1:6443", "192.0.2.1", "ftp://192.0.2.1", "https://", ""] {
            let error = config(None, Some(master), None).await.unwrap_err();
            assert!(matches!(&error, WatchError::Master(url) if url == master), "{error}");
        }
    }
}
