//! A task that ends with its owner.

use tokio::task::JoinHandle;

/// A task that is cancelled when this is dropped.
pub(crate) struct OwnTask {
    task: JoinHandle<()>,
}

impl OwnTask {
    /// Starts it.
    pub(crate) fn start(work: impl Future<Output = ()> + Send + 'static) -> OwnTask {
        OwnTask { task: tokio::spawn(work) }
    }

    /// What the task had, its sockets for example, is free when this returns.
    pub(crate) async fn end(mut self) {
        self.task.abort();
        // It was cancelled, as was asked.
        let _ = (&mut self.task).await;
    }

    /// Tells tasks apart.
    #[cfg(test)]
    pub(crate) fn id(&self) -> tokio::task::Id {
        self.task.id()
    }
}

impl Drop for OwnTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}
