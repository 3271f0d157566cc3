//! A peer on a blocking socket, so that what it does is in the kernel before the reactor knows of it.

mod tls;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use http_body_util::BodyExt;
use rustix::net::{Shutdown, shutdown};
use tokio::io::AsyncWriteExt;

use super::{super::places::Places, *};

const ANSWER: &[u8] = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok";
const ENOUGH: Duration = Duration::from_secs(10);

async fn pair() -> (Connection, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = Target::new(&format!("http://{}", listener.local_addr().unwrap()), None).unwrap();
    (open(&target).await, listener.accept().unwrap().0)
}

async fn open(target: &Target) -> Connection {
    let place = Places::new(1).take(|| {}).await;
    Connection::open(target, place, Instant::now() + ENOUGH).await.unwrap()
}

fn request(body: Vec<u8>) -> Request<RequestBody> {
    let request = Request::post("/t").header("host", "h").header("content-length", body.len());
    request.body(RequestBody::from(bytes::Bytes::from(body))).unwrap()
}

fn read_head(peer: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        peer.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
}

/// A connection that has brought one whole answer, after which the peer did `then`.
async fn used(answer: &[u8], then: impl FnOnce(&mut TcpStream) + Send + 'static) -> (Connection, TcpStream) {
    let (mut connection, mut peer) = pair().await;
    let answer = answer.to_vec();
    let peer = tokio::task::spawn_blocking(move || {
        read_head(&mut peer);
        peer.write_all(&answer).unwrap();
        then(&mut peer);
        peer
    });
    let answer = connection.send(request(Vec::new()), None).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    (connection, peer.await.unwrap())
}

async fn after(answer: &[u8], then: impl FnOnce(&mut TcpStream) + Send + 'static) -> Afterwards {
    let (mut connection, _peer) = used(answer, then).await;
    connection.afterwards().await
}

#[tokio::test]
async fn a_request_for_a_peer_that_has_closed_is_handed_back_though_the_reactor_does_not_know() {
    let (mut connection, peer) = used(ANSWER, |_| {}).await;
    assert_eq!(connection.afterwards().await, Afterwards::Reusable);
    drop(peer);
    // No await in between: the driver writes before the reactor is asked, unless it looks.
    let unanswered = connection.send(request(b"hi".to_vec()), None).await.unwrap_err();
    let Unanswered::HandedBack(request) = unanswered else { panic!("{unanswered:?}") };
    assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), "hi");
}

#[tokio::test]
async fn a_request_for_a_peer_that_has_reset_or_spoken_is_handed_back() {
    for speaks in [true, false] {
        let (mut connection, mut peer) = used(ANSWER, |_| {}).await;
        assert_eq!(connection.afterwards().await, Afterwards::Reusable);
        if speaks {
            peer.write_all(ANSWER).unwrap();
        } else {
            rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
            drop(peer);
        }
        let unanswered = connection.send(request(b"hi".to_vec()), None).await.unwrap_err();
        assert!(matches!(unanswered, Unanswered::HandedBack(_)), "speaks {speaks}: {unanswered:?}");
    }
}

#[tokio::test]
async fn a_fresh_connection_that_the_peer_closed_or_spoke_on_takes_nothing() {
    for speaks in [true, false] {
        let (mut connection, mut peer) = pair().await;
        if speaks {
            // As a load balancer does that has no server left.
            peer.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").unwrap();
        } else {
            drop(peer);
        }
        let unanswered = connection.send(request(b"hi".to_vec()), None).await.unwrap_err();
        assert!(matches!(unanswered, Unanswered::HandedBack(_)), "speaks {speaks}: {unanswered:?}");
    }
}

#[tokio::test]
async fn a_request_that_hyper_keeps_was_still_not_sent_if_the_socket_took_no_byte() {
    let (mut connection, mut peer) = pair().await;
    shutdown(connection.tapped.stream(), Shutdown::Write).unwrap();
    let unanswered = connection.send(request(b"hi".to_vec()), None).await.unwrap_err();
    assert!(matches!(unanswered, Unanswered::NothingTaken), "{unanswered:?}");
    drop(connection);
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}

#[tokio::test]
async fn a_request_whose_time_is_over_before_it_is_looked_at_is_handed_back() {
    let (fresh, fresh_peer) = pair().await;
    let (mut served, served_peer) = used(ANSWER, |_| {}).await;
    assert_eq!(served.afterwards().await, Afterwards::Reusable);
    for (mut connection, mut peer) in [(fresh, fresh_peer), (served, served_peer)] {
        let before = connection.tapped.written();
        let unanswered = connection.send(request(b"hi".to_vec()), Some(Boot::now())).await.unwrap_err();
        assert!(matches!(unanswered, Unanswered::HandedBack(_)), "{unanswered:?}");
        assert!(connection.is_late());
        assert_eq!(connection.tapped.written(), before);
        drop(connection);
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    }
}

#[tokio::test]
async fn a_request_that_is_in_time_is_answered_and_the_next_may_come_whenever() {
    let (mut connection, mut peer) = pair().await;
    let peer = tokio::task::spawn_blocking(move || {
        for _ in 0..2 {
            read_head(&mut peer);
            peer.write_all(ANSWER).unwrap();
        }
        peer
    });
    for until in [Some(Boot::now().plus(ENOUGH)), None] {
        let answer = connection.send(request(Vec::new()), until).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
        assert_eq!(connection.afterwards().await, Afterwards::Reusable);
    }
    peer.await.unwrap();
}

/// What passes after the look, the socket alone can see.
#[tokio::test]
async fn a_first_byte_that_comes_too_late_is_not_taken() {
    let (connection, mut peer) = pair().await;
    takes_nothing_late(&connection).await;
    end(connection).await;
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}

