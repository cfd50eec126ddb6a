//! Bodies of answers.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;

/// The body of an answer. An error is the end of its connection.
pub type Body = UnsyncBoxBody<Bytes, Cut>;

/// A connection that ends before the answer does, because a [`Fault`](crate::Fault) says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is cut on purpose")]
pub struct Cut;

/// A complete answer in JSON.
pub(crate) fn whole(code: u16, json: Bytes) -> Response<Body> {
    let body = Full::new(json).map_err(|never| match never {});
    with_body(code, "application/json", body.boxed_unsync())
}

/// An answer in JSON that comes in parts.
pub(crate) fn streamed(
    parts: impl Stream<Item = Result<Bytes, Cut>> + Send + 'static,
) -> Response<Body> {
    let frames = parts.map(|part| part.map(Frame::data));
    with_body(200, "application/json", StreamBody::new(frames).boxed_unsync())
}

/// A complete answer in plain text.
pub(crate) fn plain(code: u16, text: &'static str) -> Response<Body> {
    let body = Full::new(Bytes::from_static(text.as_bytes())).map_err(|never| match never {});
    with_body(code, "text/plain; charset=utf-8", body.boxed_unsync())
}

fn with_body(code: u16, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A body that never begins.
pub(crate) fn silence() -> Body {
    StreamBody::new(stream::pending::<Result<Frame<Bytes>, Cut>>()).boxed_unsync()
}

/// The same answer, `bytes` at a time with a pause before each.
pub(crate) fn trickled(response: Response<Body>, bytes: usize, pause: Duration) -> Response<Body> {
    response.map(|body| {
        let parts = body.into_data_stream().flat_map(move |part| stream::iter(pieces(part, bytes)));
        let slow = parts.then(move |piece| async move {
            tokio::time::sleep(pause).await;
            piece.map(Frame::data)
        });
        StreamBody::new(slow).boxed_unsync()
    })
}

fn pieces(part: Result<Bytes, Cut>, bytes: usize) -> VecDeque<Result<Bytes, Cut>> {
    let Ok(mut rest) = part else { return VecDeque::from([Err(Cut)]) };
    let mut pieces = VecDeque::new();
    while !rest.is_empty() {
        pieces.push_back(Ok(rest.split_to(bytes.clamp(1, rest.len()))));
    }
    pieces
}
