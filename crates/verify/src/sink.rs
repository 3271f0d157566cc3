//! Calls that come back: an API, or what stands behind it, makes one for each effect, and they are counted here.
//!
//! Whoever calls is answered with 204 as soon as its call has arrived, whether it counts or not. What an API has lost in a
//! crash is not lost here.
//!
//! Invariant: a call counts once it has arrived whole, and before it is answered.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use crate::plan::{Operation, PlanError};

/// Which calls count, and where they come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sink {
    /// Where the verifier listens for them.
    pub listen: SocketAddr,
    /// Method and path of those that count, without a query; `None`: all do.
    pub request: Option<(Method, String)>,
    /// A pointer (RFC 6901) into their JSON, and what has to stand there; `None`: anything.
    pub only: Option<(String, String)>,
}

/// Whoever listens for them, until it is dropped.
#[derive(Debug)]
pub struct Calls {
    address: SocketAddr,
    counted: Arc<AtomicI64>,
    serving: JoinHandle<()>,
}

/// Largest call that is read.
const CALL_MAX: usize = 1024 * 1024;
/// Most connections at once.
const CONNECTIONS_MAX: usize = 256;
/// How long a connection may take for all its calls.
const CONNECTION_TIME: Duration = Duration::from_secs(600);

impl Sink {
    /// Reads `127.0.0.1:4000`, `127.0.0.1:4000 POST /done` or `127.0.0.1:4000 POST /done /type transfer.done`.
    pub(crate) fn parse(words: &[&str]) -> Result<Self, PlanError> {
        let wrong = || {
            PlanError::new(
                "calls are counted by 'calls 127.0.0.1:4000', 'calls 127.0.0.1:4000 POST /done' or \
                 'calls 127.0.0.1:4000 POST /done /pointer value'",
            )
        };
        let (listen, rest) = words.split_first().ok_or_else(wrong)?;
        let listen = listen.parse().map_err(|_| wrong())?;
        let (request, only) = match rest {
            [] => (None, None),
            [method, path] => (Some((method, path)), None),
            [method, path, pointer, value] => {
                (Some((method, path)), Some(((*pointer).to_owned(), (*value).to_owned())))
            }
            _ => return Err(wrong()),
        };
        let request = request.map(|(method, path)| called(&format!("{method} {path}"))).transpose()?;
        Self { listen, request, only }.checked()
    }

    /// # Errors
    /// If its pointer is none.
    pub(crate) fn checked(self) -> Result<Self, PlanError> {
        match &self.only {
            Some((pointer, _)) if !pointer.is_empty() && !pointer.starts_with('/') => {
                Err(PlanError::new(format!("counter: {pointer:?} is no pointer; write \"/{pointer}\"")))
            }
            _ => Ok(self),
        }
    }

    /// Whether only this machine can call.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().is_loopback()
    }

    fn counts(&self, method: &Method, path: &str, body: &[u8]) -> bool {
        let asked = self.request.as_ref().is_none_or(|(known, at)| known == method && at == path);
        let says = |(pointer, value): &(String, String)| {
            let body: Value = serde_json::from_slice(body).ok()?;
            let found = body.pointer(pointer)?;
            Some(found.as_str().map_or_else(|| found.to_string(), str::to_owned) == *value)
        };
        asked && self.only.as_ref().is_none_or(|only| says(only).unwrap_or(false))
    }
}

/// Method and path of a call.
pub(crate) fn called(line: &str) -> Result<(Method, String), PlanError> {
    let operation = Operation::parse(line)?;
    let path = operation.path.as_str();
    match path.contains(['?', '{']) {
        true => Err(PlanError::new(format!(
            "{path:?} is no path of a call: write it without a query and without braces"
        ))),
        false => Ok((operation.method.clone(), path.to_owned())),
    }
}

impl fmt::Display for Sink {
    /// `POST http://127.0.0.1:4000/done, with "done" at /type`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
            Some((method, path)) => write!(f, "{method} http://{}{path}", self.listen)?,
            None => write!(f, "http://{}", self.listen)?,
        }
        match &self.only {
            Some((pointer, value)) => write!(f, ", with {value:?} at {pointer}"),
            None => Ok(()),
        }
    }
}

