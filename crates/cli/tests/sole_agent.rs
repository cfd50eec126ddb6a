//! Two agents in one network namespace: the second one waits, and takes over.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};
use nix::unistd::Pid;
use portolan_lab::namespaced;

/// Long enough for any machine; nothing waits for so long unless it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// An agent with files, servers and a Service of its own; killed when dropped.
struct Agent {
    child: Child,
    directory: PathBuf,
    healthz: String,
}

impl Agent {
    /// The agent `number` serves 10.96.0.NUMBER.
    fn start(directory: &Path, number: u8) -> Agent {
        Agent::start_with(directory, number, &[])
    }

    /// With more arguments.
    fn start_with(directory: &Path, number: u8, more: &[&str]) -> Agent {
        let directory = directory.join(number.to_string());
        let manifests = directory.join("manifests");
        fs::create_dir_all(&manifests).unwrap();
        let service = format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: web-{number}}}\n\
             spec: {{clusterIP: 10.96.0.{number}, ports: [{{port: 80}}]}}\n"
        );
        fs::write(manifests.join("web.yaml"), service).unwrap();
        let healthz = format!("127.0.0.1:{}", 10_300 + u16::from(number));
        let child = Command::new(env!("CARGO_BIN_EXE_portolan"))
            .args(["run", "--node-name", "a", "--metrics-bind-address=", "--source"])
            .arg(format!("dir:{}", manifests.display()))
            .args(["--healthz-bind-address", &healthz, "--control-socket"])
            .arg(directory.join("control.sock"))
            .args(more)
            .stderr(fs::File::create(directory.join("log")).unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Agent { child, directory, healthz }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap()
    }

    /// The status of an answer of the health server, if it answers.
    fn status(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.healthz).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.split(' ').nth(1).map(str::to_owned)
    }

    fn until_healthy(&self) {
        until(|| self.status("/healthz").is_some_and(|status| status == "200"), || self.log());
    }

    /// Until it has said that it waits for `holder`.
    fn until_waiting_for(&self, holder: &Agent) {
        let told = format!("network namespace (pid {}, user ", holder.child.id());
        until(|| self.log().contains(&told), || self.log());
    }

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

fn until(mut reached: impl FnMut() -> bool, log: impl Fn() -> String) {
    let deadline = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < deadline, "still not: {}", log());
        sleep(Duration::from_millis(10));
    }
}

fn portolan(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portolan")).args(arguments).output().unwrap()
}

/// Which of the agents' Services the kernel serves.
fn served() -> Vec<u8> {
    let kernel = portolan(&["dump", "--kernel"]);
    let text = String::from_utf8(kernel.stdout).unwrap();
    (1..=9).filter(|number| text.contains(&format!("10.96.0.{number} "))).collect()
}

#[test]
fn a_second_agent_waits_until_the_first_one_is_killed_and_takes_over() {
    namespaced("a_second_agent_waits_until_the_first_one_is_killed_and_takes_over", || {
        let directory = tempfile::tempdir().unwrap();
        let first = Agent::start(directory.path(), 1);
        first.until_healthy();
        let second = Agent::start(directory.path(), 2);
        second.until_waiting_for(&first);
        until(|| second.status("/livez").is_some_and(|it| it == "200"), || second.log());
        assert_eq!(second.status("/healthz").unwrap(), "503");
        assert_eq!(served(), [1]);
        assert!(!second.directory.join("control.sock").exists());

        first.signal(Signal::SIGKILL);
        second.until_healthy();
        assert_eq!(served(), [2]);
        assert!(second.log().contains("takes over"), "{}", second.log());
    });
}

#[test]
fn an_agent_that_waits_ends_with_sigterm() {
    namespaced("an_agent_that_waits_ends_with_sigterm", || {
        let directory = tempfile::tempdir().unwrap();
        let first = Agent::start(directory.path(), 1);
        first.until_healthy();
        let mut second = Agent::start(directory.path(), 2);
        second.until_waiting_for(&first);
        second.signal(Signal::SIGTERM);
        assert!(second.child.wait().unwrap().success(), "{}", second.log());
        assert_eq!(served(), [1]);
    });
}

