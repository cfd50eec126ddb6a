//! Lists.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt};
use http::Response;

use crate::body::{Body, Cut, streamed, whole};
use crate::object::Stored;
use crate::query::{Continue, Query, Version, VersionMatch};
use crate::refusal::Refusal;
use crate::resource::Resource;
use crate::store::{Page, Snapshot, Store, Unavailable, Wanted};

/// About as much is given to the connection at a time.
pub(crate) const CHUNK: usize = 64 * 1024;

/// What becomes of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Complete,
    /// Half of it, and then no more connection.
    Cut,
    /// Half of it, and then the end.
    Garbled,
}

/// Answers a list. Nothing newer than `newest` is told.
pub(crate) fn list(
    store: &Store,
    resource: Resource,
    query: &Query,
    newest: u64,
    fate: Fate,
) -> Result<Response<Body>, Refusal> {
    let (wanted, page) = wanted(query);
    let snapshot = store
        .snapshot(resource, &query.selection, wanted, newest, &page)
        .map_err(|why| unavailable(wanted, why, page.after.is_some()))?;
    let head = head(resource, query, &snapshot);
    let parts = parts(head, snapshot.objects);
    Ok(match fate {
        Fate::Complete => streamed(stream::iter(parts.map(Ok))),
        Fate::Garbled => whole(200, half(parts)),
        Fate::Cut => streamed(cut_after(half(parts))),
    })
}

/// Which version and part of the list is asked for.
fn wanted(query: &Query) -> (Wanted, Page) {
    let page = |limit| Page { after: None, limit };
    if let Some(Continue { version, after }) = &query.continue_from {
        return (
            Wanted::Exactly(*version),
            Page { after: Some(after.clone()), ..page(query.limit) },
        );
    }
    match (query.version, query.version_match) {
        (Version::Unset, _) => (Wanted::NotOlderThan(0), page(query.limit)),
        // From the cache of an API server, which knows no pages.
        (Version::Any, _) => (Wanted::NotOlderThan(0), page(None)),
        (Version::At(version), Some(VersionMatch::Exact)) => {
            (Wanted::Exactly(version), page(query.limit))
        }
        (Version::At(version), None) if query.limit.is_some() => {
            (Wanted::Exactly(version), page(query.limit))
        }
        (Version::At(version), _) => (Wanted::NotOlderThan(version), page(query.limit)),
    }
}

/// What a client is told when it cannot have a version.
pub(crate) fn unavailable(wanted: Wanted, why: Unavailable, continued: bool) -> Refusal {
    let (Wanted::NotOlderThan(version) | Wanted::Exactly(version)) = wanted;
    match why {
        Unavailable::TooOld(_) if continued => Refusal::expired(
            "The provided continue parameter is too old to display a consistent list result.",
        ),
        Unavailable::TooOld(oldest) => Refusal::too_old(version, oldest),
        Unavailable::TooNew(newest) => Refusal::too_new(version, newest),
    }
}

/// Everything before the first item.
fn head(resource: Resource, query: &Query, snapshot: &Snapshot) -> String {
    let mut head = format!(
        r#"{{"kind":"{}List","apiVersion":"{}","metadata":{{"resourceVersion":"{}""#,
        resource.kind(),
        resource.told_version(query.dialect),
        snapshot.version
    );
    if let Some(last) = snapshot.objects.last().filter(|_| snapshot.remaining > 0) {
        let next = Continue { version: snapshot.version, after: last.key.clone() };
        head.push_str(&format!(r#","continue":"{}""#, next.token()));
        if query.selection.is_everything() {
            head.push_str(&format!(r#","remainingItemCount":{}"#, snapshot.remaining));
        }
    }
    head.push_str(r#"},"items":["#);
    head
}

/// The list in parts of about [`CHUNK`] bytes, each made when it is taken.
fn parts(head: String, objects: Vec<Arc<Stored>>) -> impl Iterator<Item = Bytes> {
    let mut objects = objects.into_iter();
    let mut head = Some(head);
    let mut separator: &[u8] = b"{";
    let mut finished = false;
    std::iter::from_fn(move || {
        if finished {
            return None;
        }
        let mut part = BytesMut::with_capacity(CHUNK + CHUNK / 8);
        part.put_slice(head.take().unwrap_or_default().as_bytes());
        while part.len() < CHUNK {
            let Some(object) = objects.next() else {
                finished = true;
                part.put_slice(b"]}\n");
                break;
            };
            part.put_slice(separator);
            part.put_slice(&object.item());
            separator = b",{";
        }
        Some(part.freeze())
    })
}

/// The first half of all parts.
fn half(parts: impl Iterator<Item = Bytes>) -> Bytes {
    let mut all = BytesMut::new();
    parts.for_each(|part| all.put_slice(&part));
    all.truncate(all.len() / 2);
    all.freeze()
}

fn cut_after(part: Bytes) -> impl Stream<Item = Result<Bytes, Cut>> {
    stream::once(async { Ok(part) }).chain(stream::once(async {
        // What was sent is written before the connection ends.
        tokio::task::yield_now().await;
        Err(Cut)
    }))
}
