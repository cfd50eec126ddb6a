//! The running agent on a real kernel, in namespaces of its own.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portolan_lab::namespaced;
use portolan_nft::{NftOptions, cleanup};
use tempfile::TempDir;

const HEALTHZ: &str = "127.0.0.1:10256";
/// Where it is if nobody says otherwise.
const METRICS: &str = "127.0.0.1:10249";
/// Long enough for any machine; nothing waits for so long unless it fails.
const PATIENCE: Duration = Duration::from_secs(30);

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIP: 10.96.0.10
  clusterIPs: [10.96.0.10]
  ports: [{port: 80, protocol: TCP}]
";

fn slice(addresses: &[&str]) -> String {
    let endpoints: Vec<String> =
        addresses.iter().map(|address| format!("{{addresses: [{address}]}}")).collect();
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: web-1, namespace: shop, labels: {{kubernetes.io/service-name: web}}}}\n\
         addressType: IPv4\nports: [{{port: 8080, protocol: TCP}}]\nendpoints: [{}]\n",
        endpoints.join(", ")
    )
}

/// A directory of manifests, with the agent's socket and log beside it.
struct Scene {
    directory: TempDir,
}

impl Scene {
    fn new() -> Scene {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("manifests")).unwrap();
        let scene = Scene { directory };
        scene.write("web.yaml", SERVICE);
        scene.write("slice.yaml", &slice(&["10.244.0.1"]));
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        // As kubectl and editors do it: never half a file.
        let (draft, file) = (self.path("draft"), self.path("manifests").join(name));
        fs::write(&draft, text).unwrap();
        fs::rename(draft, file).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
        command.args(arguments);
        command
    }

    fn start(&self) -> Agent {
        let source = format!("dir:{}", self.path("manifests").display());
        let socket = self.path("control.sock");
        let log = fs::File::create(self.path("log")).unwrap();
        let child = self
            .command(&["run", "--node-name", "node-a", "--log-format", "json", "--source"])
            .arg(source)
            .args(["--healthz-bind-address", HEALTHZ, "--control-socket"])
            .arg(socket)
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Agent { child }
    }

    fn dump(&self, more: &[&str]) -> Output {
        let socket = self.path("control.sock");
        let socket = ["--control-socket", socket.to_str().unwrap()];
        self.command(&[&["dump"], &socket[..], more].concat()).output().unwrap()
    }

    fn explain(&self, arguments: &[&str]) -> Output {
        let socket = self.path("control.sock");
        let socket = ["--control-socket", socket.to_str().unwrap()];
        self.command(&[&["explain"], &socket[..], arguments].concat()).output().unwrap()
    }

    fn dump_kernel(&self) -> Output {
        self.command(&["dump", "--kernel"]).output().unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// The first sync of the log.
    fn first_sync(&self) -> serde_json::Value {
        self.log()
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .find(|line| line["message"] == "synced")
            .unwrap()
    }
}

/// A running agent; killed when dropped.
struct Agent {
    child: Child,
}

impl Agent {
    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(result) = attempt() {
            return result;
        }
        assert!(Instant::now() < deadline, "{what}: still not");
        sleep(Duration::from_millis(10));
    }
}

/// The status line of an answer, if somebody answers.
fn get(path: &str) -> Option<String> {
    ask(HEALTHZ, path)?.lines().next().map(str::to_owned)
}