#[test]
fn what_is_wrong_with_a_source_is_told_at_once_and_not_when_another_agent_has_ended() {
    let name = "what_is_wrong_with_a_source_is_told_at_once_and_not_when_another_agent_has_ended";
    namespaced(name, || {
        let directory = tempfile::tempdir().unwrap();
        let first = Agent::start(directory.path(), 1);
        first.until_healthy();
        for source in [["--source", "dir:/nowhere"], ["--kubeconfig", "/nowhere"]] {
            let wrong = portolan(&[&["run", "--node-name", "a"], &source[..]].concat());
            assert_eq!(wrong.status.code(), Some(1));
            assert!(String::from_utf8(wrong.stderr).unwrap().contains("/nowhere"));
        }
    });
}

#[test]
fn a_file_that_changed_while_an_agent_waited_counts_as_it_is_then() {
    namespaced("a_file_that_changed_while_an_agent_waited_counts_as_it_is_then", || {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("config.yaml");
        let head = "apiVersion: portolan/v1alpha1\nkind: PortolanConfiguration\n";
        fs::write(&config, head).unwrap();
        let first = Agent::start(directory.path(), 1);
        first.until_healthy();
        let arguments = ["--config", config.to_str().unwrap()];
        let second = Agent::start_with(directory.path(), 2, &arguments);
        second.until_waiting_for(&first);
        fs::write(&config, format!("{head}clusterCIDR: 10.244.0.0/16\n")).unwrap();
        drop(first);
        second.until_healthy();
        let warning = "neither --cluster-cidr";
        assert!(!second.log().contains(warning), "{}", second.log());
    });
}

#[test]
fn cleanup_beside_an_agent_removes_nothing_unless_it_is_forced_to() {
    namespaced("cleanup_beside_an_agent_removes_nothing_unless_it_is_forced_to", || {
        let directory = tempfile::tempdir().unwrap();
        let agent = Agent::start(directory.path(), 1);
        agent.until_healthy();
        let refused = portolan(&["cleanup"]);
        assert_eq!(refused.status.code(), Some(1));
        let told = String::from_utf8(refused.stderr).unwrap();
        let pid = format!("(pid {}, user ", agent.child.id());
        assert!(told.contains(&pid) && told.contains("--force"), "{told}");
        assert_eq!(served(), [1]);

        let forced = portolan(&["cleanup", "--force"]);
        assert!(forced.status.success(), "{forced:?}");
        let deleted = String::from_utf8(forced.stdout).unwrap();
        assert!(deleted.contains("deleted table ip portolan"), "{deleted}");
        assert!(String::from_utf8(forced.stderr).unwrap().contains("put back"));
        drop(agent);
        assert!(portolan(&["cleanup"]).status.success());
    });
}

/// As a program that is no agent.
fn take_the_name() -> OwnedFd {
    let flags = SockFlag::SOCK_CLOEXEC;
    let silent = socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
    bind(silent.as_raw_fd(), &UnixAddr::new_abstract(b"portolan-agent").unwrap()).unwrap();
    silent
}

#[test]
fn who_only_takes_the_name_of_the_lock_does_not_keep_the_agent_from_its_work() {
    let name = "who_only_takes_the_name_of_the_lock_does_not_keep_the_agent_from_its_work";
    namespaced(name, || {
        let _silent = take_the_name();
        let directory = tempfile::tempdir().unwrap();
        let agent = Agent::start(directory.path(), 1);
        agent.until_healthy();
        assert!(agent.log().contains("@portolan-agent"), "{}", agent.log());
        let control_socket = agent.directory.join("control.sock");
        let refused = portolan(&["cleanup", "--control-socket", control_socket.to_str().unwrap()]);
        assert_eq!(refused.status.code(), Some(1), "the control socket tells: {refused:?}");
        assert_eq!(served(), [1]);
    });
}

#[test]
fn an_agent_without_the_lock_ends_when_another_one_has_it() {
    namespaced("an_agent_without_the_lock_ends_when_another_one_has_it", || {
        let name = take_the_name();
        let directory = tempfile::tempdir().unwrap();
        let mut agent = Agent::start(directory.path(), 1);
        agent.until_healthy();
        listen(&name, Backlog::new(1).unwrap()).unwrap();
        assert_eq!(agent.child.wait().unwrap().code(), Some(1));
        let other = format!("works in this network namespace now (pid {}", std::process::id());
        assert!(agent.log().contains(&other), "{}", agent.log());
        assert_eq!(served(), [1], "the rules stay");
    });
}
