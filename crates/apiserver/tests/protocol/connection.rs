//! Connections over HTTP and HTTPS that a test reads byte by byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use portolan_apiserver::{ApiServer, Authority, Identity};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::service;

/// A server with the Service `a`.
pub(crate) struct Server {
    pub(crate) api: ApiServer,
    /// Over HTTPS.
    authority: Option<Authority>,
}

impl Server {
    pub(crate) fn http() -> Server {
        Server::with(ApiServer::start(any()).unwrap(), None)
    }

    pub(crate) fn https(authority: &Authority) -> Server {
        Server::with(ApiServer::start_https(any(), authority).unwrap(), Some(authority.clone()))
    }

    /// One over HTTP and one over HTTPS.
    pub(crate) fn of_each_kind() -> [Server; 2] {
        [Server::http(), Server::https(&Authority::new("kubernetes").unwrap())]
    }

    fn with(api: ApiServer, authority: Option<Authority>) -> Server {
        api.store().put(&service("a", "10.0.0.1")).unwrap();
        Server { api, authority }
    }

    /// The connection after a GET, which is the only one on it.
    pub(crate) fn request(&self, path: &str) -> Box<dyn Read> {
        self.request_as(path, "", None)
    }

    /// The same with further header lines, and over HTTPS with a client certificate.
    pub(crate) fn request_as(
        &self,
        path: &str,
        headers: &str,
        identity: Option<&Identity>,
    ) -> Box<dyn Read> {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: api\r\nConnection: close\r\n{headers}\r\n");
        let mut stream = TcpStream::connect(self.api.address()).unwrap();
        let Some(authority) = &self.authority else {
            stream.write_all(request.as_bytes()).unwrap();
            return Box::new(stream);
        };
        let host = self.api.address().ip().into();
        let session = ClientConnection::new(trusting(authority, identity), host).unwrap();
        let mut stream = StreamOwned::new(session, stream);
        stream.write_all(request.as_bytes()).unwrap();
        Box::new(stream)
    }
}

fn any() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn trusting(authority: &Authority, identity: Option<&Identity>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&authority.certificate())).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let Some(identity) = identity else { return client.with_no_client_auth().into() };
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    client.with_client_auth_cert(vec![certificate(&identity.certificate)], key).unwrap().into()
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}
