//! An agent that waited for another one takes over with what is true then.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use portolan_apiserver::ApiServer;
use portolan_lab::namespaced;
use serde_json::{Value, json};

/// Long enough for any machine; nothing waits for so long unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than are underway between a source and an agent that takes nothing.
const EVENTS: u16 = 2000;

fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "clusterIP": "10.96.0.10", "clusterIPs": ["10.96.0.10"], "ports": [{"port": 80}],
        },
    })
}

fn address(number: u16) -> String {
    let [high, low] = number.to_be_bytes();
    format!("10.244.{high}.{low}")
}

fn slice(address: &str) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": "web-1", "namespace": "shop",
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "addressType": "IPv4", "ports": [{"port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": true}}],
    })
}

/// A running agent and what it logs; killed when dropped.
struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    fn start(server: &ApiServer, log: PathBuf) -> Agent {
        let child = Command::new(env!("CARGO_BIN_EXE_portolan"))
            .args(["run", "--node-name", "node-a", "--log-format", "json", "--control-socket="])
            .args(["--healthz-bind-address=", "--metrics-bind-address=", "--master", &server.url()])
            .stderr(fs::File::create(&log).unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Agent { child, log }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// What each of its syncs did. The last line may not be written yet.
    fn syncs(&self) -> Vec<Value> {
        let log = self.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["message"] == "synced").collect()
    }

    fn until(&self, what: &str, reached: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !reached() {
            assert!(Instant::now() < deadline, "{what}: still not: {}", self.log());
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kernel_has(address: &str) -> bool {
    let dump = ["dump", "--kernel", "--format", "json"];
    let kernel = Command::new(env!("CARGO_BIN_EXE_portolan")).args(dump).output().unwrap();
    String::from_utf8(kernel.stdout).unwrap().contains(&format!("\"{address}:8080\""))
}

#[test]
fn what_happened_while_an_agent_waited_is_in_the_first_that_it_tells_the_kernel() {
    let name = "what_happened_while_an_agent_waited_is_in_the_first_that_it_tells_the_kernel";
    namespaced(name, || {
        let directory = tempfile::tempdir().unwrap();
        let log = |name: &str| Path::new(directory.path()).join(name);
        let server = ApiServer::start(([127, 0, 0, 1], 0).into()).unwrap();
        let store = server.store();
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a"}});
        for object in [node, service(), slice(&address(0))] {
            store.put(&object).unwrap();
        }
        let first = Agent::start(&server, log("first"));
        first.until("serves", || kernel_has(&address(0)));
        let second = Agent::start(&server, log("second"));
        second.until("waits", || second.log().contains("waiting for it to end"));
        for number in 1..=EVENTS {
            store.put(&slice(&address(number))).unwrap();
        }
        first.until("serves the last", || kernel_has(&address(EVENTS)));
        drop(first);

        second.until("takes over", || !second.syncs().is_empty());
        // What it may have heard before would come next.
        let more = address(EVENTS + 1);
        store.put(&slice(&more)).unwrap();
        second.until("follows", || kernel_has(&more));
        second.until("tells", || second.syncs().len() > 1);
        let syncs = second.syncs();
        let [start, _] = syncs.as_slice() else { panic!("more than two: {syncs:#?}") };
        assert_eq!((&start["added"], &start["deleted"]), (&json!(0), &json!(0)), "{start}");
    });
}
