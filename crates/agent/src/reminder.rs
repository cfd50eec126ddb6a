//! What to check while the source is silent. Until it has sent everything, nothing is
//! programmed, so a silent source looks like a broken agent.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

use crate::config::SourceConfig;
use crate::health::Health;

const FIRST_REMINDER: Duration = Duration::from_secs(10);
const NEXT_REMINDERS: Duration = Duration::from_secs(60);

/// Reminds the operator until the source has sent everything.
pub(crate) async fn remind(source: SourceConfig, health: watch::Receiver<Health>) {
    let mut pause = FIRST_REMINDER;
    loop {
        sleep(pause).await;
        if !health.borrow().is_waiting_for_source() {
            return;
        }
        warn!("{}", text(&source, service_host()));
        pause = NEXT_REMINDERS;
    }
}

/// What the kubelet tells every pod about the API server, as `host:port`.
fn service_host() -> Option<String> {
    let host = std::env::var("KUBERNETES_SERVICE_HOST").ok()?;
    let port = std::env::var("KUBERNETES_SERVICE_PORT").ok()?;
    Some(format!("{host}:{port}"))
}

fn text(source: &SourceConfig, service_host: Option<String>) -> String {
    let (kubeconfig, master) = match source {
        SourceConfig::Directory(path) => {
            return format!("still reading {}; nothing is programmed before", path.display());
        }
        SourceConfig::Kube { kubeconfig, master, .. } => (kubeconfig, master),
    };
    let address = match (master, kubeconfig, service_host) {
        (Some(master), ..) => master.clone(),
        (None, Some(path), _) => format!("the address in {}", path.display()),
        (None, None, Some(host)) => format!("{host}, which KUBERNETES_SERVICE_HOST says"),
        (None, None, None) => "its address".to_owned(),
    };
    format!(
        "the API server has not listed all Services and EndpointSlices yet, and nothing is \
         programmed before. Can this node reach it at {address}? A ClusterIP cannot be used here: \
         it leads nowhere until this agent serves it. --master and --kubeconfig choose another \
         address"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_is_asked_is_named() {
        let host = || Some("10.96.0.1:443".to_owned());
        let kube = |kubeconfig: Option<&str>, master: Option<&str>| SourceConfig::Kube {
            kubeconfig: kubeconfig.map(Into::into),
            master: master.map(str::to_owned),
            tls_server_name: None,
        };
        let cases = [
            (kube(None, None), host(), "at 10.96.0.1:443, which KUBERNETES_SERVICE_HOST says?"),
            (kube(None, Some("https://192.0.2.1:6443")), host(), "at https://192.0.2.1:6443?"),
            (kube(Some("/etc/k"), Some("https://a")), None, "at https://a?"),
            (kube(Some("/etc/k"), None), host(), "at the address in /etc/k?"),
            (SourceConfig::Directory("/srv".into()), None, "still reading /srv;"),
        ];
        for (source, host, told) in cases {
            let text = text(&source, host);
            assert!(text.contains(told), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn reminders_end_when_the_source_has_sent_everything() {
        let (sender, receiver) = watch::channel(Health::default());
        let reminder = tokio::spawn(remind(SourceConfig::Directory("/srv".into()), receiver));
        sleep(NEXT_REMINDERS * 3).await;
        assert!(!reminder.is_finished());
        sender.send_modify(|health| health.waiting_since = Some(tokio::time::Instant::now()));
        sleep(NEXT_REMINDERS).await;
        assert!(reminder.is_finished());
    }
}
