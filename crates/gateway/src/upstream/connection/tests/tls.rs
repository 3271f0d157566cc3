//! The same peer behind TLS, which decides record by record what goes out.

use std::io::{BufRead, ErrorKind};

use onlyonce_testbed::tls::{Authority, Certified};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, crypto::ring, pki_types::CertificateDer,
    server::WebPkiClientVerifier,
};

use super::*;

const CLOSING: &[u8] = b"HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
const UNSIZED: &[u8] = b"HTTP/1.1 201 Created\r\nConnection: close\r\n\r\nok";

/// The peer. What its session wants to send waits until it is told to.
struct Peer {
    tls: ServerConnection,
    stream: TcpStream,
}

impl Peer {
    fn shake(stream: TcpStream, config: ServerConfig) -> Self {
        // What it sends is to be there at once, not when what it sent before was acknowledged.
        stream.set_nodelay(true).unwrap();
        let mut peer = Self { tls: ServerConnection::new(Arc::new(config)).unwrap(), stream };
        while peer.tls.is_handshaking() {
            if peer.tls.wants_write() {
                peer.send();
            } else {
                peer.tls.read_tls(&mut peer.stream).unwrap();
                if peer.tls.process_new_packets().is_err() {
                    // What is wrong is told when the test says so.
                    break;
                }
            }
        }
        peer
    }

