//! The running agent against an API server that goes wrong, on a real kernel, in a namespace
//! of its own.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use portolan_apiserver::{ApiServer, Authority, Credentials, Fault, Resource, kubeconfig};
use portolan_lab::namespaced;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Long enough for any machine; nothing waits for so long unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between looks at the kernel, for which a process starts.
const PAUSE: Duration = Duration::from_millis(50);

/// What a service proxy cannot do without.
const NEEDED: [Resource; 2] = [Resource::Services, Resource::EndpointSlices];

/// How often a fault strikes: at least one resource twice.
const STRIKES: u64 = 3;

const ANY: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

const REFUSED: Fault = Fault::Refused { code: 500, retry_after: None };

fn service(name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"clusterIP": address, "clusterIPs": [address], "ports": [{"port": 80}]},
    })
}

fn slice(service: &str, address: &str) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{service}-1"), "namespace": "shop",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4", "ports": [{"port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": true}}],
    })
}

/// An API server with one Service, and an agent that asks it.
struct Scene {
    server: ApiServer,
    agent: Child,
    directory: TempDir,
}

impl Scene {
    /// Starts over HTTP with this fault, and waits for nothing.
    fn start(fault: Option<Fault>) -> Scene {
        let server = ApiServer::start(ANY.into()).unwrap();
        if let Some(fault) = fault {
            server.faults().begin(&NEEDED, fault);
        }
        Scene::with(server, None)
    }

    /// Starts over HTTPS. The agent trusts this authority.
    fn secure(server: ApiServer, authority: &Authority, credentials: &Credentials) -> Scene {
        let kubeconfig = kubeconfig(&server.url(), Some(authority), credentials);
        Scene::with(server, Some(&kubeconfig))
    }

    fn with(server: ApiServer, kubeconfig: Option<&str>) -> Scene {
        server.store().put(&service("web", "10.96.0.10")).unwrap();
        server.store().put(&slice("web", "10.244.0.1")).unwrap();
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a"}});
        server.store().put(&node).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let mut agent = portolan();
        agent
            .args(["run", "--node-name", "node-a", "--control-socket="])
            .args(["--healthz-bind-address=", "--metrics-bind-address="]);
        match kubeconfig {
            Some(text) => {
                let path = directory.path().join("kubeconfig");
                fs::write(&path, text).unwrap();
                agent.arg("--kubeconfig").arg(path);
            }
            None => drop(agent.arg("--master").arg(server.url())),
        }
        let agent = agent.stderr(log).stdout(Stdio::null()).spawn().unwrap();
        Scene { server, agent, directory }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// Waits until the kernel has all of these and none of those addresses.
    fn until_kernel(&self, has: &[&str], has_not: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let kernel = kernel();
            if has.iter().all(|address| kernel.contains(address))
                && !has_not.iter().any(|address| kernel.contains(address))
            {
                return;
            }
            let log = self.log();
            assert!(Instant::now() < deadline, "not {has:?} and not {has_not:?}: {kernel}{log}");
            sleep(PAUSE);
        }
    }

