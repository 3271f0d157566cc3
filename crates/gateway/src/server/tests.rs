//! The clocks of a connection, on a paused clock and a socket in memory; and how many connections there are.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::http2;
use onlyonce_testbed::client::{Connection, Request as Asked};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::{Notify, mpsc},
    task::JoinHandle,
};

use super::*;
use crate::workers::{self, Workers};

const TIMES: Times = Times { head: HEADER_TIME, idle: Duration::from_secs(75), stall: STALL_TIME };
/// Longer than any of the clocks: where one is off, its test fails instead of waiting.
const EVER: Duration = Duration::from_secs(24 * 3600);
const ASKED: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// A client's end of a connection whose every request is answered with `hello`.
fn connected() -> DuplexStream {
    serving(Bytes::from_static(b"hello")).0
}

/// A client's end of a connection whose every request has this answer, and the server's task.
fn serving(body: Bytes) -> (DuplexStream, JoinHandle<()>) {
    let (client, server) = tokio::io::duplex(4096);
    let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let (sender, draining) = watch::channel(false);
    let task = tokio::spawn(async move {
        let _sender = sender;
        let service = service_fn(move |_: Request<Incoming>| {
            let body = body.clone();
            async { Ok::<_, Infallible>(Response::new(Full::new(body))) }
        });
        connection(server, permit, service, TIMES, draining).await;
    });
    (client, task)
}

async fn answered(client: &mut DuplexStream) {
    client.write_all(ASKED).await.unwrap();
    let mut got = Vec::new();
    while !got.ends_with(b"hello") {
        assert_ne!(client.read_buf(&mut got).await.unwrap(), 0, "it was closed");
    }
}

/// What comes until the connection ends or breaks off.
async fn rest(client: &mut DuplexStream) -> Vec<u8> {
    let mut told = Vec::new();
    let _ = tokio::time::timeout(EVER, client.read_to_end(&mut told)).await.expect("it ends");
    told
}

/// A balancer keeps idle connections for a minute: the time for a head must not close them under its next request.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_outlives_the_time_for_a_head() {
    let mut client = connected();
    answered(&mut client).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    // The server's clocks ring, if any does, before the next request comes.
    tokio::task::yield_now().await;
    answered(&mut client).await;
    // Nothing more is asked for, and in the end it is closed without a word.
    let answered = tokio::time::Instant::now();
    assert!(rest(&mut client).await.is_empty());
    assert_eq!(answered.elapsed().as_secs(), TIMES.idle.as_secs());
}

#[tokio::test(start_paused = true)]
async fn half_a_head_is_timed_out_and_told_so_also_after_an_answer() {
    for answered_before in [false, true] {
        let mut client = connected();
        if answered_before {
            answered(&mut client).await;
        }
        let begun = tokio::time::Instant::now();
        client.write_all(&ASKED[..10]).await.unwrap();
        let told = rest(&mut client).await;
        assert!(told.starts_with(b"HTTP/1.1 408 "), "{told:?}");
        assert_eq!(begun.elapsed().as_secs(), HEADER_TIME.as_secs());
    }
}

/// A head that trickles in is no better than one that stops.
#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_in_has_no_more_time() {
    let mut client = connected();
    for byte in &ASKED[..9] {
        client.write_all(&[*byte]).await.unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
    tokio::time::advance(Duration::from_secs(2)).await;
    let told = rest(&mut client).await;
    assert!(told.starts_with(b"HTTP/1.1 408 "), "{told:?}");
}

/// What is buffered for a client that does not read is not held for ever.
#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_of_its_answer_is_left() {
    let (mut client, server) = serving(Bytes::from(vec![b'x'; 1 << 20]));
    client.write_all(ASKED).await.unwrap();
    let begun = tokio::time::Instant::now();
    tokio::time::timeout(STALL_TIME * 2, server).await.expect("it is held for ever").unwrap();
    assert_eq!(begun.elapsed(), STALL_TIME);
}

/// Slow is not stalled: whoever takes something within the time gets all of it.
#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_gets_its_whole_answer() {
    let size = 1 << 16;
    let (mut client, _server) = serving(Bytes::from(vec![b'x'; size]));
    client.write_all(ASKED).await.unwrap();
    let (mut got, mut piece) = (0, [0; 4096]);
    while got < size {
        tokio::time::advance(STALL_TIME - Duration::from_secs(1)).await;
        let count = client.read(&mut piece).await.unwrap();
        assert_ne!(count, 0, "it was left after {got} bytes");
        got += count;
        tokio::task::yield_now().await;
    }
}

