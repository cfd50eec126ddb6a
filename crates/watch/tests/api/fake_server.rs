//! An API server that does what a test tells it to, request by request.

use std::collections::BTreeMap;
use std::convert::Infallible;

use bytes::Bytes;
use futures::stream::poll_fn;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tower::service_fn;

type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// The server's side. Requests wait until the test takes and answers them.
pub(crate) struct FakeServer {
    incoming: mpsc::UnboundedReceiver<Call>,
    waiting: BTreeMap<String, Vec<Call>>,
}

/// A request that wants an answer.
pub(crate) struct Call {
    /// The plural of the kind, e.g. `services`.
    resource: String,
    /// The query, still percent-encoded.
    pub(crate) query: String,
    reply: oneshot::Sender<Reply>,
}

/// A watch that was answered. Dropping it ends the response.
pub(crate) struct Watch {
    lines: mpsc::UnboundedSender<Bytes>,
}

impl FakeServer {
    pub(crate) fn start() -> (FakeServer, Client) {
        let (calls, incoming) = mpsc::unbounded_channel();
        let service = service_fn(move |request: Request<Body>| {
            let (reply, answer) = oneshot::channel();
            let resource = request.uri().path().rsplit('/').next().unwrap().to_owned();
            let query = request.uri().query().unwrap_or_default().to_owned();
            calls.send(Call { resource, query, reply }).unwrap();
            async move { answer.await.map_err(|_| std::io::Error::other("no answer")) }
        });
        (FakeServer { incoming, waiting: BTreeMap::new() }, Client::new(service, "default"))
    }

    /// The next request for a resource. Those for others wait.
    pub(crate) async fn call(&mut self, resource: &str) -> Call {
        loop {
            if let Some(calls) = self.waiting.get_mut(resource).filter(|calls| !calls.is_empty()) {
                return calls.remove(0);
            }
            let call = self.incoming.recv().await.unwrap();
            self.waiting.entry(call.resource.clone()).or_default().push(call);
        }
    }
}

impl Call {
    pub(crate) fn is_streaming_list(&self) -> bool {
        self.query.contains("sendInitialEvents=true")
    }

    pub(crate) fn is_watch(&self) -> bool {
        self.query.contains("watch=true")
    }

    /// Answers with an error.
    pub(crate) fn refuse(self, code: u16, message: &str) {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure",
            "message": message, "reason": "", "code": code,
        });
        self.answer(code, &status);
    }

    /// Answers with a list.
    pub(crate) fn list(self, resource_version: &str, items: &[Value]) {
        assert!(!self.is_watch(), "{}", self.query);
        let list = json!({
            "kind": "List", "apiVersion": "v1",
            "metadata": {"resourceVersion": resource_version}, "items": items,
        });
        self.answer(200, &list);
    }

    /// Answers with 200 and a body that may be no JSON.
    pub(crate) fn raw(self, body: &str) {
        let body = Full::new(Bytes::from(body.to_owned())).boxed_unsync();
        self.reply.send(Response::new(body)).unwrap();
    }

    /// Sends the client elsewhere.
    pub(crate) fn redirect(self, location: &str) {
        let reply = Response::builder().status(302).header("Location", location);
        self.reply.send(reply.body(Full::default().boxed_unsync()).unwrap()).unwrap();
    }

    fn answer(self, code: u16, body: &Value) {
        let body = Full::new(Bytes::from(body.to_string())).boxed_unsync();
        self.reply.send(Response::builder().status(code).body(body).unwrap()).unwrap();
    }

    /// Answers with the beginning of a watch.
    pub(crate) fn watch(self) -> Watch {
        assert!(self.is_watch(), "{}", self.query);
        let (lines, mut receiver) = mpsc::unbounded_channel::<Bytes>();
        let frames = poll_fn(move |context| {
            receiver.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(line))))
        });
        self.reply.send(Response::new(StreamBody::new(frames).boxed_unsync())).unwrap();
        Watch { lines }
    }
}

impl Watch {
    pub(crate) fn line(&self, line: &str) {
        self.lines.send(Bytes::from(format!("{line}\n"))).unwrap();
    }

    pub(crate) fn event(&self, event: &str, object: &Value) {
        self.line(&json!({"type": event, "object": object}).to_string());
    }

    /// The bookmark after which the initial state is complete.
    pub(crate) fn initial_events_end(&self, resource_version: &str) {
        self.bookmark(resource_version, json!({"k8s.io/initial-events-end": "true"}));
    }

    pub(crate) fn bookmark(&self, resource_version: &str, annotations: Value) {
        let metadata = json!({"resourceVersion": resource_version, "annotations": annotations});
        self.event("BOOKMARK", &json!({"kind": "Any", "apiVersion": "v1", "metadata": metadata}));
    }

    /// The event for a resource version that the server has forgotten.
    pub(crate) fn expired(&self) {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "too old resource version", "reason": "Expired", "code": 410,
        });
        self.event("ERROR", &status);
    }
}

/// A Service with this address.
pub(crate) fn service(name: &str, address: &str, resource_version: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "resourceVersion": resource_version},
        "spec": {"clusterIP": address, "ports": [{"port": 80}]},
    })
}

/// An IPv4 EndpointSlice of this Service.
pub(crate) fn slice(name: &str, service: &str, resource_version: &str) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            "name": name, "namespace": "default", "resourceVersion": resource_version,
            "labels": {"kubernetes.io/service-name": service},
        },
        "ports": [{"port": 8080}], "endpoints": [{"addresses": ["10.244.0.1"]}],
    })
}
