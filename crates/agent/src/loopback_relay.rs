//! NodePorts on `::1`, for processes of this node.
//!
//! No rule can serve them: the kernel drops whatever leaves or reaches a node with that
//! address, and IPv6 has no `route_localnet`. So the agent listens there itself and hands
//! on what it gets.
//!
//! ```text
//!  loop ── announce ──▶ coming ── confirm ──▶ relay set ──▶ one relay for each NodePort
//!           before a call           after it    (a thread)     │ connections, flows
//!                                                              ▼
//!                                                          endpoints
//! ```
//!
//! The thread is its own, so that traffic never delays a sync. It does what the rules do
//! on 127.0.0.0/8, but for this:
//!
//! * Endpoints see an address of this node, as they do there, and another port.
//! * SCTP is not relayed.
//! * Where no endpoint may be used, clients are refused; the rules drop them in one case.
//! * A client is connected before its endpoint is: if up to three endpoints do not take
//!   it, it is reset.
//! * A refused datagram is not told to its client.
//! * Connections end with the agent.
//! * Where connections end with their endpoint ([`portolan_core::WhenEndpointGone`]), both
//!   ends are reset at once, whichever of the two words the Service has.

mod board;
mod carry;
mod choice;
mod connection_table;
mod counters;
mod flow_table;
mod limits;
mod node_port;
mod relay_set;
mod shared;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

use std::io;
use std::sync::Arc;
use std::thread;

use portolan_core::{Change, ServicePlan};
use tokio::sync::mpsc;

use self::board::Board;
pub(crate) use self::counters::Counters;
use self::limits::Limits;
pub(crate) use self::node_port::Targets;
use self::relay_set::RelaySet;
use self::shared::Shared;
use crate::announced::Announced;
use crate::control::LoopbackReport;

/// The loop's end of the relay.
pub(crate) struct LoopbackRelay {
    /// What the call on its way, and those that failed before it, will make true.
    coming: Announced<Targets>,
    sender: mpsc::UnboundedSender<Announced<Targets>>,
    board: Arc<Board>,
}

impl LoopbackRelay {
    /// Starts the relay, which ends with this value and serves nothing yet.
    pub(crate) fn start(counters: Arc<Counters>) -> io::Result<LoopbackRelay> {
        let (relay, news) = LoopbackRelay::without_thread(counters);
        let board = Arc::clone(&relay.board);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        thread::Builder::new().name("loopback-relay".to_owned()).spawn(move || {
            runtime.block_on(serve(news, Shared::new(board, Limits::of_this_process())));
        })?;
        Ok(relay)
    }

    /// The two ends. The queue stays short: the relay set never waits for the network.
    pub(crate) fn without_thread(
        counters: Arc<Counters>,
    ) -> (LoopbackRelay, mpsc::UnboundedReceiver<Announced<Targets>>) {
        let (sender, news) = mpsc::unbounded_channel();
        let board = Arc::new(Board::new(counters));
        (LoopbackRelay { coming: Announced::default(), sender, board }, news)
    }

    /// The backend is about to be told of these changes.
    pub(crate) fn announce_changes(&mut self, changes: &[Change]) {
        self.coming.changes(changes, node_port::targets);
    }

    /// The backend is about to be told of all plans.
    pub(crate) fn announce_all<'a>(&mut self, plans: impl Iterator<Item = &'a ServicePlan>) {
        self.coming.all(plans, node_port::targets);
    }

    /// The backend has done all that was announced.
    pub(crate) fn confirm(&mut self) {
        let news = std::mem::take(&mut self.coming);
        if !news.is_empty() {
            // Nobody is left to hear it at the end.
            let _ = self.sender.send(news);
        }
    }

    /// How it is. Costs as much as there are NodePorts.
    pub(crate) fn report(&self) -> LoopbackReport {
        self.board.report()
    }
}

/// Serves what `news` say until the loop ends.
async fn serve(mut news: mpsc::UnboundedReceiver<Announced<Targets>>, shared: Shared) {
    let mut relays = RelaySet::new(Arc::new(shared));
    while let Some(news) = news.recv().await {
        relays.take_in(news).await;
    }
}
