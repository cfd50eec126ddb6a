//! What to check when there is no TLS connection.

use std::error::Error;
use std::io;

use rustls::CertificateError as Certificate;

/// What to check, if an error is one of TLS, or comes from one.
pub(super) fn hint(error: &(dyn Error + 'static)) -> Option<&'static str> {
    match cause(error)? {
        // As those of most clusters have one name, most do not look unknown but forged.
        rustls::Error::InvalidCertificate(
            Certificate::UnknownIssuer | Certificate::BadSignature,
        ) => Some(
            "is certificate-authority or certificate-authority-data of the kubeconfig, or in a \
             pod ca.crt of its service account, that of this cluster?",
        ),
        rustls::Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => Some("is the address right? A name that the certificate has is --tls-server-name"),
        rustls::Error::InvalidCertificate(
            Certificate::Expired
            | Certificate::ExpiredContext { .. }
            | Certificate::NotValidYet
            | Certificate::NotValidYetContext { .. },
        ) => Some("is the clock of this node right, and was the certificate renewed?"),
        rustls::Error::AlertReceived(_) => {
            Some("does the server take the client certificate of the kubeconfig?")
        }
        rustls::Error::InvalidMessage(_) => Some("does this port speak HTTPS?"),
        _ => None,
    }
}

fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut error = Some(error);
    while let Some(found) = error {
        if let Some(tls) = found.downcast_ref() {
            return Some(tls);
        }
        // The source of an io::Error that wraps another error is that one's source.
        let wrapped = found.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        error = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => found.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use rustls::{AlertDescription, InvalidMessage};

    use super::*;

    #[test]
    fn an_error_of_tls_is_found_however_deep_it_is_and_says_what_to_check() {
        let certificate = rustls::Error::InvalidCertificate;
        for (error, checked) in [
            (certificate(Certificate::UnknownIssuer), Some("ca.crt")),
            (certificate(Certificate::BadSignature), Some("certificate-authority-data")),
            (certificate(Certificate::NotValidForName), Some("--tls-server-name")),
            (certificate(Certificate::Expired), Some("clock")),
            (certificate(Certificate::NotValidYet), Some("clock")),
            (
                rustls::Error::AlertReceived(AlertDescription::CertificateRequired),
                Some("client certificate"),
            ),
            (rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType), Some("HTTPS")),
            (rustls::Error::DecryptError, None),
        ] {
            let deep = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error.clone()));
            let deep = kube::Error::Service(deep.into());
            for error in [&error as &(dyn Error + 'static), &deep] {
                let hint = hint(error);
                assert_eq!(hint.is_some(), checked.is_some(), "{error}");
                assert!(hint.is_none_or(|it| it.contains(checked.unwrap_or_default())), "{error}");
            }
        }
        assert_eq!(hint(&io::Error::from(io::ErrorKind::ConnectionRefused)), None);
    }
}
