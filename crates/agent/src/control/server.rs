//! The agent's end of the control socket.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::protocol::{Answer, AnswerLine, Dump, Request, RequestLine, VERSION};
use super::socket::ControlSocket;

/// Clients at one time; more wait in the kernel's queue.
const CONNECTIONS: usize = 8;
const LONGEST_REQUEST: u64 = 4096;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A question to the loop. It answers with shared plans, which costs it little; turning
/// them into text is done elsewhere.
pub(crate) struct Query {
    pub(crate) reply: oneshot::Sender<Dump>,
}

/// Serves the control socket until it is dropped, which removes its file. Without a
/// socket the agent works all the same.
pub(crate) async fn serve(path: PathBuf, queries: mpsc::Sender<Query>) {
    let socket = match ControlSocket::open(&path) {
        Ok(socket) => socket,
        Err(error) => {
            warn!(
                path = %path.display(),
                "no control socket: {error}; `portolan dump` will not work. --control-socket \
                 chooses another path"
            );
            return;
        }
    };
    info!(path = %socket.path().display(), "control socket listens");
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match socket.listener.accept().await {
            Ok((stream, _)) => {
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
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!("control client: {error}"),
        Err(_) => debug!("a control client did not read its answer"),
    }
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
            let _ = queries.send(Query { reply }).await;
            match dump.await {
                Ok(dump) => Answer::Dump(Box::new(dump)),
                Err(_) => Answer::Error("the agent is shutting down".to_owned()),
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
