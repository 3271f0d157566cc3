//! The bare upstream: reads a request, writes the same answer. As little else as possible.
//!
//! A request to [`HELD`] is answered once somebody has asked for [`RELEASE`], so that a crowd can gather behind it.

use std::{net::SocketAddr, rc::Rc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{failure::Failure, load::wire, report};

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
    let answer: Rc<[u8]> = answer().into_bytes().into();
    loop {
        let (stream, _peer): (_, SocketAddr) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = Connection { stream, released: Rc::clone(&released), answer: Rc::clone(&answer) };
        tokio::task::spawn_local(connection.serve());
    }
}

fn answer() -> String {
    format!(
        "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len()
    )
}

struct Connection {
    stream: TcpStream,
    released: Rc<watch::Sender<bool>>,
    answer: Rc<[u8]>,
}

impl Connection {
    /// Until the peer leaves, or says what is no request.
    async fn serve(mut self) {
        let mut input = wire::Buffer::new();
        loop {
            let Some(request) = wire::request(input.bytes()) else {
                match self.stream.read(input.space()).await {
                    Ok(read @ 1..) => input.filled(read),
                    Ok(0) | Err(_) => return,
                }
                continue;
            };
            let path = request.path.to_vec();
            input.consume(request.len);
            if self.answer(&path).await.is_err() {
                return;
            }
        }
    }

    async fn answer(&mut self, path: &[u8]) -> std::io::Result<()> {
        if path == RELEASE.as_bytes() {
            self.released.send_replace(true);
        } else if path == HELD.as_bytes() {
            // The sender is in `self`.
            let _ = self.released.subscribe().wait_for(|released| *released).await;
        }
        self.stream.write_all(&self.answer).await
    }
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
