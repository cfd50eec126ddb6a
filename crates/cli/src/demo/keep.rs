//! `--keep`: the network stays, to be looked at.

use std::io::stdin;
use std::thread;
use std::time::Duration;

use portolan_core::Family;
use portolan_lab::Namespace;

use super::hosts::{CALLER, Host};
use super::stage::Stage;

const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Says how to get in, and stays until Enter or a signal.
pub(super) fn stay(stage: &mut Stage, program: &str) -> anyhow::Result<()> {
    let lines = instructions(stage, program)?;
    stage.report.heading("Everything stays as it is until Enter or Ctrl-C")?;
    stage.report.lines(&lines)?;
    let reader = thread::Builder::new().name("enter".to_owned()).spawn(await_enter)?;
    while !reader.is_finished() && !stage.interrupt.is_asked() {
        thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

fn instructions(stage: &Stage, program: &str) -> anyhow::Result<Vec<String>> {
    let topology = stage.network.read();
    let mut lines = vec!["    A shell in the namespace of".to_owned()];
    let hosts = [("the node", Host::Node), ("a pod", CALLER), ("the client", Host::Outside)];
    for (name, host) in hosts {
        let namespace = topology.host_of(host.address(Family::V4))?;
        lines.push(format!("      {name:<11}{}", enter(namespace)));
    }
    let directory = stage.directory.path().display();
    lines.push("    On the node, try".to_owned());
    lines.push("      nft list ruleset".to_owned());
    lines.push(format!("      {program} dump --kernel"));
    lines.push(format!(
        "      {program} dump --control-socket {}",
        stage.agent.control_socket().display()
    ));
    lines.push(format!("    Edit the files in {directory}/cluster; the agent follows."));
    lines.push(format!("    It logs into {}.", stage.agent.log.path().display()));
    Ok(lines)
}

/// The process of the demo keeps every namespace open, whether or not something runs there.
fn enter(namespace: &Namespace) -> String {
    let path = namespace.path();
    let user = if has_own_user_namespace() { "--user --preserve-credentials " } else { "" };
    format!("nsenter {user}--net={} -t {}", path.display(), std::process::id())
}

/// Where the host forbids user namespaces to everyone, root does without, and nobody can
/// enter the one that he is in already.
fn has_own_user_namespace() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    !map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// Ends at the end of a line; never if there is no standard input.
fn await_enter() {
    let mut line = String::new();
    if !matches!(stdin().read_line(&mut line), Ok(length) if length > 0) {
        thread::park();
    }
}
