//! Ctrl-C and its relatives: everything that the demo made has to end with it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit status of a program that SIGINT ended, as shells count it.
pub(super) const EXIT_CODE: u8 = 130;

/// Somebody wants the demo to end.
#[derive(Debug)]
pub(super) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl Error for Interrupted {}

/// Whether the demo was asked to end. The first signal asks, and what is on its way ends in
/// order; a second one ends the process at once.
#[derive(Clone)]
pub(super) struct Interrupt {
    asked: Arc<AtomicBool>,
}

impl Interrupt {
    /// Catches signals from now on.
    pub(super) fn catch() -> anyhow::Result<Interrupt> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let [mut interrupt, mut terminate, mut hang_up] = {
            let _inside = runtime.enter();
            let catch = |kind| signal(kind).context("cannot catch signals");
            [
                catch(SignalKind::interrupt())?,
                catch(SignalKind::terminate())?,
                catch(SignalKind::hangup())?,
            ]
        };
        let asked = Arc::new(AtomicBool::new(false));
        let caught = Interrupt { asked: Arc::clone(&asked) };
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                any(&mut interrupt, &mut terminate, &mut hang_up).await;
                asked.store(true, Ordering::SeqCst);
                any(&mut interrupt, &mut terminate, &mut hang_up).await;
                std::process::exit(EXIT_CODE.into());
            });
        })?;
        Ok(caught)
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// An error once the demo was asked to end.
    pub(super) fn check(&self) -> Result<(), Interrupted> {
        if self.is_asked() { Err(Interrupted) } else { Ok(()) }
    }
}

async fn any(interrupt: &mut Signal, terminate: &mut Signal, hang_up: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
}
