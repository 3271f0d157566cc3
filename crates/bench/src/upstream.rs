//! The bare upstream: an ordinary HTTP server (hyper, HTTP/1.1, kept connections, one thread) whose handler reads the
//! body and gives the same answer every time.
//!
//! A request to [`HELD`] is answered once somebody has asked for [`RELEASE`], so that a crowd can gather behind it.

use std::{net::SocketAddr, rc::Rc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::watch};

use crate::{failure::Failure, report};

/// The path whose answer waits.
pub(crate) const HELD: &str = "/held";
/// The path that ends the waiting.
pub(crate) const RELEASE: &str = "/release";
/// What the upstream prints before its address.
pub(crate) const READY: &str = "upstream listens on ";

/// The answer's body, 110 bytes of JSON.
pub(crate) const BODY: &str = concat!(
    r#"{"id":"tr_8f14e45fceea1","status":"settled","amount":125,"currency":"EUR","#,
    r#""settled_at":"2026-11-27T10:12:07Z"}"#
);

/// Serves on a free port, and says where.
pub(crate) async fn serve_until_killed() -> Result<(), Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    report::data(format_args!("{READY}{}", listener.local_addr()?));
    serve(listener).await
}

/// Serves for as long as it is polled.
pub(crate) async fn serve(listener: TcpListener) -> Result<(), Failure> {
    let released = Rc::new(watch::Sender::new(false));
    loop {
        let (stream, _peer): (_, SocketAddr) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let released = Rc::clone(&released);
        let service = service_fn(move |request| answer(request, Rc::clone(&released)));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // It ends when the peer leaves, or says what is no request.
        tokio::task::spawn_local(async move { _ = connection.await });
    }
}

async fn answer(
    request: Request<Incoming>,
    released: Rc<watch::Sender<bool>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    body.collect().await?;
    match head.uri.path() {
        RELEASE => _ = released.send_replace(true),
        // The sender lives in every connection.
        HELD => _ = released.subscribe().wait_for(|released| *released).await,
        _ => {}
    }
    let mut answer = Response::new(Full::new(Bytes::from_static(BODY.as_bytes())));
    *answer.status_mut() = StatusCode::CREATED;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_as_long_as_it_is_said_to_be() {
        assert_eq!(BODY.len(), 110);
        serde_json::from_str::<serde_json::Value>(BODY).unwrap();
    }
}
