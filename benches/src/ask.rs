//! What an arm says of itself: whether it is ready, and what it has sent.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::arms::{HEALTHZ, METRICS};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// What an agent has sent to the kernel since it started, as its metrics say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Objects and elements added and deleted (`portolan_sync_operations_total`).
    pub(crate) operations: u64,
    /// Bytes of netlink (`portolan_sync_bytes_total`).
    pub(crate) bytes: u64,
}

impl Sent {
    /// Asks the agent in the network namespace of the caller.
    pub(crate) fn ask() -> anyhow::Result<Sent> {
        let page = get(METRICS, "/metrics").context("the agent does not tell its metrics")?;
        Sent::read(&page).context("the agent's metrics do not say what it has sent")
    }

    /// What was sent since `earlier`.
    pub(crate) fn since(self, earlier: Sent) -> Sent {
        Sent {
            operations: self.operations.saturating_sub(earlier.operations),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }

    fn read(page: &str) -> Option<Sent> {
        let sum = |name: &str| {
            let values = page.lines().filter_map(|line| {
                let rest = line.strip_prefix(name)?;
                let is_whole = rest.starts_with([' ', '{']);
                rest.rsplit_once(' ').filter(|_| is_whole)?.1.parse::<u64>().ok()
            });
            values.fold(None, |sum, value| Some(sum.unwrap_or(0) + value))
        };
        Some(Sent {
            operations: sum("portolan_sync_operations_total")?,
            bytes: sum("portolan_sync_bytes_total")?,
        })
    }
}

/// When /healthz said 200 first.
pub(crate) struct Health {
    ready: OnceLock<Instant>,
    stop: AtomicBool,
    every: Duration,
}

impl Health {
    pub(crate) fn new(every: Duration) -> Health {
        Health { ready: OnceLock::new(), stop: AtomicBool::new(false), every }
    }

    /// Ends [`Health::watch`].
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn ready(&self) -> Option<Instant> {
        self.ready.get().copied()
    }

    /// Asks in the network namespace of the caller, until told to stop.
    pub(crate) fn watch(&self) {
        while !self.stop.load(Ordering::Relaxed) && self.ready.get().is_none() {
            if get(HEALTHZ, "/healthz").is_some() {
                let _ = self.ready.set(Instant::now());
            }
            std::thread::sleep(self.every);
        }
    }
}

/// The answer, with its head, to a question; nothing unless it is one of 200.
fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(ANSWER)).ok()?;
    let question = format!("GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split_whitespace().nth(1)?;
    (status == "200").then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "HTTP/1.1 200 OK\r\n\r\n\
        # TYPE portolan_sync_operations_total counter\n\
        portolan_sync_operations_total{operation=\"add\"} 1011\n\
        portolan_sync_operations_total{operation=\"delete\"} 3\n\
        portolan_sync_bytes_total 600\n\
        portolan_sync_bytes_totally_different 9\n";

    #[test]
    fn what_was_sent_is_the_sum_of_its_kinds() {
        let sent = Sent::read(PAGE).unwrap();
        assert_eq!(sent, Sent { operations: 1_014, bytes: 600 });
        let earlier = Sent { operations: 1_010, bytes: 600 };
        assert_eq!(sent.since(earlier), Sent { operations: 4, bytes: 0 });
    }

    #[test]
    fn a_page_without_these_numbers_says_nothing() {
        for page in ["", "portolan_sync_bytes_total 600\n", "portolan_sync_bytes_total{} x\n"] {
            assert_eq!(Sent::read(page), None, "{page}");
        }
    }
}
