//! The API behind a socket.

use std::io;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::access::Access;
use crate::api::{Api, Request};
use crate::faults::Faults;
use crate::store::Store;
use crate::tls::{Acceptor, Authority, Certified};

/// After a connection that could not be accepted, for which there is no file left.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A running server. It has a thread of its own, and stops when it is dropped.
#[derive(Debug)]
pub struct ApiServer {
    api: Api,
    address: SocketAddr,
    /// Of its URL.
    scheme: &'static str,
    /// Dropped to stop the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ApiServer {
    /// Listens on an address, in the network namespace of the caller, over HTTP. Port 0 is
    /// any that is free.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound, or no thread be started.
    pub fn start(address: SocketAddr) -> io::Result<ApiServer> {
        ApiServer::start_over(address, Transport::Http)
    }

    /// The same over HTTPS. The authority signs a certificate for the address and for the
    /// names `kubernetes` and `kubernetes.default.svc`.
    ///
    /// # Errors
    ///
    /// If there is no certificate, the address cannot be bound, or no thread be started.
    pub fn start_https(address: SocketAddr, authority: &Authority) -> io::Result<ApiServer> {
        ApiServer::start_over(address, Transport::https(address, authority)?)
    }

    fn start_over(address: SocketAddr, transport: Transport) -> io::Result<ApiServer> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let api = Api::new();
        let (stop, stopped) = oneshot::channel();
        let served = api.clone();
        let scheme = transport.scheme();
        let thread = thread::Builder::new()
            .name("apiserver".to_owned())
            .spawn(move || run(&runtime, listener, &served, &transport, stopped))?;
        Ok(ApiServer { api, address, scheme, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as clients want to be told.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The objects.
    pub fn store(&self) -> &Store {
        self.api.store()
    }

    /// What goes wrong.
    pub fn faults(&self) -> &Faults {
        self.api.faults()
    }

    /// Who is answered.
    pub fn access(&self) -> &Access {
        self.api.access()
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

/// How clients connect.
#[derive(Clone, Debug)]
enum Transport {
    Http,
    Https(Acceptor),
}

impl Api {
    /// Answers over HTTP whoever connects, for ever. For a runtime of one's own: an
    /// [`ApiServer`] has a thread.
    pub async fn serve(&self, listener: &TcpListener) {
        serve(listener, self, &Transport::Http).await;
    }

    /// The same over HTTPS.
    ///
    /// # Errors
    ///
    /// If the authority cannot make a certificate for the listener's address, or that is not
    /// known.
    pub async fn serve_https(
        &self,
        listener: &TcpListener,
        authority: &Authority,
    ) -> io::Result<()> {
        let transport = Transport::https(listener.local_addr()?, authority)?;
        serve(listener, self, &transport).await;
        Ok(())
    }
}

impl Transport {
    fn https(address: SocketAddr, authority: &Authority) -> io::Result<Transport> {
        authority.acceptor(address.ip()).map(Transport::Https).map_err(io::Error::other)
    }

    fn scheme(&self) -> &'static str {
        match self {
            Transport::Http => "http",
            Transport::Https(_) => "https",
        }
    }
}

/// Serves until `stopped`; what is still connected then is cut.
fn run(
    runtime: &Runtime,
    listener: std::net::TcpListener,
    api: &Api,
    transport: &Transport,
    stopped: oneshot::Receiver<()>,
) {
    runtime.block_on(async {
        let Ok(listener) = TcpListener::from_std(listener) else { return };
        tokio::select! {
            _ = stopped => {}
            () = serve(&listener, api, transport) => {}
        }
    });
}

/// Serves whoever connects, for ever.
async fn serve(listener: &TcpListener, api: &Api, transport: &Transport) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                drop(tokio::spawn(connection(stream, api.clone(), transport.clone())));
            }
            Err(_) => sleep(ACCEPT_AGAIN).await,
        }
    }
}

async fn connection(stream: TcpStream, api: Api, transport: Transport) {
    // Else an event might wait for the acknowledgement of the one before it.
    let _ = stream.set_nodelay(true);
    match transport {
        Transport::Http => http(stream, &api, None).await,
        Transport::Https(acceptor) => {
            // An error is a client that does not trust the server, and says so itself.
            if let Ok((stream, certified)) = acceptor.accept(stream).await {
                http(stream, &api, certified).await;
            }
        }
    }
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    api: &Api,
    certified: Option<Certified>,
) {
    let service = service_fn(move |mut request| {
        let api = api.clone();
        if let Some(certified) = certified {
            request.extensions_mut().insert(certified);
        }
        async move { api.answer(request).await }
    });
    let mut http = http1::Builder::new();
    // An error is a client that went, or a fault that was asked for.
    let _ = http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}
