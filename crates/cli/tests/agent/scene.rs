//! A directory of manifests, an agent that serves it, and what they are asked.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

pub(super) const HEALTHZ: &str = "127.0.0.1:10256";
/// Where it is if nobody says otherwise.
pub(super) const METRICS: &str = "127.0.0.1:10249";
/// Long enough for any machine; nothing waits for so long unless it fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub(super) const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIP: 10.96.0.10
  clusterIPs: [10.96.0.10]
  ports: [{port: 80, protocol: TCP}]
";

pub(super) fn slice(addresses: &[&str]) -> String {
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
pub(super) struct Scene {
    directory: TempDir,
}

impl Scene {
    pub(super) fn new() -> Scene {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("manifests")).unwrap();
        let scene = Scene { directory };
        scene.write("web.yaml", SERVICE);
        scene.write("slice.yaml", &slice(&["10.244.0.1"]));
        scene
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        // As kubectl and editors do it: never half a file.
        let (draft, file) = (self.path("draft"), self.path("manifests").join(name));
        fs::write(&draft, text).unwrap();
        fs::rename(draft, file).unwrap();
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
        command.args(arguments);
        command
    }

    pub(super) fn start(&self) -> Agent {
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

    pub(super) fn dump(&self, more: &[&str]) -> Output {
        let socket = self.path("control.sock");
        let socket = ["--control-socket", socket.to_str().unwrap()];
        self.command(&[&["dump"], &socket[..], more].concat()).output().unwrap()
    }

    pub(super) fn explain(&self, arguments: &[&str]) -> Output {
        let socket = self.path("control.sock");
        let socket = ["--control-socket", socket.to_str().unwrap()];
        self.command(&[&["explain"], &socket[..], arguments].concat()).output().unwrap()
    }

    pub(super) fn dump_kernel(&self) -> Output {
        self.command(&["dump", "--kernel"]).output().unwrap()
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// The first sync of the log.
    pub(super) fn first_sync(&self) -> serde_json::Value {
        self.log()
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .find(|line| line["message"] == "synced")
            .unwrap()
    }
}

/// A running agent; killed when dropped.
pub(super) struct Agent {
    pub(super) child: Child,
}

impl Agent {
    pub(super) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
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
pub(super) fn get(path: &str) -> Option<String> {
    ask(HEALTHZ, path)?.lines().next().map(str::to_owned)
}

/// Head and body of an answer, if somebody answers.
pub(super) fn ask(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: node-a\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

pub(super) fn until_healthy() {
    until("healthy", || get("/healthz").filter(|status| status.contains(" 200 ")));
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
