//! One agent for each network namespace: two would undo each other's work for ever.
//!
//! The [lock](mod@claim) is taken before the source of objects is started: what a source
//! told an agent while that waited would be old when it takes over, and the kernel would go
//! back to it.
//!
//! An agent that cannot have the lock although no other agent has it does not wait: it goes
//! on, and tries again for as long as it runs. If another agent gets it first, this one ends,
//! and waits like any other when it is started again.

mod claim;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{info, warn};

pub use self::claim::{Claim, Holder, Sole, claim};
use self::claim::{NAME, claim_name};
use crate::error::AgentError;
use crate::health::{self, Health};
use crate::metrics::HealthAnswers;
use crate::own_task::OwnTask;

/// How often the lock is tried, by an agent that waits and by one that goes on without.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// That no other agent is known to program this network namespace. If this process has the
/// lock, it has it until it ends, with whatever its threads still do.
#[derive(Debug)]
pub struct Alone {
    other: oneshot::Receiver<Holder>,
}

impl Alone {
    /// On a thread of its own: whoever looks is answered however busy everything else is, and
    /// nothing that ends before the process can give the lock back.
    fn start(name: &str, sole: Option<Sole>) -> Result<Alone, AgentError> {
        let name = name.to_owned();
        let (tell, other) = oneshot::channel();
        let keep = move || {
            let Err(holder) = keep(&name, sole);
            // Nobody listens if the agent is about to end.
            let _ = tell.send(holder);
        };
        let thread = thread::Builder::new().name("sole-agent".to_owned()).spawn(keep);
        thread.map(|_| Alone { other }).map_err(AgentError::Thread)
    }

    /// Returns if another agent has the lock, which it can only get where this one could not.
    pub(crate) async fn other(self) -> Holder {
        match self.other.await {
            Ok(holder) => holder,
            Err(_) => std::future::pending().await,
        }
    }
}

/// Answers whoever looks, once this process has the lock; or returns who has it.
fn keep(name: &str, sole: Option<Sole>) -> Result<Infallible, Holder> {
    let sole = match sole {
        Some(sole) => sole,
        None => claim_late(name)?,
    };
    sole.answer()
}

fn claim_late(name: &str) -> Result<Sole, Holder> {
    loop {
        thread::sleep(TRY_AGAIN);
        match claim_name(name) {
            Ok(Claim::Granted(sole)) => {
                info!("this agent has the name @{name} now: from here on a second one waits");
                return Ok(sole);
            }
            Ok(Claim::Agent(holder)) => return Err(holder),
            Ok(Claim::Stranger(_)) | Err(_) => {}
        }
    }
}

/// Returns when no other agent works in this network namespace. Until then `/healthz` at
/// `healthz` answers 503. May be cancelled.
///
/// # Errors
///
/// If the operating system gives no thread.
pub async fn alone(healthz: Option<SocketAddr>) -> Result<Alone, AgentError> {
    alone_by(NAME, healthz).await
}

async fn alone_by(name: &str, healthz: Option<SocketAddr>) -> Result<Alone, AgentError> {
    let mut told = None;
    let mut server = None;
    let claim = loop {
        match claim_off_this_thread(name).await {
            Ok(Claim::Agent(holder)) if told == Some(holder) => {}
            Ok(Claim::Agent(holder)) => {
                warn!(
                    "another Portolan agent runs in this network namespace ({holder}); waiting for \
                     it to end"
                );
                told = Some(holder);
                server = server.or_else(|| healthz.map(serve_unhealthy));
            }
            claim => break claim,
        }
        sleep(TRY_AGAIN).await;
    };
    if let Some(server) = server {
        server.end().await;
    }
    if told.is_some() {
        info!("the other agent has ended, and this one takes over");
    }
    Alone::start(name, granted(name, claim))
}

/// A claim may take a while to be decided.
async fn claim_off_this_thread(name: &str) -> io::Result<Claim> {
    let name = name.to_owned();
    spawn_blocking(move || claim_name(&name)).await.unwrap_or_else(|error| Err(error.into()))
}

/// The lock; or none, which is told.
fn granted(name: &str, claim: io::Result<Claim>) -> Option<Sole> {
    match claim {
        Ok(Claim::Granted(sole)) => return Some(sole),
        Ok(Claim::Agent(holder) | Claim::Stranger(holder)) => warn!(
            "a program that is no agent of root or of this user has the name @{name} in this \
             network namespace ({holder}): two agents would not notice each other. This one goes \
             on, and takes the name once it is free; find out who runs that program"
        ),
        Err(error) => warn!(
            "cannot find out whether another Portolan agent runs in this network namespace: \
             {error}; going on, and trying again"
        ),
    }
    None
}

fn serve_unhealthy(address: SocketAddr) -> OwnTask {
    OwnTask::start(async move {
        let (_sender, health) = watch::channel(Health::default());
        health::serve(address, health, HealthAnswers::default()).await;
    })
}
