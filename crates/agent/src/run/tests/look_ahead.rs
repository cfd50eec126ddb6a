//! The backend reads the kernel before there is anything to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portolan_core::{Backend, BackendError, Change, Environment, ServicePlan, SyncReport};
use tokio::sync::mpsc;

use crate::backend_thread::{BackendThread, OpenBackend, Work};
use crate::config::BackendKind;

/// Says when it looks ahead, and panics afterwards if it is the first of its kind.
struct Scout {
    number: usize,
    panics: bool,
    looked: mpsc::UnboundedSender<usize>,
}

impl Backend for Scout {
    fn name(&self) -> &'static str {
        "scout"
    }

    fn atomic(&self) -> bool {
        true
    }

    fn look_ahead(&mut self) {
        let _ = self.looked.send(self.number);
        assert!(!self.panics || self.number > 0, "told to panic");
    }

    fn converge(
        &mut self,
        _plans: &mut dyn Iterator<Item = &Arc<ServicePlan>>,
        _environment: &Environment,
    ) -> Result<SyncReport, BackendError> {
        Ok(SyncReport { added: self.number, ..SyncReport::default() })
    }

    fn apply(&mut self, _changes: &[Change]) -> Result<SyncReport, BackendError> {
        Ok(SyncReport::default())
    }

    fn adapt(&mut self, _environment: &Environment) -> Result<SyncReport, BackendError> {
        Ok(SyncReport::default())
    }
}

/// The thread of a scout, and what it tells.
async fn scout(panics: bool) -> (BackendThread, mpsc::UnboundedReceiver<usize>) {
    let (looked, looks) = mpsc::unbounded_channel();
    let opened = AtomicUsize::new(0);
    let open: OpenBackend = Box::new(move |_| {
        let number = opened.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Scout { number, panics, looked: looked.clone() }))
    });
    (BackendThread::start(BackendKind::Nftables, open).await.unwrap(), looks)
}

#[tokio::test]
async fn the_kernel_is_read_while_nobody_knows_plans_yet() {
    let (_thread, mut looks) = scout(false).await;
    assert_eq!(looks.recv().await, Some(0));
}

#[tokio::test]
async fn a_backend_that_panics_while_it_looks_ahead_is_opened_again_by_the_first_call() {
    let (mut thread, mut looks) = scout(true).await;
    assert_eq!(looks.recv().await, Some(0));
    let converge = Work::Converge { plans: Vec::new(), environment: Environment::default() };
    thread.send(converge).unwrap();
    let outcome = thread.outcome().await.unwrap();
    let expected = SyncReport { added: 1, ..SyncReport::default() };
    assert_eq!(outcome.result.unwrap(), crate::backend_thread::Done::Synced(expected));
}
