//! The agent's end of the control socket.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portolan_core::explain::Question;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{interval, sleep, timeout};
use tracing::{debug, info, warn};

use super::protocol::{Answer, AnswerLine, Dump, Reasons, Request, RequestLine, VERSION};
use super::socket::ControlSocket;
use crate::reconciler::{SwitchRequest, Switched};

/// Clients at one time; more wait in the kernel's queue.
const CONNECTIONS: usize = 8;
const LONGEST_REQUEST: u64 = 4096;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the socket's file is looked at, and made if it is not there.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(30);
const SHUTTING_DOWN: &str = "the agent is shutting down";
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A question to the loop. It answers with shared plans, which costs it little; turning
/// them into text is done elsewhere.
pub(crate) enum Query {
    /// What is served.
    Dump(oneshot::Sender<Dump>),
    /// New connections are to go through another backend.
    Switch(SwitchRequest),
    /// What becomes of packets; the answer may be why that is not known.
    Explain(Box<Question>, oneshot::Sender<Result<Reasons, String>>),
}

/// Serves the control socket until it is dropped, which removes its file. Without a
/// socket the agent works all the same; the path is tried again.
pub(crate) async fn serve(path: PathBuf, queries: mpsc::Sender<Query>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut told = String::new();
    loop {
        match ControlSocket::open(&path) {
            Ok(socket) => {
                told.clear();
                info!(path = %path.display(), "control socket listens");
                accept_while_present(&socket, &places, &queries).await;
                warn!(path = %path.display(), "the control socket was removed; it is made again");
            }
            Err(error) => {
                let error = error.to_string();
                if told != error {
                    warn!(
                        path = %path.display(),
                        "no control socket: {error}; `portolan dump` and `explain` do not work until \
                         there is one. --control-socket chooses another path"
                    );
                }
                told = error;
                sleep(LOOK_AGAIN).await;
            }
        }
    }
}

/// Serves clients until nobody can reach the socket by its path any more.
async fn accept_while_present(
    socket: &ControlSocket,
    places: &Arc<Semaphore>,
    queries: &mpsc::Sender<Query>,
) {
    let mut look = interval(LOOK_AGAIN);
    loop {
        tokio::select! {
            _ = look.tick() => {
                if socket.is_removed() {
                    return;
                }
            }
            accepted = accept(socket, places) => match accepted {
                Ok((stream, place)) => {
                    let queries = queries.clone();
                    tokio::spawn(async move {
                        connection(stream, queries).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    warn!("the control socket cannot accept a connection: {error}");
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }
}

/// A client, and its place among those that are served at one time. May be cancelled.
async fn accept(
    socket: &ControlSocket,
    places: &Arc<Semaphore>,
) -> io::Result<(UnixStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    Ok((socket.listener.accept().await?.0, place))
}

async fn connection(mut stream: UnixStream, queries: mpsc::Sender<Query>) {
    let answer = match timeout(REQUEST_TIMEOUT, read_request(&mut stream)).await {
        Ok(Ok(request)) => answer(request, &queries).await,
        Ok(Err(reason)) => Answer::Error(reason),
        Err(_) => return debug!("a control client sent no request"),
    };
    let Some(line) = encode(answer).await else { return };
    let written = timeout(ANSWER_TIMEOUT, async {
        stream.write_all(&line).await?;
        stream.shutdown().await
    });
    match written.await {
        Ok(Ok(())) => drain(&mut stream).await,
        Ok(Err(error)) => debug!("control client: {error}"),
        Err(_) => debug!("a control client did not read its answer"),
    }
}

/// Reads what the client still says. A socket that is closed over it takes the answer
/// away from a client that is not done with its request.
async fn drain(stream: &mut UnixStream) {
    let _ = timeout(REQUEST_TIMEOUT, tokio::io::copy(stream, &mut tokio::io::sink())).await;
}

/// The request, or why there is none.
async fn read_request(stream: &mut UnixStream) -> Result<Request, String> {
    let mut line = String::new();
    let mut reader = BufReader::new(stream.take(LONGEST_REQUEST));
    reader.read_line(&mut line).await.map_err(|error| error.to_string())?;
    if !line.ends_with('\n') {
        return Err(format!("expected one line of JSON, at most {LONGEST_REQUEST} bytes long"));
    }
    let line: RequestLine = serde_json::from_str(&line).map_err(|error| error.to_string())?;
    if line.version != VERSION {
        return Err(format!(
            "this agent speaks version {VERSION}, not {}: use the portolan of the same release",
            line.version
        ));
    }
    serde_json::from_value(line.request).map_err(|error| error.to_string())
}

async fn answer(request: Request, queries: &mpsc::Sender<Query>) -> Answer {
    match request {
        Request::Dump => {
            let (reply, dump) = oneshot::channel();
            // Both fail only when the agent is about to end.
            let _ = queries.send(Query::Dump(reply)).await;
            match dump.await {
                Ok(dump) => Answer::Dump(Box::new(dump)),
                Err(_) => Answer::Error(SHUTTING_DOWN.to_owned()),
            }
        }
        Request::Explain(question) => {
            let (reply, reasons) = oneshot::channel();
            let _ = queries.send(Query::Explain(question, reply)).await;
            match reasons.await {
                Ok(Ok(reasons)) => Answer::Explained(Box::new(reasons)),
                Ok(Err(error)) => Answer::Error(error),
                Err(_) => Answer::Error(SHUTTING_DOWN.to_owned()),
            }
        }
        Request::Switch(to) => {
            let (reply, done) = oneshot::channel();
            let by = "portolan switch".to_owned();
            let _ = queries.send(Query::Switch(SwitchRequest { to, by, reply })).await;
            match done.await {
                Ok(Ok(Switched { from, draining })) => Answer::Switched { from, draining },
                Ok(Err(error)) => Answer::Error(error.to_string()),
                Err(_) => Answer::Error(SHUTTING_DOWN.to_owned()),
            }
        }
    }
}

/// On a thread of its own: a large cluster is megabytes of JSON.
async fn encode(answer: Answer) -> Option<Vec<u8>> {
    let encoded = tokio::task::spawn_blocking(move || {
        let mut line = serde_json::to_vec(&AnswerLine { version: VERSION, answer })?;
        line.push(b'\n');
        Ok::<_, serde_json::Error>(line)
    });
    match encoded.await {
        Ok(Ok(line)) => Some(line),
        Ok(Err(error)) => {
            warn!("an answer cannot be written as JSON: {error}");
            None
        }
        Err(_) => None,
    }
}
