//! Connections to a server, plain or with TLS.
//!
//! With TLS a server is trusted by the system's roots and those of `?ca=`; one that proves no name is refused.

use std::{io, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{
    error::{OpenError, OpenErrorKind},
    url::{Address, Url},
};

/// A connection, of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// How servers are connected to.
#[derive(Clone)]
pub(crate) struct Connector(Option<TlsConnector>);

impl Connector {
    pub(crate) fn new(url: &Url) -> Result<Self, OpenError> {
        if !url.tls {
            return Ok(Self(None));
        }
        let wrong = |why: String| OpenError::new(OpenErrorKind::Unsuitable, why);
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(file) = &url.ca {
            let added = add(&mut roots, file).map_err(|error| {
                wrong(format!("{} holds no certificates in PEM that can be trusted: {error}", file.display()))
            })?;
            if added == 0 {
                return Err(wrong(format!("{} holds no certificate in PEM", file.display())));
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(format!("TLS cannot be used: {error}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Some(TlsConnector::from(Arc::new(config)))))
    }

    pub(crate) async fn connect(&self, address: &Address) -> io::Result<Box<dyn Stream>> {
        let tcp = TcpStream::connect((&*address.host, address.port)).await?;
        // A batch is one write; the server's answers are small, and each is waited for.
        tcp.set_nodelay(true)?;
        let Some(tls) = &self.0 else { return Ok(Box::new(tcp)) };
        let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other)?;
        Ok(Box::new(tls.connect(name, tcp).await?))
    }
}

fn add(roots: &mut RootCertStore, file: &Path) -> Result<usize, Box<dyn std::error::Error>> {
    let mut added = 0;
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?)?;
        added += 1;
    }
    Ok(added)
}