/// Head and body of an answer, if somebody answers.
fn ask(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: node-a\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// The value of a sample on the metrics page, named with its labels.
fn sample(name: &str) -> Option<f64> {
    let page = ask(METRICS, "/metrics")?;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

fn until_healthy() {
    until("healthy", || get("/healthz").filter(|status| status.contains(" 200 ")));
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_agent_serves_a_directory_until_it_is_told_to_stop() {
    namespaced("the_agent_serves_a_directory_until_it_is_told_to_stop", || {
        let scene = Scene::new();
        let mut agent = scene.start();
        until_healthy();

        let dump = text(&scene.dump(&[]).stdout);
        assert!(dump.contains("shop/web"), "{dump}");
        let kernel = text(&scene.dump_kernel().stdout);
        assert!(kernel.contains("10.96.0.10"), "{kernel}");

        scene.write("slice.yaml", &slice(&["10.244.0.1", "10.244.0.2"]));
        until("the second endpoint is in the kernel", || {
            let json = scene.command(&["dump", "--kernel", "--format", "json"]).output().unwrap();
            text(&json.stdout).contains("10.244.0.2").then_some(())
        });
        scene.write("broken.yaml", "kind: [Service\n");
        until("the broken file is reported", || {
            text(&scene.dump(&["web"]).stdout).contains("broken.yaml").then_some(())
        });
        let missing = scene.dump(&["shop/absent"]);
        assert_eq!(missing.status.code(), Some(1));
        assert!(text(&missing.stderr).contains("shop/absent"), "{missing:?}");

        agent.signal(Signal::SIGTERM);
        assert!(agent.child.wait().unwrap().success(), "{}", scene.log());
        assert!(!scene.path("control.sock").exists());
        let kernel = text(&scene.dump_kernel().stdout);
        assert!(kernel.contains("10.96.0.10"), "the rules stay: {kernel}");
    });
}

#[test]
fn the_agent_explains_what_becomes_of_packets() {
    namespaced("the_agent_explains_what_becomes_of_packets", || {
        let scene = Scene::new();
        let _agent = scene.start();
        until_healthy();
        let explained = scene.explain(&["--from", "outside", "tcp://10.96.0.10:80"]);
        let told = text(&explained.stdout);
        assert!(told.starts_with("node node-a, nftables, last sync 2"), "{told}");
        for line in ["the ClusterIP of shop/web", "goes to 10.244.0.1:8080"] {
            assert!(told.contains(line), "{told}");
        }
        // Addresses are read when somebody asks: nothing is on an interface here but loopback.
        let explained = scene.explain(&["--format", "json", "tcp://127.0.0.1:80"]);
        let json: serde_json::Value = serde_json::from_slice(&explained.stdout).unwrap();
        assert_eq!(json["status"]["nodeName"], "node-a");
        assert_eq!(json["answer"]["Packet"]["found"], "ThisNode");

        let missing = scene.explain(&["shop/absent"]);
        assert_eq!(missing.status.code(), Some(1));
        assert!(text(&missing.stderr).contains("shop/absent"), "{missing:?}");
    });
}

#[test]
fn a_restart_that_changes_nothing_sends_nothing() {
    namespaced("a_restart_that_changes_nothing_sends_nothing", || {
        let scene = Scene::new();
        for (start, expected) in [("the first", false), ("the second", true)] {
            let mut agent = scene.start();
            until_healthy();
            agent.signal(Signal::SIGINT);
            assert!(agent.child.wait().unwrap().success(), "{}", scene.log());
            let sync = scene.first_sync();
            let nothing = sync["added"] == 0 && sync["deleted"] == 0 && sync["bytes"] == 0;
            assert_eq!(nothing, expected, "{start}: {sync}");
        }
    });
}

#[test]
fn cleanup_removes_what_is_ours_and_says_so() {
    namespaced("cleanup_removes_what_is_ours_and_says_so", || {
        let scene = Scene::new();
        let mut agent = scene.start();
        until_healthy();
        agent.signal(Signal::SIGTERM);
        agent.child.wait().unwrap();

        let first = scene.command(&["cleanup"]).output().unwrap();
        assert_eq!(text(&first.stdout), "deleted table ip portolan\ndeleted table ip6 portolan\n");
        assert_eq!(text(&first.stderr), "");
        fs::write("/proc/sys/net/ipv4/conf/all/route_localnet", "1").unwrap();
        let second = scene.command(&["cleanup"]).output().unwrap();
        assert!(text(&second.stderr).contains("route_localnet=0"), "{second:?}");
        assert_eq!(text(&second.stdout), "nothing to delete\n");
        let dump = scene.dump_kernel();
        assert_eq!(dump.status.code(), Some(1));
        assert!(text(&dump.stderr).contains("no agent has run"), "{dump:?}");
    });
}

#[test]
fn a_table_that_others_delete_comes_back_without_any_event() {
    namespaced("a_table_that_others_delete_comes_back_without_any_event", || {
        let scene = Scene::new();
        let _agent = scene.start();
        until_healthy();
        let deleted = cleanup(&NftOptions::default().table).unwrap();
        assert_eq!(deleted.len(), 2, "one table for each family: {deleted:?}");
        until("the table is back", || {
            text(&scene.dump_kernel().stdout).contains("10.96.0.10").then_some(())
        });
        until("the log says who did it", || {
            scene.log().contains("disturbed by others").then_some(())
        });
    });
}

#[test]
fn prometheus_is_told_what_the_kernel_was_given_and_what_others_did_to_it() {
    let name = "prometheus_is_told_what_the_kernel_was_given_and_what_others_did_to_it";
    namespaced(name, || {
        let scene = Scene::new();
        let _agent = scene.start();
        until_healthy();
        let until_at_least = |name: &str, least: f64| {
            until(&format!("{name} is {least}"), || sample(name).filter(|it| *it >= least));
        };
        let endpoints = "portolan_programmed_endpoints{ip_family=\"IPv4\"}";
        assert_eq!(sample(endpoints), Some(1.0));
        assert!(ask(METRICS, "/proxyMode").unwrap().ends_with("\r\n\r\nnftables"));
        let first_sync = scene.first_sync()["added"].as_f64();
        assert_eq!(sample("portolan_sync_operations_total{operation=\"add\"}"), first_sync);

        let triggered = jiff::Timestamp::now();
        let more = slice(&["10.244.0.1", "10.244.0.2"]);
        let annotation = "endpoints.kubernetes.io/last-change-trigger-time";
        let annotated = more.replacen(
            "metadata: {",
            &format!("metadata: {{annotations: {{{annotation}: '{triggered}'}}, "),
            1,
        );
        assert_ne!(annotated, more);
        scene.write("slice.yaml", &annotated);
        until_at_least(endpoints, 2.0);
        let programming = "kubeproxy_network_programming_duration_seconds";
        assert_eq!(sample(&format!("{programming}_count{{ip_family=\"IPv4\"}}")), Some(1.0));
        let took = sample(&format!("{programming}_sum{{ip_family=\"IPv4\"}}")).unwrap();
        assert!((0.0..PATIENCE.as_secs_f64()).contains(&took), "{took}");

        cleanup(&NftOptions::default().table).unwrap();
        until_at_least("portolan_disturbances_put_back_total", 1.0);
        let disturbance = "portolan_syncs_total{kind=\"disturbance\",result=\"success\"}";
        assert!(sample(disturbance) >= Some(1.0));
        assert!(sample("process_resident_memory_bytes") > Some(1e6));
        assert!(sample("kubeproxy_proxy_healthz_total{code=\"200\"}") >= Some(1.0));
    });
}

#[test]
fn an_api_server_that_cannot_be_reached_is_counted_by_what_was_asked_for() {
    let name = "an_api_server_that_cannot_be_reached_is_counted_by_what_was_asked_for";
    namespaced(name, || {
        let scene = Scene::new();
        let run =
            ["run", "--node-name", "a", "--control-socket=", "--master", "http://127.0.0.1:1"];
        let child = scene.command(&run).stderr(Stdio::null()).spawn().unwrap();
        let _agent = Agent { child };
        for resource in ["services", "endpointslices", "nodes", "servicecidrs"] {
            let failures = format!("portolan_watch_failures_total{{resource=\"{resource}\"}}");
            until(&failures, || sample(&failures).filter(|it| *it > 0.0));
        }
    });
}

/// Starts `command` in a user namespace of its own, where it has no power over the
/// network namespace that it is in.
#[expect(unsafe_code, reason = "only pre_exec runs code in the process to be")]
fn without_permission(mut command: Command) -> Output {
    // SAFETY: one system call, no allocation, no lock.
    unsafe { command.pre_exec(|| unshare(CloneFlags::CLONE_NEWUSER).map_err(Into::into)) };
    command.output().unwrap()
}

#[test]
fn without_permission_every_command_names_the_capability() {
    namespaced("without_permission_every_command_names_the_capability", || {
        let scene = Scene::new();
        let source = format!("dir:{}", scene.path("manifests").display());
        let servers = ["--healthz-bind-address=", "--metrics-bind-address="];
        let run = [&["run", "--node-name", "a", "--source", &source], &servers[..]].concat();
        for arguments in [&["cleanup"][..], &["dump", "--kernel"], &run] {
            let mut command = scene.command(arguments);
            command.stdin(Stdio::null());
            let output = without_permission(command);
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            let told = text(&output.stderr);
            assert!(told.contains("CAP_NET_ADMIN"), "{arguments:?}: {told}");
        }
    });
}

#[test]
fn sigterm_ends_an_agent_whose_api_server_never_answers() {
    namespaced("sigterm_ends_an_agent_whose_api_server_never_answers", || {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let scene = Scene::new();
        let run = ["run", "--node-name", "a", "--control-socket=", "--master", &url];
        // As in an image that has nothing but the agent.
        let mut run = scene.command(&run);
        run.env("SSL_CERT_FILE", "/dev/null").stderr(Stdio::null());
        let mut agent = Agent { child: run.spawn().unwrap() };
        let _silence = server.accept().unwrap();
        let live = until("live", || get("/livez"));
        assert!(live.contains(" 200 "), "a restart would not mend it: {live}");
        let ready = get("/healthz").unwrap();
        assert!(ready.contains(" 503 "), "{ready}");
        agent.signal(Signal::SIGTERM);
        assert!(agent.child.wait().unwrap().success());
    });
}
