//! A client without a connection, and what it finds.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use portolan_apiserver::{Api, Body, Cut};
use serde_json::{Value, json};

/// In virtual time, which passes only when nothing else is left to do.
const SILENCE: Duration = Duration::from_millis(100);

pub(crate) const SERVICES: &str = "/api/v1/services";

pub(crate) async fn send(api: &Api, method: &str, path: &str, body: &str) -> Response<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    api.answer(request).await.unwrap()
}

/// The status and the object of an answer.
pub(crate) async fn get(api: &Api, path: &str) -> (StatusCode, Value) {
    let response = send(api, "GET", path, "").await;
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

/// The names of the objects of a list.
pub(crate) fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// A Service of this name and address.
pub(crate) fn service(name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"clusterIP": address, "ports": [{"port": 80}]},
    })
}

/// An open watch.
pub(crate) struct Watch {
    body: Body,
    buffer: Vec<u8>,
}

/// How a watch went on.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    Event(Value),
    /// No JSON.
    Garbled(String),
    Silence,
    /// The end, in the middle of a line if there is a rest.
    End,
    Cut(String),
}

impl Watch {
    pub(crate) async fn start(api: &Api, path: &str) -> Watch {
        let response = send(api, "GET", path, "").await;
        assert_eq!(response.status(), 200, "{path}");
        Watch { body: response.into_body(), buffer: Vec::new() }
    }

    pub(crate) async fn next(&mut self) -> Next {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let text = String::from_utf8(line).unwrap();
                return match serde_json::from_str(&text) {
                    Ok(event) => Next::Event(event),
                    Err(_) => Next::Garbled(text),
                };
            }
            match tokio::time::timeout(SILENCE, self.body.frame()).await {
                Err(_) => return Next::Silence,
                Ok(None) => return Next::End,
                Ok(Some(Err(Cut))) => {
                    return Next::Cut(String::from_utf8(self.buffer.clone()).unwrap());
                }
                Ok(Some(Ok(frame))) => self.buffer.extend(frame.into_data().unwrap()),
            }
        }
    }

    /// What comes until it is silent or ends, each as `TYPE name version`.
    pub(crate) async fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            match self.next().await {
                Next::Event(event) => told.push(summary(&event)),
                Next::Silence => return told,
                Next::End => {
                    told.push("end".to_owned());
                    return told;
                }
                other => panic!("{other:?} after {told:?}"),
            }
        }
    }
}

pub(crate) fn summary(event: &Value) -> String {
    let (kind, object) = (event["type"].as_str().unwrap(), &event["object"]);
    let metadata = &object["metadata"];
    let version = metadata["resourceVersion"].as_str().unwrap_or_default();
    match kind {
        "ERROR" => format!("ERROR {}", object["code"]),
        "BOOKMARK" => {
            let complete = metadata["annotations"]["k8s.io/initial-events-end"] == "true";
            format!("BOOKMARK {version}{}", if complete { " complete" } else { "" })
        }
        _ => format!("{kind} {} {version}", metadata["name"].as_str().unwrap()),
    }
}
