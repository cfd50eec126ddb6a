//! The real agent, as a child process on the node.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use portolan_agent::control::{Answer, Dump, Request, query};
use portolan_lab::{Namespace, Process};

use super::agent_log::AgentLog;
use super::node_arguments;

/// Where the health server listens, inside of the node's namespace.
const HEALTHZ: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 10256);
/// An agent that has not ended by then does not end by itself.
const END_PATIENCE: Duration = Duration::from_secs(10);
const HEALTHZ_PATIENCE: Duration = Duration::from_secs(2);

/// The agent that serves the node. It is ended when this is dropped.
pub(super) struct Agent {
    process: Option<Process>,
    source: PathBuf,
    control_socket: PathBuf,
    pub(super) log: AgentLog,
}

impl Agent {
    /// An agent that is yet to be started. It will follow `source`, and keep its socket and
    /// its log in `directory`.
    pub(super) fn new(source: &Path, directory: &Path) -> Agent {
        Agent {
            process: None,
            source: source.to_owned(),
            control_socket: directory.join("control.sock"),
            log: AgentLog::new(directory.join("agent.log")),
        }
    }

    /// Starts it on the node. Returns before it has done anything.
    pub(super) fn start(&mut self, node: &Namespace) -> anyhow::Result<()> {
        self.process = Some(node.spawn(self.command()?)?);
        Ok(())
    }

    fn command(&self) -> anyhow::Result<Command> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log.path())
            .with_context(|| format!("cannot write {}", self.log.path().display()))?;
        // The link, not the path behind it: the file may have been replaced since the start.
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("portolan")
            .args(["run", "--backend", "nftables"])
            .args(node_arguments())
            .arg("--source")
            .arg(format!("dir:{}", self.source.display()))
            .arg("--healthz-bind-address")
            .arg(HEALTHZ.to_string())
            .arg("--control-socket")
            .arg(&self.control_socket)
            .args(["--log-level", "info", "--log-format", "text"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for the demo, which ends its agent itself.
            .process_group(0);
        Ok(command)
    }

    /// Whether `/healthz` answers 200: everything is in the kernel.
    ///
    /// # Errors
    ///
    /// If the agent has ended.
    pub(super) fn is_healthy(&mut self, node: &Namespace) -> anyhow::Result<bool> {
        let Some(process) = &mut self.process else { bail!("the agent is not running") };
        if let Some(status) = process.child().try_wait()? {
            bail!("the agent has ended by itself ({status})");
        }
        // Nobody listens before the agent has come that far.
        Ok(node.run(ask_healthz).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 ")))
    }

    /// Sends SIGTERM and waits. Returns how it ended and how long that took.
    pub(super) fn terminate(&mut self) -> anyhow::Result<(ExitStatus, Duration)> {
        let process = self.process.take().context("the agent is not running")?;
        let started = Instant::now();
        let status = process.terminate(END_PATIENCE)?;
        Ok((status, started.elapsed()))
    }

    /// What it says about itself on its control socket.
    pub(super) fn dump(&self) -> anyhow::Result<Dump> {
        match query(&self.control_socket, Request::Dump)? {
            Answer::Dump(dump) => Ok(*dump),
            Answer::Switched { .. } | Answer::Explained(_) => {
                bail!("the agent answered another question")
            }
            Answer::Error(reason) => bail!("the agent refused to tell what it serves: {reason}"),
        }
    }

    pub(super) fn control_socket(&self) -> &Path {
        &self.control_socket
    }
}

fn ask_healthz() -> std::io::Result<String> {
    let mut stream = TcpStream::connect(HEALTHZ)?;
    stream.set_read_timeout(Some(HEALTHZ_PATIENCE))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: demo-node\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
