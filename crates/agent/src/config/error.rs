//! What is wrong with a flag or a file, and what would be right.

use std::io;
use std::path::PathBuf;

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not YAML.
    #[error("{path} is not a YAML document that can be read: {reason}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// The file is some other kind of object.
    #[error(
        "{path} has apiVersion {api_version:?} and kind {kind:?}; expected \
         \"portolan/v1alpha1\" and \"PortolanConfiguration\", or \
         \"kubeproxy.config.k8s.io/v1alpha1\" and \"KubeProxyConfiguration\""
    )]
    Kind {
        /// The file.
        path: PathBuf,
        /// What it says.
        api_version: String,
        /// What it says.
        kind: String,
    },
    /// The file has a key that means nothing.
    #[error("{path} has an unknown key {key}{hint}")]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key with its parents, e.g. `nftables.masqueradeBits`.
        key: String,
        /// ` (did you mean …?)`, or empty.
        hint: String,
    },
    /// A value cannot be used.
    #[error("{by}: {reason}; a right value is {example}")]
    Value {
        /// The flag, or the key and its file.
        by: String,
        /// What is wrong with the value.
        reason: String,
        /// A value that would be accepted.
        example: &'static str,
    },
    /// A flag that means nothing beside another setting.
    #[error("{flag} has no effect with {beside}: leave one of them out")]
    NoEffect {
        /// The flag.
        flag: String,
        /// The other setting, with its value.
        beside: String,
    },
    /// Something has to be said and was not.
    #[error("{what} is not set: use {how}")]
    Missing {
        /// What.
        what: &'static str,
        /// Flag and key, with an example.
        how: &'static str,
    },
}
