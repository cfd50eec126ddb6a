//! Connections over TLS.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::TlsError;

/// Takes connections over TLS.
#[derive(Clone)]
pub(crate) struct Acceptor {
    tls: TlsAcceptor,
    clients: Arc<dyn ClientCertVerifier>,
}

/// Marks a request whose connection has a client certificate of the authority.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Certified;

impl fmt::Debug for Acceptor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Acceptor").finish_non_exhaustive()
    }
}

impl Acceptor {
    /// With the certificate of the authority, one for the server, and its key in PKCS #8.
    pub(super) fn new(
        authority: CertificateDer<'static>,
        certificate: CertificateDer<'static>,
        key: Vec<u8>,
    ) -> Result<Acceptor, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority)?;
        let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        let clients = clients.build()?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(Arc::new(Asked(clients.clone())))
            .with_single_cert(vec![certificate], key)?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Acceptor { tls: Arc::new(server).into(), clients })
    }

    /// Shakes hands, and tells whether the client has a certificate of the authority.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(TlsStream<TcpStream>, Option<Certified>)> {
        let stream = self.tls.accept(stream).await?;
        let (_, session) = stream.get_ref();
        let certified = match session.peer_certificates() {
            Some([end, others @ ..]) => {
                self.clients.verify_client_cert(end, others, UnixTime::now()).is_ok()
            }
            _ => false,
        };
        Ok((stream, certified.then_some(Certified)))
    }
}

/// Asks clients for a certificate and takes any, whose key they have: API servers do not
/// end the handshake over one that they do not know, but answer 401
/// (`tls.RequestClientCert` in k8s.io/apiserver, `pkg/server/secure_serving.go`).
#[derive(Debug)]
struct Asked(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Asked {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _end: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
