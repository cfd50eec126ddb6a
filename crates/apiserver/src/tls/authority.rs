//! The certificate authority of a cluster.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::CertificateDer;

use super::{Acceptor, TlsError};

/// Names that the certificate of every API server has, beside its addresses
/// (<https://kubernetes.io/docs/setup/best-practices/certificates/>).
const SERVER_NAMES: [&str; 2] = ["kubernetes", "kubernetes.default.svc"];

/// A certificate authority of one's own, as every cluster has. Clones are the same.
#[derive(Clone, Debug)]
pub struct Authority(Arc<CertifiedIssuer<'static, KeyPair>>);

/// A certificate with its key (P-256, PKCS #8), both in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate alone, without its authority's.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes a key and a certificate of this common name. Those of most clusters are called
    /// `kubernetes`, all with other keys.
    ///
    /// # Errors
    ///
    /// If there is no randomness for the key.
    pub fn new(name: &str) -> Result<Authority, TlsError> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Authority(Arc::new(CertifiedIssuer::self_signed(parameters, KeyPair::generate()?)?)))
    }

    /// What clients have to trust, in PEM.
    pub fn certificate(&self) -> String {
        self.0.pem()
    }

    /// Signs a certificate for a client of this user name.
    ///
    /// # Errors
    ///
    /// If there is no randomness for the key.
    pub fn client(&self, user: &str) -> Result<Identity, TlsError> {
        let usage = ExtendedKeyUsagePurpose::ClientAuth;
        let (certificate, key) = self.sign(user, Vec::new(), usage)?;
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// Takes connections at an address, with a certificate for it.
    pub(crate) fn acceptor(&self, address: IpAddr) -> Result<Acceptor, TlsError> {
        let mut names = vec![address.to_string()];
        names.extend(SERVER_NAMES.map(str::to_owned));
        let usage = ExtendedKeyUsagePurpose::ServerAuth;
        let (certificate, key) = self.sign("kube-apiserver", names, usage)?;
        Acceptor::new(self.der(), certificate.into(), key.serialize_der())
    }

    fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    fn sign(
        &self,
        common_name: &str,
        names: Vec<String>,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<(rcgen::Certificate, KeyPair), TlsError> {
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new(names)?;
        parameters.distinguished_name.push(DnType::CommonName, common_name);
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![usage];
        parameters.use_authority_key_identifier_extension = true;
        Ok((parameters.signed_by(&key, &self.0)?, key))
    }
}
