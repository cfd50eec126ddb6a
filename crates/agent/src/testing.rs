//! What tests of several modules need.

mod fake_backend;
mod objects;
mod pages;
mod warnings;

use std::time::Duration;

pub(crate) use self::fake_backend::*;
pub(crate) use self::objects::*;
pub(crate) use self::pages::*;
pub(crate) use self::warnings::count_warnings;
use crate::config::{Config, Given, Patience, Settings};

/// A configuration without servers and without a wait for the Node.
pub(crate) fn config() -> Config {
    let settings = Settings {
        node_name: Some(Given::new("node-a".to_owned(), "test")),
        source: Some(Given::new("dir:/nowhere".to_owned(), "test")),
        ..Settings::default()
    };
    Config {
        healthz: None,
        metrics: None,
        control_socket: None,
        patience: Patience { node: Duration::ZERO, service_cidrs: Duration::ZERO },
        ..settings.resolve().unwrap()
    }
}
