//! One request at a time against upstreams that close, speak out of turn, or frame their answers twice.

use std::io::{Read as _, Write as _};

use bytes::Bytes;
use http_body_util::BodyExt;
use onlyonce_testbed::{
    effects::Upstream,
    hostile::{Behaviour, End, Hostile, Piece, Plan, Reads},
};

use super::{
    super::{places::Places, target::Target},
    *,
};
use crate::workers::Workers;

const ENOUGH: std::time::Duration = std::time::Duration::from_secs(10);

fn target(authority: impl ToString) -> Target {
    Target::new(&format!("http://{}", authority.to_string()), None).unwrap()
}

fn pool(authority: impl ToString) -> Arc<Pool> {
    Pool::new(target(authority), ENOUGH, ENOUGH, Places::new(1))
}

fn request() -> Request<RequestBody> {
    let request = Request::post("/t").header("host", "h").header("content-length", 2);
    request.body(RequestBody::from(Bytes::from_static(b"hi"))).unwrap()
}

async fn take(pool: &Pool, purpose: Use) -> Result<Connection, NotOpened> {
    match pool.idle(purpose) {
        Some(connection) => Ok(connection),
        None => pool.fresh().await,
    }
}

/// A pooled connection that its upstream has closed since it was taken.
async fn closed_since(pool: &Arc<Pool>, hostile: &Hostile) -> Connection {
    let answer = Proxy::new(Arc::clone(pool)).forward(request()).await;
    answer.into_body().collect().await.unwrap();
    let connection = take(pool, Use::Keyed).await.unwrap();
    assert!(connection.is_used());
    hostile.cue().await;
    connection
}

#[tokio::test]
async fn a_request_that_was_handed_back_unwritten_goes_once_on_a_fresh_connection() {
    let hostile = Hostile::start(Behaviour::ClosesIdleOnCue).await;
    let pool = pool(hostile.addr());
    let stale = closed_since(&pool, &hostile).await;
    let answer = Proxy::new(Arc::clone(&pool)).deliver(request(), Use::Keyed, None, Some(stale)).await;
    assert_eq!(answer.status(), 201);
    assert_eq!((hostile.connections(), hostile.bodies()), (2, 2));
}

#[tokio::test]
async fn a_request_that_was_handed_back_is_not_sent_if_there_is_no_fresh_connection() {
    let hostile = Hostile::start(Behaviour::ClosesIdleOnCue).await;
    let pool = pool(hostile.addr());
    let stale = closed_since(&pool, &hostile).await;
    hostile.stop().await;
    let answer = Proxy::new(pool).deliver(request(), Use::Keyed, None, Some(stale)).await;
    assert_eq!(answer.extensions().get(), Some(&NoAnswer::NotSent));
}

#[tokio::test]
async fn a_connection_that_is_too_old_for_a_keyed_request_stays_for_others() {
    let upstream = Upstream::counting().await;
    let pool = Pool::new(target(upstream.addr()), ENOUGH, std::time::Duration::ZERO, Places::new(100));
    let proxy = Proxy::new(Arc::clone(&pool));
    proxy.clone().forward(request()).await.into_body().collect().await.unwrap();
    assert!(!take(&pool, Use::Keyed).await.unwrap().is_used());
    assert!(take(&pool, Use::Unkeyed).await.unwrap().is_used());
}

/// Idle connections are for saving work. Where they take the last places, they would be for refusing it.
#[tokio::test]
async fn an_idle_connection_makes_room_for_one_that_is_wanted() {
    let upstream = Upstream::counting().await;
    let pool = Pool::new(target(upstream.addr()), ENOUGH, std::time::Duration::ZERO, Places::new(1));
    let proxy = Proxy::new(Arc::clone(&pool));
    for n in 1..=3 {
        // Too old for a keyed request, at once.
        let taken = take(&pool, Use::Keyed).await;
        let answer = proxy.clone().deliver(request(), Use::Keyed, None, taken.ok()).await;
        answer.into_body().collect().await.unwrap();
        assert!(!pool.is_empty(), "it is kept while nobody wants its place");
        assert_eq!((upstream.arrivals(), upstream.connections()), (n, n));
    }
}

#[tokio::test]
async fn who_waits_for_a_place_gets_it_from_a_connection_that_would_be_kept() {
    let upstream = Upstream::counting().await;
    let pool = Pool::new(target(upstream.addr()), ENOUGH, ENOUGH, Places::new(1));
    let held = take(&pool, Use::Keyed).await.unwrap();
    let mut waits = std::pin::pin!(take(&pool, Use::Keyed));
    tokio::select! {
        biased;
        _ = &mut waits => panic!("there is no place"),
        () = tokio::task::yield_now() => {}
    }
    pool.give_back(held);
    assert!(!waits.await.unwrap().is_used());
}