    /// Waits until the fault struck a few times. All the time the kernel has all of these
    /// and none of those addresses.
    fn until_struck(&self, has: &[&str], has_not: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        while self.server.faults().struck() < STRIKES {
            let kernel = kernel();
            assert!(has.iter().all(|address| kernel.contains(address)), "{has:?}: {kernel}");
            assert!(!has_not.iter().any(|address| kernel.contains(address)), "{kernel}");
            assert!(Instant::now() < deadline, "nothing goes wrong any more");
            sleep(PAUSE);
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

fn portolan() -> Command {
    Command::new(env!("CARGO_BIN_EXE_portolan"))
}

/// What `dump --kernel` prints; an error while there is no table.
fn kernel() -> String {
    let output = portolan().args(["dump", "--kernel", "--format", "json"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_kernel_keeps_what_it_has_while_the_api_server_fails() {
    namespaced("the_kernel_keeps_what_it_has_while_the_api_server_fails", || {
        for fault in [REFUSED, Fault::CutBeforeAnswer, Fault::CutInList] {
            let scene = Scene::start(None);
            scene.until_kernel(&["10.96.0.10", "10.244.0.1"], &["10.96.0.11"]);
            let (store, faults) = (scene.server.store(), scene.server.faults());
            faults.begin(&NEEDED, fault.clone());
            faults.cut_watches(&NEEDED);
            store.put(&service("new", "10.96.0.11")).unwrap();
            store.put(&slice("new", "10.244.0.2")).unwrap();
            // So that everything has to be asked for again.
            store.compact();
            scene.until_struck(&["10.96.0.10", "10.244.0.1"], &["10.96.0.11", "10.244.0.2"]);
            faults.clear();
            scene.until_kernel(&["10.96.0.10", "10.244.0.1", "10.96.0.11", "10.244.0.2"], &[]);
            store.delete("Service", Some("shop"), "web").unwrap();
            scene.until_kernel(&["10.96.0.11", "10.244.0.2"], &["10.96.0.10"]);
        }
    });
}

#[test]
fn a_restart_takes_nothing_away_before_the_api_server_answers() {
    namespaced("a_restart_takes_nothing_away_before_the_api_server_answers", || {
        let before = Scene::start(None);
        before.until_kernel(&["10.96.0.10", "10.244.0.1"], &[]);
        drop(before);
        for fault in [REFUSED, Fault::CutBeforeAnswer, Fault::CutInList, Fault::Unknown] {
            let scene = Scene::start(Some(fault));
            let store = scene.server.store();
            store.put(&slice("web", "10.244.0.2")).unwrap();
            scene.until_struck(&["10.96.0.10", "10.244.0.1"], &["10.244.0.2"]);
            scene.server.faults().clear();
            scene.until_kernel(&["10.96.0.10", "10.244.0.2"], &["10.244.0.1"]);
            store.put(&slice("web", "10.244.0.1")).unwrap();
            scene.until_kernel(&["10.96.0.10", "10.244.0.1"], &["10.244.0.2"]);
        }
    });
}

#[test]
fn the_kernel_has_what_is_told_over_https_to_those_who_may_ask() {
    namespaced("the_kernel_has_what_is_told_over_https_to_those_who_may_ask", || {
        let authority = Authority::new("kubernetes").unwrap();
        let identity = authority.client("system:kube-proxy").unwrap();
        for credentials in
            [Credentials::Certificate(identity), Credentials::Token("secret".to_owned())]
        {
            let server = ApiServer::start_https(ANY.into(), &authority).unwrap();
            match credentials {
                Credentials::Certificate(_) => server.access().require_certificate(),
                _ => server.access().require_token("secret"),
            }
            let scene = Scene::secure(server, &authority, &credentials);
            scene.until_kernel(&["10.96.0.10", "10.244.0.1"], &["10.244.0.2"]);
            scene.server.faults().cut_watches(&NEEDED);
            scene.server.store().put(&slice("web", "10.244.0.2")).unwrap();
            scene.until_kernel(&["10.96.0.10", "10.244.0.2"], &["10.244.0.1"]);
        }
    });
}

#[test]
fn a_server_that_is_not_trusted_changes_nothing_and_the_log_says_what_to_check() {
    namespaced(
        "a_server_that_is_not_trusted_changes_nothing_and_the_log_says_what_to_check",
        || {
            let before = Scene::start(None);
            before.until_kernel(&["10.96.0.10", "10.244.0.1"], &[]);
            drop(before);
            let [own, other] = ["kubernetes"; 2].map(|name| Authority::new(name).unwrap());
            let server = ApiServer::start_https(ANY.into(), &own).unwrap();
            let url = server.url();
            let scene = Scene::secure(server, &other, &Credentials::Token("secret".to_owned()));
            scene.server.store().put(&slice("web", "10.244.0.2")).unwrap();
            let deadline = Instant::now() + PATIENCE;
            while !scene.log().contains("certificate-authority-data") {
                assert!(Instant::now() < deadline, "{}", scene.log());
                sleep(PAUSE);
            }
            assert!(scene.log().contains(&url), "{}", scene.log());
            assert_eq!(scene.server.requests(), [], "nobody was told the token");
            let kernel = kernel();
            assert!(kernel.contains("10.244.0.1") && !kernel.contains("10.244.0.2"), "{kernel}");
        },
    );
}