#[tokio::test]
async fn once_its_first_byte_was_taken_in_time_a_request_may_go_on() {
    let (connection, mut peer) = pair().await;
    takes_the_rest_late(&connection).await;
    end(connection).await;
    let mut read = String::new();
    peer.read_to_string(&mut read).unwrap();
    assert_eq!(read, "hi");
}

async fn takes_nothing_late(connection: &Connection) {
    let mut tap = Tap(Arc::clone(&connection.tapped));
    tap.0.expect_request(Some(Boot::now()));
    for _ in 0..2 {
        let refused = tap.write(b"hi").await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut, "{refused}");
        // Neither is what a session holds by now.
        let _ = tap.flush().await;
        assert_eq!(connection.tapped.written(), 0);
    }
}

async fn takes_the_rest_late(connection: &Connection) {
    let mut tap = Tap(Arc::clone(&connection.tapped));
    let soon = Boot::now().plus(Duration::from_millis(500));
    tap.0.expect_request(Some(soon));
    tap.write_all(b"h").await.unwrap();
    while Boot::now() < soon {
        tokio::task::yield_now().await;
    }
    tap.write_all(b"i").await.unwrap();
    tap.flush().await.unwrap();
}

/// Ends it, with its driver.
async fn end(mut connection: Connection) {
    connection.driver.stop().await;
}

#[tokio::test]
async fn one_byte_that_was_taken_makes_it_lost_even_if_the_peer_never_read_it() {
    let (mut connection, peer) = pair().await;
    let close = tokio::task::spawn_blocking(move || {
        // Readable, and closed unread: the kernel says RST.
        while peer.peek(&mut [0]).unwrap() == 0 {}
    });
    let unanswered = connection.send(request(b"hi".to_vec()), None).await.unwrap_err();
    assert!(matches!(unanswered, Unanswered::Lost), "{unanswered:?}");
    close.await.unwrap();
}

#[tokio::test]
async fn a_peer_that_leaves_once_its_answer_is_read_has_spoilt_nothing() {
    for resets in [true, false] {
        let (mut connection, peer) = used(ANSWER, |_| {}).await;
        connection.sender.ready().await.unwrap();
        if resets {
            rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
        }
        drop(peer);
        assert_eq!(connection.afterwards().await, Afterwards::Ended, "resets {resets}");
    }
}

#[tokio::test]
async fn a_peer_that_closes_or_resets_after_its_answer_has_spoilt_nothing() {
    assert_eq!(after(ANSWER, |_| {}).await, Afterwards::Reusable);
    assert_eq!(
        after(ANSWER, |peer| peer.shutdown(std::net::Shutdown::Both).unwrap()).await,
        Afterwards::Ended
    );
    let closing = b"HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    assert_eq!(after(closing, |_| {}).await, Afterwards::Ended);
    assert_eq!(
        after(b"HTTP/1.1 201 Created\r\n\r\nok", |peer| {
            peer.shutdown(std::net::Shutdown::Write).unwrap();
        })
        .await,
        Afterwards::Ended
    );
    let old = b"HTTP/1.0 201 Created\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok";
    assert_eq!(after(old, |_| {}).await, Afterwards::Ended);
}

#[tokio::test]
async fn surplus_bytes_spoil_answer_and_connection_also_where_it_is_closed_anyway() {
    for head in ["Content-Length: 2", "Connection: close\r\nContent-Length: 2"] {
        let surplus = format!("HTTP/1.1 201 Created\r\n{head}\r\n\r\nok!");
        assert_eq!(after(surplus.as_bytes(), |_| {}).await, Afterwards::Dirty, "{head}");
    }
    // It comes when nobody reads any more.
    let (mut connection, mut peer) =
        used(b"HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", |_| {}).await;
    peer.write_all(b"!").unwrap();
    assert_eq!(connection.afterwards().await, Afterwards::Dirty);
}

#[tokio::test]
async fn an_answer_before_the_end_of_its_request_stands_and_ends_the_connection() {
    let (mut connection, mut peer) = pair().await;
    let peer = tokio::task::spawn_blocking(move || {
        read_head(&mut peer);
        peer.write_all(ANSWER).unwrap();
        peer
    });
    // More than the socket takes while the peer does not read.
    let answer = connection.send(request(vec![0; 32 << 20]), None).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    let mut peer = peer.await.unwrap();
    let reading = tokio::task::spawn_blocking(move || std::io::copy(&mut peer, &mut std::io::sink()));
    assert_eq!(connection.afterwards().await, Afterwards::Ended);
    drop(connection);
    reading.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_answer_before_the_end_of_its_request_stands_though_the_peer_leaves() {
    let (mut connection, mut peer) = pair().await;
    tokio::task::spawn_blocking(move || {
        read_head(&mut peer);
        peer.write_all(ANSWER).unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        std::io::copy(&mut peer, &mut std::io::sink())
    });
    let answer = connection.send(request(vec![0; 32 << 20]), None).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    assert_eq!(connection.afterwards().await, Afterwards::Ended);
}

#[test]
fn what_the_upstream_says_of_its_patience_is_read() {
    for (line, seconds) in [
        ("timeout=5", Some(5)),
        ("max=100, Timeout = 1", Some(1)),
        ("timeout=5, timeout=9", Some(5)),
        ("max=100", None),
        ("timeout=soon", None),
    ] {
        let headers = [("keep-alive".parse().unwrap(), line.parse().unwrap())].into_iter().collect();
        assert_eq!(keeps(&headers), seconds.map(Duration::from_secs), "{line}");
    }
}