impl Calls {
    /// Listens where the sink says; on port 0, on a free one.
    ///
    /// # Errors
    /// If it cannot.
    pub async fn listen(sink: Sink) -> io::Result<Self> {
        let listener = TcpListener::bind(sink.listen).await?;
        let (address, counted) = (listener.local_addr()?, Arc::<AtomicI64>::default());
        let serving = tokio::spawn(accept(listener, Arc::new(sink), Arc::clone(&counted)));
        Ok(Self { address, counted, serving })
    }

    /// Where.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many have come that count.
    #[must_use]
    pub fn counted(&self) -> i64 {
        self.counted.load(Ordering::SeqCst)
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Its connections end with it.
async fn accept(listener: TcpListener, sink: Arc<Sink>, counted: Arc<AtomicI64>) {
    let (mut connections, places) = (JoinSet::new(), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, for example: not again at once.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let (sink, counted) = (Arc::clone(&sink), Arc::clone(&counted));
        connections.spawn(async move {
            let service = service_fn(move |request| take(Arc::clone(&sink), Arc::clone(&counted), request));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            // Whoever calls and goes away is nobody's fault here.
            drop(timeout(CONNECTION_TIME, connection).await);
            drop(place);
        });
    }
}

/// The connection ends: what did not arrive whole is no call.
type Broken = Box<dyn std::error::Error + Send + Sync>;

async fn take(
    sink: Arc<Sink>,
    counted: Arc<AtomicI64>,
    request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, Broken> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, CALL_MAX).collect().await?.to_bytes();
    if sink.counts(&head.method, head.uri.path(), &body) {
        counted.fetch_add(1, Ordering::SeqCst);
    }
    let mut answer = Response::new(Empty::new());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    fn sink(text: &str) -> Result<Sink, PlanError> {
        Sink::parse(&text.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn a_sink_is_an_address_and_says_which_calls_count() {
        let all = sink("127.0.0.1:4000").unwrap();
        assert!(all.counts(&Method::PUT, "/x", b"") && all.is_loopback());
        let some = sink("0.0.0.0:4000 POST /done /type done").unwrap();
        assert!(!some.is_loopback());
        assert!(some.counts(&Method::POST, "/done", br#"{"type":"done"}"#));
        assert!(!some.counts(&Method::PUT, "/done", br#"{"type":"done"}"#));
        assert!(!some.counts(&Method::POST, "/other", br#"{"type":"done"}"#));
        for other in [&br#"{"type":"begun"}"#[..], b"{}", b"done", b""] {
            assert!(!some.counts(&Method::POST, "/done", other));
        }
        let number = sink("127.0.0.1:4000 POST /done /n 1").unwrap();
        assert!(number.counts(&Method::POST, "/done", br#"{"n":1}"#));
        for wrong in [
            "",
            "4000",
            "127.0.0.1:4000 POST",
            "127.0.0.1:4000 POST /x type done",
            "127.0.0.1:4000 POST /x?a=1",
        ] {
            assert!(sink(wrong).is_err(), "{wrong}");
        }
    }

    async fn answer(calls: &Calls, text: String) -> String {
        let mut stream = TcpStream::connect(calls.address()).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // A call that is too large is cut off; what was read until then counts.
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn who_calls_is_counted_and_answered_with_204_and_who_breaks_off_is_not_counted() {
        let calls = Calls::listen(sink("127.0.0.1:0 POST /done").unwrap()).await.unwrap();
        let call = |path: &str, length: usize, body: &str| {
            format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            )
        };
        assert!(answer(&calls, call("/done", 2, "{}")).await.starts_with("HTTP/1.1 204"));
        assert_eq!(calls.counted(), 1);
        assert!(answer(&calls, call("/done?n=1", 2, "{}")).await.starts_with("HTTP/1.1 204"));
        assert!(answer(&calls, call("/other", 2, "{}")).await.starts_with("HTTP/1.1 204"));
        assert_eq!(calls.counted(), 2);
        let large = answer(&calls, call("/done", CALL_MAX + 1, &"x".repeat(CALL_MAX + 1))).await;
        assert!(!large.contains(" 204"), "{large}");
        assert_eq!(calls.counted(), 2);
    }
}