    /// What it wants to send.
    fn wanted(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    fn send(&mut self) {
        let bytes = self.wanted();
        self.stream.write_all(&bytes).unwrap();
    }

    /// Bytes that are no words. The client is not asked for new keys of its own.
    fn rekey(&mut self) -> Vec<u8> {
        self.tls.refresh_traffic_keys().unwrap();
        self.wanted()
    }

    fn say(&mut self, words: &[u8]) {
        self.tls.writer().write_all(words).unwrap();
        self.send();
    }

    fn end(&mut self) {
        self.tls.send_close_notify();
        self.send();
        self.cut();
    }

    /// FIN, which anybody could have sent.
    fn cut(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }

    fn read_head(&mut self) {
        self.read_until(|words| words.windows(4).any(|end| end == b"\r\n\r\n"));
    }

    fn read_until(&mut self, enough: impl Fn(&[u8]) -> bool) {
        let mut read = Vec::new();
        while !enough(&read) {
            match self.tls.reader().fill_buf().map(<[u8]>::to_vec) {
                Ok(words) => {
                    self.tls.reader().consume(words.len());
                    read.extend(words);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert_ne!(self.tls.read_tls(&mut self.stream).unwrap(), 0);
                    self.tls.process_new_packets().unwrap();
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

async fn opened(demands: bool) -> (Connection, Peer) {
    opened_at(TcpListener::bind("127.0.0.1:0").unwrap(), demands).await
}

async fn opened_at(listener: TcpListener, demands: bool) -> (Connection, Peer) {
    let authority = Authority::new();
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), authority.pem()).unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let target = Target::new(&url, Some(ca.path())).unwrap();
    let config = config(authority.certify(&["127.0.0.1"]), demands.then(|| authority.root()));
    let peer = tokio::task::spawn_blocking(move || Peer::shake(listener.accept().unwrap().0, config));
    let connection = open(&target).await;
    (connection, peer.await.unwrap())
}

fn config(certified: Certified, demands: Option<CertificateDer<'static>>) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match demands {
        Some(root) => {
            let mut roots = RootCertStore::empty();
            roots.add(root).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    builder.with_single_cert(certified.chain, certified.key).unwrap()
}

/// Does this with the peer, on a thread that may block.
async fn with<T: Send + 'static>(
    mut peer: Peer,
    act: impl FnOnce(&mut Peer) -> T + Send + 'static,
) -> (Peer, T) {
    let act = move || {
        let done = act(&mut peer);
        (peer, done)
    };
    tokio::task::spawn_blocking(act).await.unwrap()
}

/// Sends a request, which is answered so, and has the whole answer.
async fn ask(
    connection: &mut Connection,
    peer: Peer,
    answer: impl FnOnce(&mut Peer) + Send + 'static,
) -> (Peer, Result<bytes::Bytes, hyper::Error>) {
    let answering = tokio::spawn(with(peer, |peer| {
        peer.read_head();
        answer(peer);
    }));
    let head = connection.send(request(Vec::new()), None).await.unwrap();
    let body = head.into_body().collect().await.map(http_body_util::Collected::to_bytes);
    (answering.await.unwrap().0, body)
}

/// A connection that has brought one whole answer, after which the peer did `then`.
async fn used(answer: &'static [u8], then: impl FnOnce(&mut Peer) + Send + 'static) -> (Connection, Peer) {
    let (mut connection, peer) = opened(false).await;
    let (peer, body) = ask(&mut connection, peer, |peer| {
        peer.say(answer);
        then(peer);
    })
    .await;
    assert_eq!(body.unwrap(), "ok");
    (connection, peer)
}

async fn after(answer: &'static [u8], then: impl FnOnce(&mut Peer) + Send + 'static) -> Afterwards {
    let (mut connection, _peer) = used(answer, then).await;
    connection.afterwards().await
}

/// One whole exchange.
#[must_use = "a peer that is dropped has left"]
async fn assert_serves(connection: &mut Connection, peer: Peer) -> Peer {
    let (peer, body) = ask(connection, peer, |peer| peer.say(ANSWER)).await;
    assert_eq!(body.unwrap(), "ok");
    peer
}

#[tokio::test]
async fn session_tickets_are_no_words_whenever_they_come() {
    let (mut connection, mut peer) = opened(false).await;
    let tickets = peer.wanted();
    assert!(tickets.len() > 100, "the peer gives tickets");
    peer.stream.write_all(&tickets).unwrap();
    assert_eq!(connection.tapped.heard(), Heard::Silence, "they have come while nothing is asked");
    let _peer = assert_serves(&mut connection, peer).await;
    assert_eq!(connection.afterwards().await, Afterwards::Reusable);
    assert!(connection.is_clean());

    let (mut connection, peer) = opened(false).await;
    // Not a byte until the request has come: tickets and answer in one write.
    let _peer = assert_serves(&mut connection, peer).await;
    assert_eq!(connection.afterwards().await, Afterwards::Reusable);
}

#[tokio::test]
async fn new_keys_after_an_answer_and_while_idle_are_no_words() {
    let (mut connection, mut peer) = used(ANSWER, |peer| {
        let keys = peer.rekey();
        peer.stream.write_all(&keys).unwrap();
    })
    .await;
    assert_eq!(connection.afterwards().await, Afterwards::Reusable);
    let keys = peer.rekey();
    peer.stream.write_all(&keys).unwrap();
    assert!(connection.is_clean());
    let _peer = assert_serves(&mut connection, peer).await;
    assert_eq!(connection.afterwards().await, Afterwards::Reusable);
}

/// It may be a ticket or an answer to nobody: no reason to doubt the answer that came, nor to ask again here.
#[tokio::test]
async fn half_a_record_spoils_no_answer_and_ends_the_use_of_its_connection() {
    let half = |peer: &mut Peer| {
        let keys = peer.rekey();
        peer.stream.write_all(&keys[..keys.len() / 2]).unwrap();
    };
    assert_eq!(after(ANSWER, half).await, Afterwards::Ended);
    let (mut connection, peer) = used(ANSWER, |_| {}).await;
    assert_eq!(connection.afterwards().await, Afterwards::Reusable);
    let (_peer, ()) = with(peer, half).await;
    assert!(!connection.is_clean());
    let unanswered = connection.send(request(b"hi".to_vec()), None).await.unwrap_err();
    assert!(matches!(unanswered, Unanswered::HandedBack(_)), "{unanswered:?}");
}

#[tokio::test]
async fn half_a_ticket_on_a_fresh_connection_does_not_hold_up_its_request() {
    let (mut connection, mut peer) = opened(false).await;
    let mut tickets = peer.wanted();
    let rest = tickets.split_off(tickets.len() / 2);
    peer.stream.write_all(&tickets).unwrap();
    let (_peer, body) = ask(&mut connection, peer, move |peer| {
        peer.stream.write_all(&rest).unwrap();
        peer.say(ANSWER);
    })
    .await;
    assert_eq!(body.unwrap(), "ok");
    assert_eq!(connection.afterwards().await, Afterwards::Reusable);
}

#[tokio::test]
async fn a_request_for_a_peer_that_has_spoken_or_ended_is_handed_back() {
    type Act = fn(&mut Peer);
    let acts: [(&str, Act); 4] = [
        ("words", |peer| peer.say(ANSWER)),
        ("an end", Peer::end),
        ("a cut", |peer| peer.cut()),
        ("a reset", |peer| {
            rustix::net::sockopt::set_socket_linger(&peer.stream, Some(Duration::ZERO)).unwrap()
        }),
    ];
    for fresh in [true, false] {
        for (name, act) in acts {
            let (mut connection, peer) = if fresh { opened(false).await } else { used(ANSWER, |_| {}).await };
            if !fresh {
                assert_eq!(connection.afterwards().await, Afterwards::Reusable);
            }
            let (peer, ()) = with(peer, act).await;
            let kept = (name != "a reset").then_some(peer);
            assert!(!connection.is_clean(), "{name}");
            let unanswered = connection.send(request(b"hi".to_vec()), None).await.unwrap_err();
            assert!(matches!(unanswered, Unanswered::HandedBack(_)), "{name}: {unanswered:?}");
            drop(kept);
        }
    }
}

/// TLS 1.3: to the client the handshake is done before its certificate is asked for in vain.
#[tokio::test]
async fn a_client_that_is_refused_for_want_of_a_certificate_has_sent_nothing_if_the_alert_is_there() {
    let (mut connection, mut peer) = opened(true).await;
    peer.send();
    let unanswered = connection.send(request(b"hi".to_vec()), None).await.unwrap_err();
    assert!(matches!(unanswered, Unanswered::HandedBack(_)), "{unanswered:?}");
}

#[tokio::test]
async fn a_refusal_that_comes_after_the_request_leaves_it_lost() {
    let (mut connection, peer) = opened(true).await;
    let refusing = tokio::spawn(with(peer, |peer| {
        // The request is there, unread.
        while peer.stream.peek(&mut [0]).unwrap() == 0 {}
        peer.send();
    }));
    let unanswered = connection.send(request(b"hi".to_vec()), None).await.unwrap_err();
    assert!(matches!(unanswered, Unanswered::Lost), "{unanswered:?}");
    refusing.await.unwrap();
}

#[tokio::test]
async fn a_request_that_is_encrypted_was_still_not_sent_if_the_socket_took_no_byte() {
    let (mut connection, mut peer) = opened(false).await;
    shutdown(connection.tapped.stream(), Shutdown::Write).unwrap();
    let unanswered = connection.send(request(b"hi".to_vec()), None).await.unwrap_err();
    assert!(matches!(unanswered, Unanswered::NothingTaken), "{unanswered:?}");
    drop(connection);
    assert_eq!(peer.stream.read(&mut [0]).unwrap(), 0, "nor is it sent when the connection is let go");
}

#[tokio::test]
async fn a_request_whose_time_is_over_before_it_is_looked_at_is_handed_back() {
    let (mut connection, mut peer) = opened(false).await;
    let unanswered = connection.send(request(b"hi".to_vec()), Some(Boot::now())).await.unwrap_err();
    assert!(matches!(unanswered, Unanswered::HandedBack(_)), "{unanswered:?}");
    drop(connection);
    assert_eq!(peer.stream.read(&mut [0]).unwrap(), 0);
}

#[tokio::test]
async fn a_first_byte_that_comes_too_late_is_not_taken() {
    let (connection, mut peer) = opened(false).await;
    takes_nothing_late(&connection).await;
    end(connection).await;
    assert_eq!(peer.stream.read(&mut [0]).unwrap(), 0);
}

#[tokio::test]
async fn once_its_first_byte_was_taken_in_time_a_request_may_go_on() {
    let (connection, peer) = opened(false).await;
    takes_the_rest_late(&connection).await;
    with(peer, |peer| peer.read_until(|words| words == b"hi")).await;
}

#[tokio::test]
async fn one_byte_that_was_taken_makes_it_lost() {
    let (mut connection, peer) = opened(false).await;
    let closing = tokio::spawn(with(peer, |peer| while peer.stream.peek(&mut [0]).unwrap() == 0 {}));
    let closing = tokio::spawn(async move { drop(closing.await.unwrap()) });
    let unanswered = connection.send(request(b"hi".to_vec()), None).await.unwrap_err();
    assert!(matches!(unanswered, Unanswered::Lost), "{unanswered:?}");
    closing.await.unwrap();
}

#[tokio::test]
async fn surplus_words_spoil_the_answer_in_whichever_record_they_come() {
    const ONE: &[u8] = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok!";
    const LAST: &[u8] = b"HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok!";
    for surplus in [ONE, LAST] {
        assert_eq!(after(surplus, |_| {}).await, Afterwards::Dirty);
    }
    let (mut connection, peer) = opened(false).await;
    let (_peer, body) = ask(&mut connection, peer, |peer| {
        // Two records in one write.
        peer.tls.writer().write_all(ANSWER).unwrap();
        peer.say(b"!");
    })
    .await;
    assert_eq!(body.unwrap(), "ok");
    assert_eq!(connection.afterwards().await, Afterwards::Dirty);
}

#[tokio::test]
async fn an_answer_that_says_its_length_is_whole_however_its_connection_ends() {
    for answer in [ANSWER, CLOSING] {
        assert_eq!(after(answer, Peer::end).await, Afterwards::Ended);
        assert_eq!(after(answer, |peer| peer.cut()).await, Afterwards::Ended);
    }
}

#[tokio::test]
async fn an_answer_that_only_its_connections_end_ends_is_whole_only_if_that_was_notified() {
    assert_eq!(after(UNSIZED, Peer::end).await, Afterwards::Ended);
    let (mut connection, peer) = opened(false).await;
    let (_peer, body) = ask(&mut connection, peer, |peer| {
        peer.say(UNSIZED);
        peer.cut();
    })
    .await;
    assert!(body.is_err(), "anybody can send a FIN");
}

#[tokio::test]
async fn a_request_of_many_records_arrives_and_its_connection_serves_on() {
    const BODY: usize = 4 << 20;
    let (mut connection, peer) = opened(false).await;
    let answering = tokio::spawn(with(peer, |peer| {
        peer.read_until(|words| words.len() > BODY);
        peer.say(ANSWER);
    }));
    let head = connection.send(request(vec![7; BODY]), None).await.unwrap();
    assert_eq!(head.into_body().collect().await.unwrap().to_bytes(), "ok");
    let _peer = answering.await.unwrap();
    assert_eq!(connection.afterwards().await, Afterwards::Reusable);
}

/// All of it is encrypted and some of it is not sent: to the library the request is written, and its answer is whole. On
/// that connection the next request would go out behind the rest of this one, which the peer may take for its beginning.
#[tokio::test]
async fn a_connection_whose_request_lies_unsent_in_its_session_is_not_used_again() {
    use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    set_socket_recv_buffer_size(&listener, 4 << 10).unwrap();
    let (mut connection, peer) = opened_at(listener, false).await;
    set_socket_send_buffer_size(connection.tapped.stream(), 4 << 10).unwrap();
    let answering = tokio::spawn(with(peer, |peer| {
        peer.read_head();
        peer.say(ANSWER);
    }));
    // Less than a session holds, and more than these sockets.
    let head = connection.send(request(vec![7; 48 << 10]), None).await.unwrap();
    assert_eq!(head.into_body().collect().await.unwrap().to_bytes(), "ok");
    let _peer = answering.await.unwrap();
    connection.sender.ready().await.unwrap();
    assert!(!connection.tapped.is_flushed(), "the peer does not read on");
    assert_eq!(connection.afterwards().await, Afterwards::Ended);
}
