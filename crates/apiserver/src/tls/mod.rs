//! HTTPS with certificates that are made at run time.

mod acceptor;
mod authority;

pub(crate) use self::acceptor::{Acceptor, Certified};
pub use self::authority::{Authority, Identity};

/// Why there is no HTTPS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A certificate or its key could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// Rustls does not take a certificate or a key.
    #[error("cannot serve with a certificate: {0}")]
    Refused(#[from] rustls::Error),
    /// Rustls cannot verify clients by the authority.
    #[error("cannot verify clients: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}
