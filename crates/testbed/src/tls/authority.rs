//! Certificates that a test makes, trusts, and mistrusts.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate authority of one test.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A server's certificate and its key.
#[derive(Debug)]
pub struct Certified {
    /// The certificate.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
    chain_pem: String,
    key_pem: String,
}

impl Certified {
    /// The certificate, as a file has it.
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// Its key, as a file has it.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one, which nobody trusts yet.
    pub fn new() -> Self {
        let mut params = parameters(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "a test's own authority");
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("a key signs its own certificate");
        Self { issuer }
    }

    /// Its certificate, as a file has it.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Its certificate.
    pub fn root(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// A certificate for these names and addresses.
    pub fn certify(&self, names: &[&str]) -> Certified {
        self.sign(parameters(names))
    }

    /// The same, which ended long ago.
    pub fn certify_expired(&self, names: &[&str]) -> Certified {
        let mut params = parameters(names);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Certified {
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).expect("an authority signs");
        let (chain_pem, key_pem) = (certificate.pem(), key.serialize_pem());
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key is written as it is read");
        Certified { chain: vec![certificate.der().clone()], key, chain_pem, key_pem }
    }
}

fn parameters(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    CertificateParams::new(names).expect("a test names hosts and addresses")
}

fn key() -> KeyPair {
    KeyPair::generate().expect("there is randomness")
}
