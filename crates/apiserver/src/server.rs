//! The API behind a socket.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::api::{Api, Request};
use crate::faults::Faults;
use crate::store::Store;

/// After a connection that could not be accepted, for which there is no file left.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A running server, over HTTP without TLS. It has a thread of its own, and stops when it
/// is dropped.
#[derive(Debug)]
pub struct ApiServer {
    api: Api,
    address: SocketAddr,
    /// Dropped to stop the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ApiServer {
    /// Listens on an address, in the network namespace of the caller. Port 0 is any that is
    /// free.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound, or no thread be started.
    pub fn start(address: SocketAddr) -> io::Result<ApiServer> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let api = Api::new();
        let (stop, stopped) = oneshot::channel();
        let served = api.clone();
        let thread = thread::Builder::new()
            .name("apiserver".to_owned())
            .spawn(move || run(&runtime, listener, served, stopped))?;
        Ok(ApiServer { api, address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as clients want to be told.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The objects.
    pub fn store(&self) -> &Store {
        self.api.store()
    }

    /// What goes wrong.
    pub fn faults(&self) -> &Faults {
        self.api.faults()
    }

    /// What was asked so far, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.api.requests()
    }

    /// What answers the requests.
    pub fn api(&self) -> &Api {
        &self.api
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It ends by itself if it panicked.
            let _ = thread.join();
        }
    }
}

/// Serves until `stopped`; what is still connected then is cut.
fn run(runtime: &Runtime, listener: TcpListener, api: Api, stopped: oneshot::Receiver<()>) {
    runtime.block_on(async {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
        tokio::select! {
            _ = stopped => {}
            () = serve(&listener, &api) => {}
        }
    });
}

/// Serves whoever connects, for ever.
pub(crate) async fn serve(listener: &tokio::net::TcpListener, api: &Api) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, api.clone()))),
            Err(_) => sleep(ACCEPT_AGAIN).await,
        }
    }
}

async fn connection(stream: TcpStream, api: Api) {
    // Else an event might wait for the acknowledgement of the one before it.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let api = api.clone();
        async move { api.answer(request).await }
    });
    let mut http = http1::Builder::new();
    // An error is a client that went, or a fault that was asked for.
    let _ = http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}
