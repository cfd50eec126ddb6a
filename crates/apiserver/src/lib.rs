//! An API server in the process of a test or a benchmark: for load and for faults.
//!
//! It speaks what a service proxy asks of Kubernetes, in JSON over HTTP or HTTPS: lists in
//! pages and of older versions, watches, bookmarks, streaming lists, selectors, and 410 for
//! what is forgotten. Objects come from a [`Store`] that the test holds, and [`Faults`] go
//! wrong as it says. What clients write is accepted and forgotten.
//!
//! ```text
//!  Store ─ put ─▶ encoded once ─▶ log ─▶ lists and watches ─▶ Faults ─▶ clients
//! ```
//!
//! ```
//! use portolan_apiserver::{ApiServer, Fault, Resource};
//! use serde_json::json;
//!
//! let server = ApiServer::start(([127, 0, 0, 1], 0).into())?;
//! server.store().put(&json!({
//!     "apiVersion": "v1", "kind": "Service",
//!     "metadata": {"name": "web", "namespace": "shop"},
//!     "spec": {"clusterIP": "10.96.0.10", "ports": [{"port": 80}]},
//! }))?;
//! let refused = Fault::Refused { code: 429, retry_after: Some(1) };
//! server.faults().begin_for(&[Resource::Services], refused, 3);
//! // Now a client of server.url() is refused three times, and then sees the Service.
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Over HTTPS there is an [`Authority`] of one's own, and [`Access`] says who is answered:
//!
//! ```
//! use portolan_apiserver::{ApiServer, Authority, Credentials, kubeconfig};
//!
//! let authority = Authority::new("kubernetes")?;
//! let server = ApiServer::start_https(([127, 0, 0, 1], 0).into(), &authority)?;
//! server.access().require_certificate();
//! let credentials = Credentials::Certificate(authority.client("system:kube-proxy")?);
//! let file = kubeconfig(&server.url(), Some(&authority), &credentials);
//! # assert!(file.contains("client-certificate-data"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod accept;
mod access;
mod api;
mod body;
mod discovery;
mod error;
mod faults;
mod kubeconfig;
mod list;
mod object;
mod path;
mod query;
mod refusal;
mod resource;
mod selector;
mod server;
mod store;
mod tls;
mod watch;

pub use access::Access;
pub use api::{Api, Request};
pub use body::{Body, Cut};
pub use error::Error;
pub use faults::{Fault, Faults};
pub use kubeconfig::{Credentials, kubeconfig};
pub use resource::Resource;
pub use server::ApiServer;
pub use store::Store;
pub use tls::{Authority, Identity, TlsError};