/// How much of an answer a client of HTTP/2 takes unread in these tests.
const WINDOW: u32 = 1000;

/// A client's end of an HTTP/2 connection.
async fn speaking_http2<S, B>(service: S) -> http2::SendRequest<Empty<Bytes>>
where
    S: HyperService<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let (client, server) = tokio::io::duplex(1 << 20);
    let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    tokio::spawn(async move {
        let (_sender, draining) = watch::channel(false);
        connection(server, permit, service, TIMES, draining).await;
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(WINDOW);
    let (sender, driver) = builder.handshake(TokioIo::new(client)).await.unwrap();
    tokio::spawn(driver);
    sender
}

/// A body that comes piece by piece.
struct Fed(mpsc::Receiver<Bytes>);

impl http_body::Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|data| data.map(|data| Ok(Frame::data(data))))
    }
}

/// Bytes of which it can be told whether somebody still holds them.
struct Watched(Arc<[u8]>);

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

async fn get(sender: &mut http2::SendRequest<Empty<Bytes>>, path: &str) -> Response<Incoming> {
    sender.ready().await.unwrap();
    let request = Request::get(format!("http://x{path}")).body(Empty::new()).unwrap();
    sender.send_request(request).await.unwrap()
}

/// Its connection lives on, for the others behind the same proxy.
#[tokio::test(start_paused = true)]
async fn in_http_2_the_stream_alone_is_left_whose_client_takes_nothing_of_its_answer() {
    let large: Arc<[u8]> = vec![b'x'; 1 << 20].into();
    let service = {
        let large = Arc::clone(&large);
        service_fn(move |asked: Request<Incoming>| {
            let body = match asked.uri().path() {
                "/large" => Bytes::from_owner(Watched(Arc::clone(&large))),
                _ => Bytes::from_static(b"hello"),
            };
            async move { Ok::<_, Infallible>(Response::new(Full::new(body))) }
        })
    };
    let mut sender = speaking_http2(service).await;
    let unheld = Arc::strong_count(&large);
    let mut stalled = get(&mut sender, "/large").await;
    let begun = tokio::time::Instant::now();
    assert_eq!(Arc::strong_count(&large), unheld + 1);
    let let_go = async {
        while Arc::strong_count(&large) > unheld {
            // bounded: on a paused clock, by EVER
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(EVER, let_go).await.expect("it is held for ever");
    assert!((STALL_TIME..=STALL_TIME * 5 / 4).contains(&(begun.elapsed())), "{:?}", begun.elapsed());
    let other = get(&mut sender, "/").await.into_body().collect().await.unwrap();
    assert_eq!(other.to_bytes(), "hello");
    let rest = async { while stalled.body_mut().frame().await.expect("it is cut short").is_ok() {} };
    tokio::time::timeout(EVER, rest).await.expect("it ends");
}

/// An upstream's answer comes in parts of what was read at a time, each of which holds all of that.
#[tokio::test(start_paused = true)]
async fn what_a_stalled_stream_was_given_holds_no_more_than_itself() {
    let read: Arc<[u8]> = vec![b'x'; 1 << 20].into();
    let service = {
        let read = Arc::clone(&read);
        service_fn(move |_: Request<Incoming>| {
            let (feed, body) = mpsc::channel(64);
            let read = Bytes::from_owner(Watched(Arc::clone(&read)));
            (0..64).for_each(|part| feed.try_send(read.slice(part << 14..(part + 1) << 14)).unwrap());
            async move { Ok::<_, Infallible>(Response::new(Fed(body))) }
        })
    };
    let mut sender = speaking_http2(service).await;
    let unheld = Arc::strong_count(&read);
    let stalled = get(&mut sender, "/").await;
    assert_eq!(Arc::strong_count(&read), unheld + 1);
    let let_go = async {
        while Arc::strong_count(&read) > unheld {
            // bounded: on a paused clock, by EVER
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(EVER, let_go).await.expect("it is held for ever");
    drop(stalled);
}

/// Slow is not stalled, on either side.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_read_slowly_or_answered_slowly_comes_whole() {
    let service = service_fn(|asked: Request<Incoming>| async move {
        let (feed, body) = mpsc::channel(1);
        tokio::spawn(async move {
            for piece in 0..3 {
                if asked.uri().path() == "/slow" {
                    // bounded: on a paused clock, by the test's own number
                    tokio::time::sleep(STALL_TIME * 3).await;
                }
                feed.send(Bytes::from(vec![piece; 40_000])).await.unwrap();
            }
        });
        Ok::<_, Infallible>(Response::new(Fed(body)))
    });
    let mut sender = speaking_http2(service).await;
    let slow = get(&mut sender, "/slow").await.into_body().collect();
    let slow = tokio::time::timeout(EVER, slow).await.expect("it is not held for ever").unwrap().to_bytes();
    let mut read_slowly = get(&mut sender, "/").await.into_body();
    let mut got = Vec::new();
    while let Some(frame) = read_slowly.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        // bounded: on a paused clock. The most that is given at a time takes less than the time for it
        tokio::time::sleep(STALL_TIME * u32::try_from(data.len()).unwrap() / 20_000).await;
        got.extend(data);
    }
    assert_eq!((slow.len(), got == slow), (120_000, true));
}

/// The bounds of the contract that the listener keeps.
#[test]
fn the_bounds_are_the_contracts() {
    assert_eq!((HEADER_BYTES, HEADER_LINES, HEADER_TIME), (32 << 10, 100, Duration::from_secs(10)));
    assert_eq!(CONNECTIONS, 20_000);
}

/// Beyond the bound nobody is refused: who comes waits until somebody has left.
#[tokio::test]
async fn beyond_the_bound_of_connections_accepting_pauses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Connections { permits: Arc::new(Semaphore::new(1)), most: 1 };
    let asked = Arc::new(Notify::new());
    let service = {
        let asked = Arc::clone(&asked);
        move |_| {
            let asked = Arc::clone(&asked);
            service_fn(move |_| {
                asked.notify_one();
                async { Ok::<_, Infallible>(Response::new(Full::from("served"))) }
            })
        }
    };
    let (_drain, draining) = watch::channel(false);
    let here = vec![Worker::on(Handle::current())];
    tokio::spawn(accept_all(listener, here, service, connections.clone(), TIMES, draining));
    let mut first = Connection::open(address).await.unwrap();
    assert_eq!(first.send(&Asked::get("/")).await.unwrap().text(), "served");
    asked.notified().await;
    let mut second = Connection::open(address).await.unwrap();
    second.start(&Asked::get("/")).await.unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(first.send(&Asked::get("/")).await.unwrap().text(), "served", "the first is still there");
    asked.notified().await;
    assert_eq!(connections.count(), 1, "the second is not accepted");
    drop(first);
    assert_eq!(second.answer("GET").await.unwrap().text(), "served");
    assert_eq!(connections.count(), 1);
}

/// Each connection goes where there are fewest, and one that has left counts no more.
#[tokio::test]
async fn connections_are_spread_over_the_workers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Connections { permits: Arc::new(Semaphore::new(8)), most: 8 };
    let threads = Workers::start(2).unwrap();
    let service = |_| {
        let on = || workers::number().to_string();
        service_fn(move |_| async move { Ok::<_, Infallible>(Response::new(Full::from(on()))) })
    };
    let (_drain, draining) = watch::channel(false);
    tokio::spawn(accept_all(listener, threads.all(), service, connections.clone(), TIMES, draining));
    let asked = async |connection: &mut Connection| connection.send(&Asked::get("/")).await.unwrap().text();
    let mut open = Vec::new();
    for expected in ["0", "1", "0", "1"] {
        let mut connection = Connection::open(address).await.unwrap();
        assert_eq!(asked(&mut connection).await, expected);
        open.push(connection);
    }
    let before = connections.count();
    drop(open.remove(3));
    while connections.count() == before {
        tokio::task::yield_now().await;
    }
    assert_eq!(asked(&mut Connection::open(address).await.unwrap()).await, "1");
}