#[tokio::test]
async fn a_request_for_which_there_is_no_place_was_not_sent() {
    let upstream = Upstream::counting().await;
    let places = Places::new(1);
    let of = |connect| Pool::new(target(upstream.addr()), connect, ENOUGH, Arc::clone(&places));
    let _held = of(ENOUGH).fresh().await.unwrap();
    let answer = Proxy::new(of(std::time::Duration::ZERO)).forward(request()).await;
    assert_eq!((answer.extensions().get(), upstream.arrivals()), (Some(&NoAnswer::NoPlace), 0));
}

#[tokio::test]
async fn a_connection_is_kept_also_if_nobody_asks_for_the_end_of_its_answer() {
    let upstream = Upstream::counting().await;
    let proxy = Proxy::new(pool(upstream.addr()));
    for _ in 0..3 {
        let mut body = proxy.clone().forward(request()).await.into_body();
        // As hyper's server does, which counts the bytes that were announced.
        body.frame().await.unwrap().unwrap();
        drop(body);
        let given_back = async {
            while proxy.pool.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(ENOUGH, given_back).await.expect("the connection comes back");
    }
    assert_eq!((upstream.arrivals(), upstream.connections()), (3, 1));
}

/// Whoever serves a client's next request, its connection upstream need not be opened anew.
#[tokio::test]
async fn a_connection_that_another_worker_left_is_used_before_one_is_opened() {
    let upstream = Upstream::counting().await;
    let pool = pool(upstream.addr());
    let workers = Workers::start(2).unwrap();
    for worker in workers.all().iter().chain(&workers.all()) {
        let proxy = Proxy::new(Arc::clone(&pool));
        let answered = async move { proxy.forward(request()).await.into_body().collect().await.unwrap() };
        worker.handle().spawn(answered).await.unwrap();
    }
    assert_eq!((upstream.arrivals(), upstream.connections()), (4, 1));
}

/// Nobody waits for the judgement of an answer to a request without a key, and nobody drives the connection until it is
/// used again.
#[tokio::test]
async fn what_follows_an_answer_that_nobody_judged_is_not_the_answer_to_the_next_request() {
    let answer = |body: &str| format!("HTTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let pool = pool(listener.local_addr().unwrap());
    let (judge, judged) = std::sync::mpsc::channel();
    let (speak, spoken) = tokio::sync::oneshot::channel();
    // A thread of its own: if it waits in vain, the test does not wait for it.
    std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        read(&mut peer);
        peer.write_all(answer("ok").as_bytes()).unwrap();
        judged.recv().unwrap();
        peer.write_all(answer("forged").as_bytes()).unwrap();
        speak.send(()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        read(&mut peer);
        peer.write_all(answer("next").as_bytes()).unwrap();
    });
    let proxy = Proxy::new(Arc::clone(&pool));
    let mut body = proxy.clone().forward(request()).await.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "ok");
    // As hyper's server does: it has what was announced, and asks for no more.
    drop(body);
    assert!(!pool.is_empty(), "it is kept");
    judge.send(()).unwrap();
    spoken.await.unwrap();
    let next = proxy.forward(request()).await.into_body().collect().await.unwrap();
    assert_eq!(next.to_bytes(), "next");
}

/// One request of [`request`].
fn read(peer: &mut std::net::TcpStream) {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\nhi") {
        let mut byte = [0];
        peer.read_exact(&mut byte).unwrap();
        read.extend(byte);
    }
}

/// The first answer came with the upstream's version and reason, the replay with ours.
#[tokio::test]
async fn version_and_reason_of_a_status_line_are_the_gateways_own() {
    let writes = vec![Piece::Bytes(b"HTTP/1.0 201 Moved Money\r\nContent-Length: 2\r\n\r\nok".to_vec())];
    let plan = Plan { reads: Reads::Whole, writes, end: End::Hold };
    let hostile = Hostile::start(Behaviour::Planned(plan)).await;
    let answer = Proxy::new(pool(hostile.addr())).forward(request()).await;
    assert_eq!((answer.status(), answer.version()), (StatusCode::CREATED, Version::HTTP_11));
    assert!(answer.extensions().get::<hyper::ext::ReasonPhrase>().is_none());
}

#[test]
fn an_answer_is_framed_once_or_not_trusted() {
    for (lines, once) in [
        (&[][..], true),
        (&[("content-length", "2")], true),
        (&[("transfer-encoding", "chunked")], true),
        (&[("transfer-encoding", "Chunked ")], true),
        (&[("content-length", "2"), ("content-length", "2")], false),
        (&[("content-length", "2, 2")], false),
        (&[("content-length", "2"), ("transfer-encoding", "chunked")], false),
        (&[("transfer-encoding", "gzip, chunked")], false),
        (&[("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")], false),
        (&[("transfer-encoding", "identity")], false),
    ] {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        assert_eq!(is_framed_once(&headers), once, "{lines:?}");
    }
}
