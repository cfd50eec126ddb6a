//! Requests to answers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::BodyExt;
use serde_json::json;

use crate::accept::accepts_json;
use crate::access::Access;
use crate::body::{Body, Cut, plain, silence, streamed, trickled, whole};
use crate::discovery;
use crate::faults::{Fault, Faults, Moment};
use crate::list::{self, list};
use crate::object::Key;
use crate::path::Target;
use crate::query::{Query, Version};
use crate::refusal::Refusal;
use crate::resource::Resource;
use crate::store::Store;
use crate::tls::Certified;
use crate::watch::{self, Watch};

/// How often API servers send bookmarks.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(60);

/// An API server without a socket. Clones are the same.
///
/// A client in the same process can call it directly; all waiting is tokio's, so that a
/// test with a paused clock waits for nothing.
#[derive(Clone, Debug, Default)]
pub struct Api {
    store: Store,
    faults: Faults,
    access: Access,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// What a client asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// GET, POST, …
    pub method: Method,
    /// The path.
    pub path: String,
    /// The query, still percent-encoded; empty if there is none.
    pub query: String,
}

impl Api {
    /// With an empty store and without faults.
    pub fn new() -> Api {
        Api::default()
    }

    /// The objects.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What goes wrong.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Who is answered.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// What was asked so far, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.log().clone()
    }

    /// How often a resource was asked for so far.
    pub fn requests_for(&self, resource: Resource) -> usize {
        let of_resource = |request: &&Request| match Target::parse(&request.path) {
            Target::Objects { resource: found, .. } | Target::Object { resource: found, .. } => {
                found == resource
            }
            _ => false,
        };
        self.log().iter().filter(of_resource).count()
    }

    /// Answers a request.
    ///
    /// # Errors
    ///
    /// If a fault says that the connection ends before there is an answer.
    pub async fn answer<B>(&self, request: http::Request<B>) -> Result<Response<Body>, Cut>
    where
        B: hyper::body::Body<Data = Bytes>,
    {
        let (head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default().to_owned();
        let path = head.uri.path().to_owned();
        self.log().push(Request { method: head.method.clone(), path, query: query.clone() });
        if !self.access.is_granted(&head.headers, head.extensions.get::<Certified>().is_some()) {
            return Ok(Refusal::unauthorized().response());
        }
        if !accepts_json(&head.headers) {
            return Ok(Refusal::not_acceptable().response());
        }
        let target = Target::parse(head.uri.path());
        if head.method != Method::GET {
            let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
            return Ok(self.written(&head.method, &target, body));
        }
        match target {
            Target::Objects { resource, dialect, namespace } => {
                match Query::parse(resource, dialect, namespace.as_deref(), &query) {
                    Ok(query) => self.objects(resource, query).await,
                    Err(refusal) => Ok(refusal.response()),
                }
            }
            Target::Object { resource, key } => self.object(resource, &key).await,
            Target::Version => Ok(whole(200, discovery::version().to_string().into())),
            Target::Health => Ok(plain(200, "ok")),
            Target::Group { group, version } => {
                Ok(match discovery::group(group.as_deref(), version.as_deref()) {
                    Some(found) => whole(200, found.to_string().into()),
                    None => plain(404, "404 page not found\n"),
                })
            }
            Target::Other => Ok(Refusal::not_found("the requested resource").response()),
            Target::Nothing => Ok(plain(404, "404 page not found\n")),
        }
    }

    async fn objects(&self, resource: Resource, query: Query) -> Result<Response<Body>, Cut> {
        let fault = self.faults.strike(resource, moment(&query));
        if let Some(instead) = self.instead(resource, fault.as_ref()).await {
            return instead;
        }
        let answer = if query.watch {
            self.watch(resource, query, fault.as_ref())
        } else {
            let fate = match fault {
                Some(Fault::CutInList) => list::Fate::Cut,
                Some(Fault::GarbledList) => list::Fate::Garbled,
                _ => list::Fate::Complete,
            };
            list(&self.store, resource, &query, self.faults.newest(resource), fate)
        };
        let answer = answer.unwrap_or_else(|refusal| refusal.response());
        Ok(affected(answer, fault))
    }

    fn watch(
        &self,
        resource: Resource,
        query: Query,
        fault: Option<&Fault>,
    ) -> Result<Response<Body>, Refusal> {
        let fate = watch::Fate {
            cut_in_list: fault == Some(&Fault::CutInList),
            ignores_streaming: fault == Some(&Fault::StreamingListsIgnored),
            expired: fault == Some(&Fault::Expired),
            ends_after: match fault {
                Some(Fault::ShortWatches(time)) => Some(*time),
                _ => None,
            },
        };
        let watch =
            Watch::new(&self.store, &self.faults, resource, query, BOOKMARK_INTERVAL, fate)?;
        Ok(streamed(watch.into_stream()))
    }

    async fn object(&self, resource: Resource, key: &Key) -> Result<Response<Body>, Cut> {
        let fault = self.faults.strike(resource, Moment::List);
        if let Some(instead) = self.instead(resource, fault.as_ref()).await {
            return instead;
        }
        Ok(affected(self.stored(resource, key), fault))
    }

    fn stored(&self, resource: Resource, key: &Key) -> Response<Body> {
        match self.store.get(resource, key) {
            Some(object) => whole(200, object.bytes().clone()),
            None => {
                let what = format!("{} \"{}\"", resource.plural(), key.name);
                Refusal::not_found(&what).response()
            }
        }
    }

    /// What a fault answers instead of anything else.
    async fn instead(
        &self,
        resource: Resource,
        fault: Option<&Fault>,
    ) -> Option<Result<Response<Body>, Cut>> {
        match fault? {
            Fault::Refused { code, retry_after } => {
                Some(Ok(Refusal::of_code(*code, resource, *retry_after).response()))
            }
            Fault::StreamingListsRefused { code } => {
                Some(Ok(Refusal::no_streaming_lists(*code).response()))
            }
            Fault::Unknown => Some(Ok(plain(404, "404 page not found\n"))),
            Fault::CutBeforeAnswer => Some(Err(Cut)),
            Fault::Unanswered => std::future::pending().await,
            _ => None,
        }
    }

    /// Accepts what a service proxy writes, such as events, and keeps none of it.
    fn written(&self, method: &Method, target: &Target, body: Bytes) -> Response<Body> {
        match (method, target) {
            (_, Target::Nothing) => plain(404, "404 page not found\n"),
            (&Method::PATCH, Target::Object { resource, key }) => self.stored(*resource, key),
            (&Method::DELETE, _) => {
                let success = json!({"kind": "Status", "apiVersion": "v1", "status": "Success"});
                whole(200, success.to_string().into())
            }
            (&Method::POST, _) => whole(201, body),
            _ => whole(200, body),
        }
    }

    fn log(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request means to faults.
fn moment(query: &Query) -> Moment {
    match (query.watch, query.version) {
        (false, _) => Moment::List,
        (true, _) if query.is_streaming_list() => Moment::StreamingList,
        (true, Version::At(_)) => Moment::Resume,
        (true, Version::Unset | Version::Any) => Moment::Begin,
    }
}

/// What a fault makes of an answer.
fn affected(answer: Response<Body>, fault: Option<Fault>) -> Response<Body> {
    match fault {
        Some(Fault::Trickle { bytes, pause }) => trickled(answer, bytes, pause),
        Some(Fault::Silence) => answer.map(|_| silence()),
        _ => answer,
    }
}