type Http2 = http2::SendRequest<Empty<Bytes>>;

async fn connected_by_http_2() -> Http2 {
    let builder = http2::Builder::new(TokioExecutor::new());
    let (sender, driver) = builder.handshake(TokioIo::new(connected())).await.unwrap();
    tokio::spawn(driver);
    sender
}

async fn status(sender: &mut Http2) -> hyper::Result<u16> {
    sender.ready().await?;
    let request = Request::get("http://x/").body(Empty::new()).unwrap();
    Ok(sender.send_request(request).await?.status().as_u16())
}

/// Proxies open HTTP/2 connections before they have anything to send, and keep them.
#[tokio::test(start_paused = true)]
async fn an_http_2_connection_may_wait_for_its_requests() {
    let mut sender = connected_by_http_2().await;
    for _ in 0..3 {
        for _ in 0..6 {
            tokio::time::advance(HEADER_TIME).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(status(&mut sender).await.unwrap(), 200);
    }
}

/// The beginning of a preface is no preface, and no reason to wait longer.
#[tokio::test(start_paused = true)]
async fn half_a_preface_is_timed_out_like_half_a_head() {
    for begun in ["P", "PR", "PO", "PRI * HTTP/2.0\r\n"] {
        let mut client = connected();
        client.write_all(begun.as_bytes()).await.unwrap();
        let start = tokio::time::Instant::now();
        rest(&mut client).await;
        assert_eq!(start.elapsed().as_secs(), HEADER_TIME.as_secs(), "{begun}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_comes_is_closed_after_its_idle_time() {
    let mut client = connected();
    let start = tokio::time::Instant::now();
    let told = rest(&mut client).await;
    assert_eq!((told.len(), start.elapsed()), (0, TIMES.idle));
}

/// What a client of HTTP/2 begins with: the preface, and settings that ask for nothing.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// Types of its frames (RFC 9113, section 6).
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// Type and content of each frame that comes until the connection ends.
async fn frames(client: &mut DuplexStream) -> Vec<(u8, Vec<u8>)> {
    let told = rest(client).await;
    let (mut frames, mut rest) = (Vec::new(), &told[..]);
    while let [_, high, low, kind, _, _, _, _, _, after @ ..] = rest {
        let (content, next) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        frames.push((*kind, content.to_vec()));
        rest = next;
    }
    frames
}

/// What it may ask for at a time is told to a client, which keeps the rest back (RFC 9113, section 6.5.2). And one that
/// is gone without a word is pinged, and then no longer holds its place.
#[tokio::test(start_paused = true)]
async fn an_http_2_client_is_told_its_bounds_and_has_to_live() {
    let mut client = connected();
    client.write_all(HELLO).await.unwrap();
    let start = tokio::time::Instant::now();
    let frames = frames(&mut client).await;
    assert_eq!(start.elapsed().as_secs(), (PING_INTERVAL + PING_TIME).as_secs());
    let (kind, settings) = &frames[0];
    assert_eq!(*kind, SETTINGS);
    let told = |wanted: u8| {
        let setting = settings.chunks_exact(6).find(|setting| setting[..2] == [0, wanted]);
        setting.map(|setting| u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]))
    };
    assert_eq!(told(3), Some(256), "streams at a time");
    assert_eq!(told(6), Some((32 << 10) + 100 * 32), "bytes of a head");
}

/// CVE-2023-44487: each stream that is opened and reset at once is work for nobody.
#[tokio::test(start_paused = true)]
async fn an_http_2_client_that_opens_streams_to_reset_them_is_sent_away() {
    let mut client = connected();
    let mut asked = HELLO.to_vec();
    for stream in (1_u32..).step_by(2).take(STREAMS_RESET + 2) {
        let stream = stream.to_be_bytes();
        // `GET http://x/`, whole; and that it is not wanted any more.
        asked.extend([&[0, 0, 6, 1, 5], &stream[..], &[0x82, 0x86, 0x84, 0x41, 1, b'x']].concat());
        asked.extend([&[0, 0, 4, 3, 0], &stream[..], &[0, 0, 0, 8]].concat());
    }
    client.write_all(&asked).await.unwrap();
    let frames = frames(&mut client).await;
    let away = frames.iter().find(|(kind, _)| *kind == GOAWAY);
    assert_eq!(away.map(|(_, content)| content[7]), Some(11), "ENHANCE_YOUR_CALM: {frames:?}");
}
