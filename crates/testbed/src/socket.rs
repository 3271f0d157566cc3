//! The two ways in which a TCP connection ends, as a test chooses between them.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long a side that has said FIN waits for the other one's.
const FIN_LIMIT: Duration = Duration::from_secs(10);
/// How much is read away while waiting for it.
const DRAIN_BYTES: u64 = 1 << 30;

/// How a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// Orderly: FIN. What was written before arrives.
    Fin,
    /// At once: RST. What the peer's kernel has not yet taken is lost.
    Reset,
}

/// Ends the connection. `Fin` reads away what still comes until the peer ends too, because closing a socket
/// with unread bytes makes the kernel send RST in place of FIN.
pub(crate) async fn end(mut stream: TcpStream, close: Close) {
    match close {
        Close::Fin => {
            // An error means that the peer is gone already, which is the end we want.
            let _ = stream.shutdown().await;
            drain(stream).await;
        }
        Close::Reset => reset(&stream),
    }
}

/// Makes dropping the stream send RST.
pub(crate) fn reset(stream: &TcpStream) {
    // Fails only on a socket that has no connection left to reset.
    let _ = stream.set_zero_linger();
}

async fn drain(stream: TcpStream) {
    let mut rest = stream.take(DRAIN_BYTES);
    let mut sink = tokio::io::sink();
    let _ = timeout(FIN_LIMIT, tokio::io::copy(&mut rest, &mut sink)).await;
}
