//! Where requests go, and whom to believe that it is there.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use crate::start_error::{StartError, StartErrorKind};

/// All that we speak. A server that speaks something else alone refuses the handshake.
const ALPN: &[u8] = b"http/1.1";

/// An upstream.
pub(crate) struct Target {
    authority: String,
    tls: Option<Tls>,
}

/// How its certificate is judged, and what name it must carry.
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl Target {
    /// The upstream at `url`. Certificates are judged by the system's roots, or by `ca` alone.
    ///
    /// # Errors
    /// [`StartError`] that says what is wrong with the URL, the file, or the system's roots.
    pub(crate) fn new(url: &str, ca: Option<&Path>) -> Result<Self, StartError> {
        let wrong = |why: &str| {
            config_error(format!(
                "upstream `{url}`: {why}; write http://127.0.0.1:3000 or https://api.example.com"
            ))
        };
        let uri: http::Uri = url.parse().map_err(|_| wrong("not a URL"))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("no http:// or https:// in front")),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("it must not have a path: paths are forwarded as they are"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("no host"))?;
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let tls = match (is_tls, ca) {
            (true, ca) => {
                let host = authority.host().trim_start_matches('[').trim_end_matches(']');
                let name =
                    ServerName::try_from(host).map_err(|_| wrong("its host is no name and no address"))?;
                Some(Tls { config: client_config(roots(ca)?)?, name: name.to_owned() })
            }
            (false, Some(_)) => {
                return Err(config_error(format!(
                    "upstream_ca is for an upstream with https://, and `{url}` is without TLS"
                )));
            }
            (false, None) => None,
        };
        Ok(Self { authority: format!("{}:{port}", authority.host()), tls })
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }
}

fn client_config(roots: RootCertStore) -> Result<Arc<ClientConfig>, StartError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| config_error("TLS cannot be set up").because(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Early data may be sent twice by whoever records it; a request is not.
    config.enable_early_data = false;
    Ok(Arc::new(config))
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, StartError> {
    ca.map_or_else(system_roots, file_roots)
}

/// Those of a file, all of which must be usable: whoever named it means each.
fn file_roots(file: &Path) -> Result<RootCertStore, StartError> {
    let wrong = |why: String| config_error(format!("upstream_ca = \"{}\": {why}", file.display()));
    let text = std::fs::read(file).map_err(|error| wrong(format!("it cannot be read: {error}")))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| wrong(format!("it is not valid PEM: {error}")))?;
        roots
            .add(certificate)
            .map_err(|error| wrong(format!("a certificate in it cannot be a root: {error}")))?;
    }
    if roots.is_empty() {
        return Err(wrong(
            "there is no certificate in it; it must be PEM (-----BEGIN CERTIFICATE-----)".to_owned(),
        ));
    }
    Ok(roots)
}

/// Those of the system, as far as they can be used: there are always some that are too old for it.
fn system_roots() -> Result<RootCertStore, StartError> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a trusted root of the system cannot be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(config_error(
            "the system has no trusted roots, so no certificate of the upstream could be believed: install the \
             package ca-certificates, or name a file with upstream_ca",
        ));
    }
    Ok(roots)
}

fn config_error(detail: impl Into<String>) -> StartError {
    StartError::new(StartErrorKind::Config, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(url: &str, ca: Option<&Path>) -> String {
        Target::new(url, ca).map(drop).unwrap_err().to_string()
    }

    #[test]
    fn a_url_gives_host_and_port() {
        let certificate = onlyonce_testbed::tls::Authority::new();
        let directory = tempfile::tempdir().unwrap();
        let ca = directory.path().join("ca.pem");
        std::fs::write(&ca, certificate.pem()).unwrap();
        for (url, authority) in [
            ("http://127.0.0.1:3000", "127.0.0.1:3000"),
            ("http://bank.example/", "bank.example:80"),
            ("https://bank.example", "bank.example:443"),
            ("https://[::1]:8443", "[::1]:8443"),
        ] {
            let ca = url.starts_with("https").then_some(ca.as_path());
            assert_eq!(Target::new(url, ca).unwrap().authority(), authority);
        }
    }

    #[test]
    fn a_url_that_leads_nowhere_is_refused() {
        for (url, why) in [
            ("127.0.0.1:3000", "http://"),
            ("ftp://bank.example", "http://"),
            ("http://bank.example/api", "path"),
            ("https://bank.example/?x", "path"),
        ] {
            let told = told(url, None);
            assert!(told.contains(url) && told.contains(why), "{told}");
        }
    }

    #[test]
    fn a_file_without_a_usable_root_is_refused_and_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        assert!(told("https://bank.example", Some(&file)).contains("cannot be read"));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (text, why) in
            [("", "no certificate"), ("nothing\n", "no certificate"), (broken, "cannot be a root")]
        {
            std::fs::write(&file, text).unwrap();
            let told = told("https://bank.example", Some(&file));
            assert!(
                told.starts_with("upstream_ca = ") && told.contains("ca.pem") && told.contains(why),
                "{told}"
            );
        }
        assert!(told("http://bank.example", Some(&file)).contains("upstream_ca is for"));
    }
}
