//! One request on one connection.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    sync::watch,
    time::{Instant, Sleep, sleep},
};
use tokio_rustls::TlsConnector;

use super::{Answer, Body, Lost, Manner, Origin, Outcome, Request, Room};

/// Largest answer that is read.
const ANSWER_MAX: usize = 64 * 1024 * 1024;

/// How requests go out.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// Where to.
    pub(crate) origin: Origin,
    /// How long a whole answer may take.
    pub(crate) patience: Duration,
    /// Where answers are kept.
    pub(crate) room: Room,
}

/// Sends a request from a connection of its own, and waits for the whole answer.
pub(crate) async fn exchange(way: &Way, request: &Request) -> Outcome {
    let (Way { origin, patience, room }, started) = (way, Instant::now());
    let talked = async {
        let tcp = connect(origin).await?;
        // Nobody was asked about another machine, whatever this one's names say.
        if origin.is_loopback() && !tcp.peer_addr().map_err(not_reached)?.ip().is_loopback() {
            return Err(not_reached(format!("{} is another machine here", origin.host)));
        }
        // A request is one thing; nothing is gained by waiting for more of it.
        tcp.set_nodelay(true).map_err(not_reached)?;
        if origin.tls {
            let name = ServerName::try_from(origin.host.clone()).map_err(not_reached)?;
            let tls = TLS.clone()?.connect(name, tcp).await.map_err(not_reached)?;
            talk(origin, request, room, tls).await
        } else {
            talk(origin, request, room, tcp).await
        }
    };
    let answer = tokio::time::timeout(*patience, talked).await.map_err(|_| Lost::TimedOut(*patience))??;
    Ok(Answer { took: started.elapsed(), ..answer })
}

async fn connect(origin: &Origin) -> Result<TcpStream, Lost> {
    let host = &origin.host;
    let found = lookup_host((host.as_str(), origin.port)).await;
    let found = found.map_err(|error| not_reached(format!("{NO_ADDRESS} {host}: {error}")))?;
    TcpStream::connect(&*found.collect::<Vec<_>>()).await.map_err(not_reached)
}

/// How it is told that a name is not known.
pub(crate) const NO_ADDRESS: &str = "no address is known for";

fn not_reached(error: impl std::fmt::Display) -> Lost {
    Lost::NotReached(error.to_string())
}

static TLS: LazyLock<Result<TlsConnector, Lost>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(not_reached)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
});

async fn talk<S>(origin: &Origin, request: &Request, room: &Room, stream: S) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http1::handshake::<_, Pieces>(TokioIo::new(stream)).await.map_err(|error| broke_off(&error))?;
    let (body, mut sent) = Pieces::of(request);
    let mut outgoing = http::Request::new(body);
    *outgoing.method_mut() = request.method.clone();
    *outgoing.uri_mut() = request.path.parse().map_err(not_reached)?;
    *outgoing.headers_mut() = request.headers.clone();
    let host = HeaderValue::try_from(origin.authority()).map_err(not_reached)?;
    outgoing.headers_mut().insert(header::HOST, host);
    let answering = sender.send_request(outgoing);
    let read = async {
        let answer = answering.await.map_err(|error| broke_off(&error))?;
        let (parts, body) = answer.into_parts();
        let body = read_whole(body, room).await?;
        Ok(Answer { status: parts.status, headers: parts.headers, body, took: Duration::ZERO })
    };
    let hang_up = async {
        match request.manner {
            Manner::Whole | Manner::Slow(_) => std::future::pending().await,
            Manner::HangUp(after) => {
                // A body that was taken to its end is dropped: then nobody tells any more, and it has gone out as well.
                let _ = sent.wait_for(|sent| *sent == Sent::Whole).await;
                sleep(after + LEAVES).await;
            }
            Manner::Half => {
                let _ = sent.wait_for(|sent| *sent != Sent::Nothing).await;
                // What was handed over has to leave this process.
                sleep(LEAVES).await;
            }
        }
    };
    // The connection works in this very task: dropped with it, it closes the socket, and nothing lives on.
    let working = async {
        match connection.await {
            // The answer, or the lack of it, is told to whoever waits for it.
            Ok(()) | Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        outcome = read => outcome,
        () = hang_up => Err(Lost::HungUp),
        never = working => never,
    }
}

/// How long bytes that the connection has taken may need to leave.
const LEAVES: Duration = Duration::from_millis(20);

fn broke_off(error: &hyper::Error) -> Lost {
    let why = std::error::Error::source(error)
        .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    Lost::BrokeOff(why)
}

async fn read_whole(mut body: hyper::body::Incoming, room: &Room) -> Result<Body, Lost> {
    let mut reading = room.reading();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broke_off(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        if reading.length() + data.len() > ANSWER_MAX {
            return Err(Lost::TooLarge);
        }
        reading.read(&data);
    }
    Ok(reading.body())
}

/// How far a body has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Nothing,
    Half,
    Whole,
}

/// A body that goes out as its request's manner says.
struct Pieces {
    first: Bytes,
    second: Bytes,
    whole: usize,
    sent: watch::Sender<Sent>,
    pause: Option<Pin<Box<Sleep>>>,
    manner: Manner,
}

impl Pieces {
    fn of(request: &Request) -> (Self, watch::Receiver<Sent>) {
        let (sent, told) = watch::channel(Sent::Nothing);
        let whole = request.body.len();
        let (mut first, mut second) = (request.body.clone(), Bytes::new());
        if matches!(request.manner, Manner::Half | Manner::Slow(_)) {
            second = first.split_off(whole / 2);
        }
        (Self { first, second, whole, sent, pause: None, manner: request.manner }, told)
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.first)))));
        }
        match self.manner {
            Manner::Half => {
                // The rest never comes; whoever drives the connection drops it.
                self.sent.send_replace(Sent::Half);
                return Poll::Pending;
            }
            Manner::Slow(apart) if !self.second.is_empty() => {
                let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(apart)));
                std::task::ready!(pause.as_mut().poll(context));
                let second = std::mem::take(&mut self.second);
                return Poll::Ready(Some(Ok(Frame::data(second))));
            }
            Manner::Whole | Manner::HangUp(_) | Manner::Slow(_) => {}
        }
        self.sent.send_replace(Sent::Whole);
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.whole == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.first.len() + self.second.len()) as u64)
    }
}
