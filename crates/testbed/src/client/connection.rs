//! One connection to a server: requests one after the other, or byte by byte.

use std::{future::Future, net::SocketAddr, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

use super::{ANSWER_LIMIT, Error, Interim, Kind, Request, Response};
use crate::{
    Close,
    wire::{Head, Wire},
};

/// How long connecting may take.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How many 1xx answers are read before a final one.
const INTERIM_LIMIT: usize = 64;

/// A connection to a server. Dropping it closes it as a process that exits does: FIN, or RST if bytes of
/// the peer are unread.
#[derive(Debug)]
pub struct Connection {
    peer: SocketAddr,
    input: Wire<OwnedReadHalf>,
    output: OwnedWriteHalf,
}

/// Sends `request` on a fresh connection and reads the whole answer.
///
/// An answer that comes before the request was written to its end is the answer.
pub async fn send(addr: impl Into<SocketAddr>, request: &Request) -> Result<Response, Error> {
    Connection::open(addr).await?.send(request).await
}

impl Connection {
    /// Connects, within [`CONNECT_LIMIT`].
    pub async fn open(addr: impl Into<SocketAddr>) -> Result<Self, Error> {
        let peer = addr.into();
        let connecting = async { TcpStream::connect(peer).await.map_err(Error::io) };
        let stream = within(CONNECT_LIMIT, connecting).await?;
        stream.set_nodelay(true).map_err(Error::io)?;
        let (input, output) = stream.into_split();
        Ok(Self { peer, input: Wire::new(input), output })
    }

    /// Sends `request` and reads the whole answer, within the request's limit.
    ///
    /// An answer that comes before the request was written to its end is the answer; the connection is
    /// then of no further use.
    pub async fn send(&mut self, request: &Request) -> Result<Response, Error> {
        let bytes = request.to_bytes(self.peer);
        let before = self.input.received();
        let sent = within(request.time_limit(), self.exchange(&bytes, &request.method)).await;
        sent.map_err(|error| error.after(self.input.received() - before))
    }

    /// Writes the whole request and reads nothing.
    pub async fn start(&mut self, request: &Request) -> Result<(), Error> {
        let bytes = request.to_bytes(self.peer);
        self.write(&bytes).await
    }

    /// Writes raw bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        within(ANSWER_LIMIT, async { self.output.write_all(bytes).await.map_err(Error::io) }).await
    }

    /// Reads the next answer, to a request of `method`, within [`ANSWER_LIMIT`].
    pub async fn answer(&mut self, method: &str) -> Result<Response, Error> {
        let before = self.input.received();
        let read = within(ANSWER_LIMIT, read_answer(&mut self.input, method)).await;
        read.map_err(|error| error.after(self.input.received() - before))
    }

    /// Reads exactly `n` raw bytes.
    pub async fn read(&mut self, n: usize) -> Result<Vec<u8>, Error> {
        within(ANSWER_LIMIT, self.input.exactly(n)).await
    }

    /// Reads raw bytes until the server ends the connection in order.
    pub async fn read_to_end(&mut self) -> Result<Vec<u8>, Error> {
        within(ANSWER_LIMIT, self.input.remaining()).await
    }

    /// Says FIN, and can still read.
    pub async fn finish_writing(&mut self) -> Result<(), Error> {
        within(ANSWER_LIMIT, async { self.output.shutdown().await.map_err(Error::io) }).await
    }

    /// Waits, at most `limit`, for the server to end the connection, and says how.
    ///
    /// # Errors
    /// `TimedOut` if it stays open; `Malformed` if bytes come (or were left over) instead.
    pub async fn ended(&mut self, limit: Duration) -> Result<Close, Error> {
        match within(limit, self.input.ready()).await {
            Ok(false) => Ok(Close::Fin),
            Ok(true) => Err(Error::new(Kind::Malformed, "bytes where the connection should end")),
            Err(error) if error.kind() == Kind::Reset => Ok(Close::Reset),
            Err(error) => Err(error),
        }
    }

    /// Bytes that were read and belong to no answer.
    pub fn surplus(&self) -> &[u8] {
        self.input.unused()
    }

    /// Ends the connection now, with `Fin` as a process that exits does.
    pub fn close(self, close: Close) {
        if close == Close::Reset {
            // An error means that no connection is left to reset. The writing half must not say FIN first.
            let _ = self.input.io().as_ref().set_zero_linger();
            self.output.forget();
        }
    }

    /// This side's address.
    pub fn local_addr(&self) -> SocketAddr {
        self.output.local_addr().expect("a connected socket has an address")
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    async fn exchange(&mut self, bytes: &[u8], method: &str) -> Result<Response, Error> {
        let answer = read_answer(&mut self.input, method);
        tokio::pin!(answer);
        // The answer decides also if writing fails: a server may answer, close and never read the rest.
        tokio::select! {
            biased;
            read = &mut answer => read,
            _ = self.output.write_all(bytes) => answer.await,
        }
    }
}

async fn read_answer(input: &mut Wire<OwnedReadHalf>, method: &str) -> Result<Response, Error> {
    let (interim, head) = read_final_head(input).await?;
    let status = head.status()?;
    let (body, trailers) = input.body(head.answer_framing(method)?).await?;
    Ok(Response { status, headers: head.headers, body, trailers, interim })
}

async fn read_final_head(input: &mut Wire<OwnedReadHalf>) -> Result<(Vec<Interim>, Head), Error> {
    let mut interim = Vec::new();
    while interim.len() < INTERIM_LIMIT {
        let head = input.head().await?;
        match head.status()? {
            status @ (100 | 102..=199) => interim.push(Interim { status, headers: head.headers }),
            _ => return Ok((interim, head)),
        }
    }
    Err(Error::new(Kind::TooLarge, "more 1xx answers than the bound"))
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(Error::new(Kind::TimedOut, "the time limit ran out")))
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt, net::TcpListener};

    use super::*;
    use crate::{
        effects::{Answer, Upstream},
        hostile::{Behaviour, End, Hostile, Piece, Plan, Reads},
    };

    #[tokio::test]
    async fn an_answer_is_returned_byte_for_byte_over_a_kept_connection() {
        let upstream = Upstream::start(|arrival| async move {
            let body: Vec<u8> = arrival.seen.body.iter().rev().copied().collect();
            Answer::new(418).header("x-a", "1").header("x-b", [0xe9]).header("x-a", "2").body(body)
        });
        let upstream = upstream.await;
        let mut connection = Connection::open(upstream.addr()).await.unwrap();
        for body in [vec![0, 1, 255], vec![], vec![9; 200_000]] {
            let answer = connection.send(&Request::post("/").body(body.clone())).await.unwrap();
            assert_eq!((answer.status, answer.headers.all("X-A")), (418, vec!["1", "2"]));
            assert_eq!(answer.headers.get_bytes("x-b"), Some(&[0xe9][..]));
            assert_eq!(answer.body, body.into_iter().rev().collect::<Vec<_>>());
        }
        let answer = connection.send(&Request::new("HEAD", "/")).await.unwrap();
        assert_eq!((answer.status, connection.surplus()), (418, &b""[..]));
        assert_eq!(upstream.connections(), 1);
    }

    #[tokio::test]
    async fn an_early_answer_is_the_answer_though_the_body_was_not_taken() {
        let hostile = Hostile::start(Behaviour::AnswersEarly).await;
        let request = Request::post("/").body(vec![0; 50_000_000]);
        assert_eq!(send(hostile.addr(), &request).await.unwrap().status, 201);
        assert_eq!((hostile.heads(), hostile.bodies()), (1, 0));

        let writes = vec![Piece::Bytes(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n".to_vec())];
        let never_reads = Plan { reads: Reads::Nothing, writes, end: End::Hold };
        let hostile = Hostile::start(Behaviour::Planned(never_reads)).await;
        assert_eq!(send(hostile.addr(), &request).await.unwrap().status, 413);
    }

    #[tokio::test]
    async fn the_server_feels_the_end_that_was_chosen() {
        for close in [Close::Fin, Close::Reset] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let connection = Connection::open(listener.local_addr().unwrap()).await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            connection.close(close);
            let felt = stream.read_u8().await.unwrap_err().kind();
            let expected = match close {
                Close::Fin => std::io::ErrorKind::UnexpectedEof,
                Close::Reset => std::io::ErrorKind::ConnectionReset,
            };
            assert_eq!(felt, expected);
        }
    }

    #[tokio::test]
    async fn raw_bytes_go_out_as_they_are_and_come_back_until_the_end() {
        let hostile = Hostile::start(Behaviour::EndsByClosing).await;
        let mut connection = Connection::open(hostile.addr()).await.unwrap();
        connection.write(b"BREW /p\xff HTTP/1.1\r\nA:b\r\n\r\n").await.unwrap();
        // The request line is not text, so that it is no request, and the upstream leaves.
        assert_eq!(connection.ended(crate::WAIT_LIMIT).await.unwrap(), Close::Fin);
        let mut connection = Connection::open(hostile.addr()).await.unwrap();
        connection.write(b"BREW /p HTTP/1.1\r\nA:b\r\n\r\n").await.unwrap();
        connection.finish_writing().await.unwrap();
        let raw = connection.read_to_end().await.unwrap();
        assert!(raw.starts_with(b"HTTP/1.1 201 ") && raw.ends_with(crate::hostile::BODY));
        assert_eq!(hostile.received()[0].method, "BREW");
    }

    #[tokio::test]
    async fn a_limit_that_runs_out_is_an_error_of_its_own() {
        let hostile = Hostile::start(Behaviour::Hangs).await;
        let request = Request::get("/").limit(Duration::from_millis(20));
        let error = send(hostile.addr(), &request).await.unwrap_err();
        assert_eq!((error.kind(), error.received()), (Kind::TimedOut, 0));
    }
}
