//! Kubernetes objects, from an API server or a directory of YAML, as core's [`Update`]s.
//!
//! ```text
//!  directory ─▶ documents ─┐
//!                          ├─▶ manifest ─▶ convert ─▶ SourceEvent (Update | Problems)
//!  API server ─▶ watch ────┘
//! ```
//!
//! Both sources read the same slim types and convert them with the same code, so what a
//! file says means what the same object in the API means. Objects are dropped once they
//! are converted. What cannot be used is skipped, and said with the name of the object
//! and the field; it never costs more than itself.
//!
//! [`Update`]: portolan_core::Update
#![forbid(unsafe_code)]

mod api;
mod convert;
mod directory;
mod error;
mod event;
mod field;
mod manifest;
mod names;
mod watched_keys;

pub use api::{KubeConfig, WatchFailures, kube_client, run_kube};
pub use directory::{Contents, DirectoryConfig, Snapshot, read_directory, run_directory};
pub use error::WatchError;
pub use event::{Cause, Notice, Place, SourceEvent};
