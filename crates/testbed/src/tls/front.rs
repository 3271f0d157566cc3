//! The listener that speaks TLS.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::sync::watch;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig, SupportedProtocolVersion,
        crypto::{CryptoProvider, ring},
        server::WebPkiClientVerifier,
        version::{TLS12, TLS13},
    },
};

use super::{Authority, Certified, relay};
use crate::{gate::reached, listening::Listening};

/// How a front behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// What it makes of the handshake.
    pub shakes: Shakes,
    /// How it ends a connection whose upstream has ended it.
    pub ends: Ends,
    /// Whether it speaks TLS 1.2 at most.
    pub old: bool,
}

/// What a front makes of the handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shakes {
    /// It shakes hands.
    #[default]
    Hands,
    /// It closes the connection once the client has said hello.
    Closes,
    /// It resets the connection once the client has said hello.
    Resets,
    /// It says nothing.
    Hangs,
    /// It demands a certificate of the client.
    DemandsCertificate,
    /// It speaks HTTP/2 alone.
    OnlyHttp2,
}

/// How a front ends a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ends {
    /// `close_notify`, then FIN.
    #[default]
    Notified,
    /// FIN alone: nobody can tell it from one that somebody else has sent.
    Cut,
}

/// A running TLS front on loopback; it ends when dropped.
#[derive(Debug)]
pub struct Front {
    listening: Listening,
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) target: SocketAddr,
    pub(super) manner: Manner,
    /// Counts the calls of `rekey`.
    pub(super) rekey: watch::Sender<usize>,
    /// Counts the connections that have done so.
    pub(super) rekeyed: watch::Sender<usize>,
    /// Counts what upstreams wrote at once, and their ends, once passed on.
    pub(super) passed_on: watch::Sender<usize>,
    connections: watch::Sender<usize>,
    pub(super) shaken: watch::Sender<usize>,
}

impl Front {
    /// Starts one on a free port in front of `target`.
    pub async fn start(target: SocketAddr, certified: Certified, manner: Manner) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config(certified, manner)));
        let shared = Arc::new(Shared {
            target,
            manner,
            rekey: watch::Sender::new(0),
            rekeyed: watch::Sender::new(0),
            passed_on: watch::Sender::new(0),
            connections: watch::Sender::new(0),
            shaken: watch::Sender::new(0),
        });
        let served = Arc::clone(&shared);
        let serve = move |stream| {
            let (shared, acceptor) = (Arc::clone(&served), acceptor.clone());
            shared.connections.send_modify(|count| *count += 1);
            async move { relay::serve(stream, acceptor, &shared).await }
        };
        Self { listening: Listening::start((Ipv4Addr::LOCALHOST, 0).into(), serve).await, shared }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.listening.addr()
    }

    /// `https://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("https://{}", self.addr())
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        *self.shared.connections.borrow()
    }

    /// How many handshakes were finished, as far as it knows.
    pub fn handshakes(&self) -> usize {
        *self.shared.shaken.borrow()
    }

    /// Takes new keys on every open connection, and says so to its client: bytes that are no words. Returns when `n`
    /// connections have done so since the start. (TLS 1.3 only.)
    pub async fn rekey(&self, n: usize) {
        self.shared.rekey.send_modify(|times| *times += 1);
        reached(&self.shared.rekeyed, n, "connections with new keys").await;
    }

    /// Waits until `n` things were passed on to clients: what the upstream wrote at once counts as one, and so does its
    /// end.
    pub async fn passed_on(&self, n: usize) {
        reached(&self.shared.passed_on, n, "words or ends of upstreams").await;
    }
}

fn config(certified: Certified, manner: Manner) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let versions: &[&SupportedProtocolVersion] = if manner.old { &[&TLS12] } else { &[&TLS13, &TLS12] };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .expect("ring speaks both versions");
    let builder = match manner.shakes {
        Shakes::DemandsCertificate => builder.with_client_cert_verifier(demanding(provider)),
        _ => builder.with_no_client_auth(),
    };
    let mut config =
        builder.with_single_cert(certified.chain, certified.key).expect("a certificate fits its key");
    let protocol: &[u8] = if manner.shakes == Shakes::OnlyHttp2 { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![protocol.to_vec()];
    config
}

fn demanding(
    provider: Arc<CryptoProvider>,
) -> Arc<dyn tokio_rustls::rustls::server::danger::ClientCertVerifier> {
    let mut roots = RootCertStore::empty();
    let Certified { chain, .. } = Authority::new().certify(&["client"]);
    roots.add_parsable_certificates(chain);
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    verifier.build().expect("there is a root to verify by")
}
