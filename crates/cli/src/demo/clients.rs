//! Clients that keep connecting while something changes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use portolan_core::Family;
use portolan_lab::{Outcome, Probe, Protocol};

use super::hosts::{CALLER, Host, WEB};
use super::interrupt::Interrupt;
use super::network::Network;
use super::question::Target;
use super::report::Finding;
use super::stage::wait;

/// Longer than any connection takes that is made at all.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two connections of a client: enough of them to meet every change, and few enough
/// for small machines.
const PAUSE: Duration = Duration::from_millis(2);
/// Connections that are made after each change before the next thing happens.
const AFTER_A_CHANGE: usize = 400;
/// So many failures are told in words.
const FAILURES_SHOWN: usize = 5;

/// Who connects to what: from everywhere, by each kind of address, in both families.
const CLIENTS: [(Host, Target, Family); 4] = [
    (CALLER, Target::ClusterIp(&WEB), Family::V4),
    (CALLER, Target::ClusterIp(&WEB), Family::V6),
    (Host::Outside, Target::NodePort(&WEB), Family::V4),
    (Host::Node, Target::ClusterIp(&WEB), Family::V6),
];

/// The clients at work.
#[derive(Debug, Default)]
pub(super) struct Clients {
    end: AtomicBool,
    connections: AtomicUsize,
}

/// What the clients met with.
#[derive(Debug, Default)]
pub(super) struct Experience {
    connections: usize,
    slowest: Duration,
    failures: Vec<String>,
}

/// Does `work` while clients connect to `web` without an end.
pub(super) fn while_clients_connect<R>(
    network: &Network,
    work: impl FnOnce(&Clients) -> R,
) -> (R, Experience) {
    let clients = &Clients::default();
    thread::scope(|scope| {
        let threads = CLIENTS.map(|client| scope.spawn(move || clients.connect(network, client)));
        let result = {
            let _end = EndOnDrop(clients);
            work(clients)
        };
        let mut all = Experience::default();
        for thread in threads {
            match thread.join() {
                Ok(experience) => all.add(experience),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        (result, all)
    })
}

/// Lets clients go home also if the work panics.
struct EndOnDrop<'a>(&'a Clients);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end.store(true, Ordering::SeqCst);
    }
}

impl Clients {
    /// Lets them connect for a while.
    pub(super) fn go_on(&self, interrupt: &Interrupt) -> anyhow::Result<()> {
        let enough = self.connections.load(Ordering::SeqCst) + AFTER_A_CHANGE;
        wait(interrupt, "clients make hardly any connections", || {
            Ok(self.connections.load(Ordering::SeqCst) >= enough)
        })
    }

    fn connect(&self, network: &Network, (from, to, family): (Host, Target, Family)) -> Experience {
        let destination = to.address(family);
        let probe = Probe::new(from.address(family), Protocol::Tcp, destination).within(PATIENCE);
        let mut experience = Experience::default();
        while !self.end.load(Ordering::SeqCst) {
            let (outcome, took) = {
                let topology = network.read();
                let started = Instant::now();
                (topology.probe(&probe), started.elapsed())
            };
            experience.connections += 1;
            experience.slowest = experience.slowest.max(took);
            if outcome.endpoint().is_none() {
                let (caller, what) = (from.name(), describe(&outcome));
                experience.failures.push(format!("{caller} → {destination}: {what}"));
            }
            self.connections.fetch_add(1, Ordering::SeqCst);
            thread::sleep(PAUSE);
        }
        experience
    }
}

fn describe(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Answered { .. } => "answered",
        Outcome::Refused(_) => "refused",
        Outcome::Silent => "silence",
        Outcome::Failed(reason) => reason,
    }
}

impl Experience {
    fn add(&mut self, other: Experience) {
        self.connections += other.connections;
        self.slowest = self.slowest.max(other.slowest);
        self.failures.extend(other.failures);
    }

    /// For the report: any connection that was not answered is one too many, and so is
    /// nobody having tried.
    pub(super) fn finding(self, meanwhile: &str) -> Finding {
        let mut differences = self.failures;
        let failed = differences.len();
        if failed > FAILURES_SHOWN {
            differences.truncate(FAILURES_SHOWN);
            differences.push(format!("so did {} more", failed - FAILURES_SHOWN));
        }
        if self.connections < CLIENTS.len() {
            differences.push("the clients hardly made a connection".to_owned());
        }
        Finding {
            subject: format!("{} connections {meanwhile}", self.connections),
            summary: format!(
                "{failed} failed, slowest {:.1} ms",
                self.slowest.as_secs_f64() * 1000.0
            ),
            differences,
            ..Finding::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_failed_connection_is_a_difference() {
        let experience = |connections, failures: usize| Experience {
            connections,
            failures: vec!["Silent".to_owned(); failures],
            ..Experience::default()
        };
        assert_eq!(experience(1000, 0).finding("meanwhile").differences, [""; 0]);
        assert_eq!(experience(1000, 1).finding("meanwhile").differences, ["Silent"]);
        let many = experience(1000, 25).finding("meanwhile");
        assert_eq!(many.differences.last().map(String::as_str), Some("so did 20 more"));
        assert!(many.summary.starts_with("25 failed"));
        assert_eq!(experience(0, 0).finding("meanwhile").differences.len(), 1);
    }
}
