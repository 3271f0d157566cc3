//! One connection through the front.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{Ends, Shakes, front::Shared};
use crate::{Close, HOLD_LIMIT, socket};

/// How much is read at once.
const READ_SIZE: usize = 64 << 10;

pub(super) async fn serve(mut stream: TcpStream, acceptor: TlsAcceptor, shared: &Shared) {
    match shared.manner.shakes {
        Shakes::Hands | Shakes::DemandsCertificate | Shakes::OnlyHttp2 => {}
        Shakes::Closes => return after_hello(stream, Close::Fin).await,
        Shakes::Resets => return after_hello(stream, Close::Reset).await,
        Shakes::Hangs => {
            // The peer's end, or the bound: either way there is nothing more to hold.
            let _ = timeout(HOLD_LIMIT, tokio::io::copy(&mut stream, &mut tokio::io::sink())).await;
            return;
        }
    }
    // From here on, so that a client whose handshake is done knows that new keys concern it.
    let rekey = shared.rekey.subscribe();
    // A client that does not shake hands is what some tests are about; it has been told why.
    let Ok(mut tls) = acceptor.accept(stream).await else { return };
    shared.shaken.send_modify(|count| *count += 1);
    let Ok(upstream) = TcpStream::connect(shared.target).await else { return };
    let _ = upstream.set_nodelay(true);
    let close = relay(&mut tls, upstream, rekey, shared).await.unwrap_or(Close::Reset);
    if close == Close::Fin && shared.manner.ends == Ends::Notified {
        let _ = tls.shutdown().await;
    }
    let mut stream = tls.into_inner().0;
    if close == Close::Fin {
        let _ = stream.shutdown().await;
        shared.passed_on.send_modify(|count| *count += 1);
    }
    socket::end(stream, close).await;
}

async fn after_hello(mut stream: TcpStream, close: Close) {
    if stream.read(&mut vec![0; READ_SIZE]).await.is_ok() {
        socket::end(stream, close).await;
    }
}

/// Copies both ways until the upstream ends, and says how the client is to learn of it.
async fn relay(
    tls: &mut TlsStream<TcpStream>,
    mut upstream: TcpStream,
    mut rekey: watch::Receiver<usize>,
    shared: &Shared,
) -> io::Result<Close> {
    let (mut up, mut down) = (vec![0; READ_SIZE], vec![0; READ_SIZE]);
    let mut client_ended = false;
    loop {
        tokio::select! {
            n = tls.read(&mut up), if !client_ended => match n? {
                0 => {
                    client_ended = true;
                    upstream.shutdown().await?;
                }
                n => upstream.write_all(up.get(..n).unwrap_or_default()).await?,
            },
            n = upstream.read(&mut down) => match n? {
                0 => return Ok(Close::Fin),
                n => {
                    tls.write_all(down.get(..n).unwrap_or_default()).await?;
                    tls.flush().await?;
                    shared.passed_on.send_modify(|count| *count += 1);
                }
            },
            Ok(()) = rekey.changed() => {
                tls.get_mut().1.refresh_traffic_keys().map_err(io::Error::other)?;
                tls.flush().await?;
                shared.rekeyed.send_modify(|count| *count += 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_rustls::{
        TlsConnector,
        rustls::{
            ClientConfig, RootCertStore,
            crypto::ring,
            pki_types::{CertificateDer, ServerName, pem::PemObject},
        },
    };

    use super::super::{Authority, Front, Manner};
    use super::*;
    use crate::effects::{Answer, Upstream};

    async fn connect(
        front: &Front,
        authority: &Authority,
    ) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        let stream = TcpStream::connect(front.addr()).await?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// Sends a request that ends its connection, and reads to the end.
    async fn answer(manner: Manner) -> io::Result<String> {
        let (authority, upstream) = (Authority::new(), Upstream::start(|_| async { Answer::new(204) }).await);
        let front = Front::start(upstream.addr(), authority.certify(&["127.0.0.1"]), manner).await;
        let mut tls = connect(&front, &authority).await?;
        front.rekey(1).await;
        tls.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await?;
        let mut text = String::new();
        tls.read_to_string(&mut text).await?;
        Ok(text)
    }

    #[tokio::test]
    async fn an_instrument_behind_a_front_answers_and_its_end_is_notified_or_cut() {
        let notified = answer(Manner::default()).await.unwrap();
        assert!(notified.starts_with("HTTP/1.1 204"), "{notified}");
        let cut = answer(Manner { ends: Ends::Cut, ..Manner::default() }).await.unwrap_err();
        assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a_handshake_that_a_front_breaks_off_fails() {
        for shakes in [Shakes::Closes, Shakes::Resets] {
            assert!(answer(Manner { shakes, ..Manner::default() }).await.is_err(), "{shakes:?}");
        }
    }
}
