//! `portolan-lab PROGRAM [ARGUMENTS]` runs a program on the node of a small lab, to try
//! things by hand: `portolan-lab bash`.

use std::error::Error;
use std::net::IpAddr;
use std::process::{Command, ExitCode};

use portolan_lab::{Protocol, Topology, TopologySpec, enter_or_explain};

const PODS: [&str; 4] = ["10.0.0.2", "10.0.0.3", "fd00:10::2", "fd00:10::3"];
const REMOTE_PODS: [&str; 2] = ["10.180.1.1", "fd00:10:180::1"];
const CLIENTS: [&str; 2] = ["203.0.113.2", "2600:5200::1"];

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        return Err("usage: portolan-lab PROGRAM [ARGUMENTS]".into());
    };
    enter_or_explain()?;
    let topology = build()?;
    for (address, host) in topology.hosts() {
        let (path, lab) = (host.path(), std::process::id());
        eprintln!(
            "{address:18} nsenter -t {lab} -U --preserve-credentials --net={}",
            path.display()
        );
    }
    let mut command = Command::new(program);
    command.args(arguments);
    let status = topology.node().spawn(command)?.child().wait()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Every pod serves port 80 in every protocol.
fn build() -> Result<Topology, Box<dyn Error>> {
    let mut spec = TopologySpec::default();
    for client in CLIENTS {
        spec = spec.client(client.parse::<IpAddr>()?);
    }
    for pod in PODS {
        spec = spec.pod(pod.parse::<IpAddr>()?);
    }
    for pod in REMOTE_PODS {
        spec = spec.remote_pod(pod.parse::<IpAddr>()?);
    }
    for pod in PODS.iter().chain(&REMOTE_PODS) {
        for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Sctp] {
            spec = spec.server(pod.parse::<IpAddr>()?, protocol, 80);
        }
    }
    Ok(spec.build()?)
}
