//! Why an object is not stored.

/// An object that the store does not take, or does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No resource has this kind in this version of its API.
    #[error("no resource has the kind {kind:?} in {api_version:?}")]
    Kind {
        /// `apiVersion`, empty if it is missing.
        api_version: String,
        /// `kind`, empty if it is missing.
        kind: String,
    },
    /// `metadata.name` is missing, empty or no text.
    #[error("{kind} without metadata.name")]
    Unnamed {
        /// Of the object.
        kind: &'static str,
    },
    /// The object cannot be written as JSON.
    #[error("the object cannot be written as JSON: {0}")]
    Json(String),
    /// There is no such object.
    #[error("there is no {kind} {name:?} in namespace {namespace:?}")]
    NotFound {
        /// As it was asked for.
        kind: String,
        /// Empty for objects of the whole cluster.
        namespace: String,
        /// `metadata.name`.
        name: String,
    },
}
