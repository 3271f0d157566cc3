//! HTTP/1.1 as bytes: reads heads, bodies and chunks from one side of a connection, strictly.
//!
//! Strict so that a server under test cannot get away with what a lenient client would forgive: bare LF,
//! folded lines, two lengths or a length beside a transfer coding are `Malformed`.

mod error;
mod head;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::Headers;

pub use self::error::{Error, Kind};
pub(crate) use self::head::{Framing, Head};

/// The largest head read.
pub(crate) const HEAD_LIMIT: usize = 1 << 20;
/// The largest body read.
pub(crate) const BODY_LIMIT: usize = 512 << 20;
/// The longest chunk-size line read.
const LINE_LIMIT: usize = 8 << 10;
/// How much is asked of the kernel at once.
const READ_SIZE: usize = 64 << 10;

/// The reading side of a connection, with what was read and not yet used.
#[derive(Debug)]
pub(crate) struct Wire<R> {
    io: R,
    unused: BytesMut,
    received: usize,
}

impl<R: AsyncRead + Unpin> Wire<R> {
    pub(crate) fn new(io: R) -> Self {
        Self { io, unused: BytesMut::new(), received: 0 }
    }

    /// The next head. `Closed` if the peer ended before its first byte.
    pub(crate) async fn head(&mut self) -> Result<Head, Error> {
        let end = self.find(b"\r\n\r\n", HEAD_LIMIT).await?;
        let bytes = self.unused.split_to(end + 4);
        Head::parse(&bytes)
    }

    /// A body of this framing, and its trailers.
    pub(crate) async fn body(&mut self, framing: Framing) -> Result<(Vec<u8>, Headers), Error> {
        match framing {
            Framing::Empty => Ok((Vec::new(), Headers::new())),
            Framing::Length(n) => Ok((self.exactly(n).await?, Headers::new())),
            Framing::Chunked => self.chunked().await,
            Framing::ToEnd => Ok((self.remaining().await?, Headers::new())),
        }
    }

    /// Exactly `n` bytes.
    pub(crate) async fn exactly(&mut self, n: usize) -> Result<Vec<u8>, Error> {
        if n > BODY_LIMIT {
            return Err(Error::new(Kind::TooLarge, "a body beyond the bound"));
        }
        while self.unused.len() < n {
            self.more().await?;
        }
        Ok(self.unused.split_to(n).into())
    }

    /// Everything until the peer ends in order.
    pub(crate) async fn remaining(&mut self) -> Result<Vec<u8>, Error> {
        while self.fill().await? > 0 {
            if self.unused.len() > BODY_LIMIT {
                return Err(Error::new(Kind::TooLarge, "a body beyond the bound"));
            }
        }
        Ok(self.take_unused())
    }

    /// Waits for a byte that has not been used yet; `false` if the peer ended instead.
    pub(crate) async fn ready(&mut self) -> Result<bool, Error> {
        Ok(!self.unused.is_empty() || self.fill().await? > 0)
    }

    /// What was read and not used.
    pub(crate) fn unused(&self) -> &[u8] {
        &self.unused
    }

    pub(crate) fn take_unused(&mut self) -> Vec<u8> {
        self.unused.split().into()
    }

    /// Bytes read since the connection began.
    pub(crate) fn received(&self) -> usize {
        self.received
    }

    pub(crate) fn io(&self) -> &R {
        &self.io
    }

    pub(crate) fn io_mut(&mut self) -> &mut R {
        &mut self.io
    }

    pub(crate) fn into_io(self) -> R {
        self.io
    }

    async fn chunked(&mut self) -> Result<(Vec<u8>, Headers), Error> {
        let mut body = Vec::new();
        loop {
            let size = head::chunk_size(&self.line().await?)?;
            if size == 0 {
                return Ok((body, self.trailers().await?));
            }
            if body.len() + size > BODY_LIMIT {
                return Err(Error::new(Kind::TooLarge, "a chunked body beyond the bound"));
            }
            body.extend(self.exactly(size).await?);
            if self.exactly(2).await? != b"\r\n" {
                return Err(Error::new(Kind::Malformed, "a chunk does not end where its size says"));
            }
        }
    }

    async fn trailers(&mut self) -> Result<Headers, Error> {
        let mut trailers = Headers::new();
        let mut left = HEAD_LIMIT;
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(trailers);
            }
            left = left
                .checked_sub(line.len())
                .ok_or(Error::new(Kind::TooLarge, "trailers beyond the bound"))?;
            let (name, value) = head::header_line(&line)?;
            trailers.push(name, value);
        }
    }

    async fn line(&mut self) -> Result<Vec<u8>, Error> {
        let end = self.find(b"\r\n", LINE_LIMIT).await.map_err(Error::within_message)?;
        let line = self.unused.split_to(end).into();
        self.unused.advance(2);
        Ok(line)
    }

    async fn find(&mut self, mark: &[u8], limit: usize) -> Result<usize, Error> {
        loop {
            if let Some(at) = self.unused.windows(mark.len()).position(|window| window == mark) {
                return Ok(at);
            }
            if self.unused.len() > limit {
                return Err(Error::new(Kind::TooLarge, "a head or line beyond the bound"));
            }
            if self.unused.is_empty() {
                if self.fill().await? == 0 {
                    return Err(Error::new(Kind::Closed, "closed before the first byte of a message"));
                }
            } else {
                self.more().await?;
            }
        }
    }

    /// Reads on inside a message, where the end of the stream is a truncation.
    async fn more(&mut self) -> Result<(), Error> {
        match self.fill().await? {
            0 => Err(Error::new(Kind::Truncated, "closed inside a message")),
            _ => Ok(()),
        }
    }

    async fn fill(&mut self) -> Result<usize, Error> {
        self.unused.reserve(READ_SIZE);
        let n = self.io.read_buf(&mut self.unused).await.map_err(Error::io)?;
        self.received += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn chunks_and_trailers_are_read_and_the_rest_is_left() {
        let mut wire = Wire::new(&b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nDigest: x\r\n\r\nleft"[..]);
        let (body, trailers) = wire.body(Framing::Chunked).await.unwrap();
        assert_eq!(body, b"abcde");
        assert_eq!(trailers.get("digest"), Some("x"));
        assert!(wire.ready().await.unwrap());
        assert_eq!(wire.take_unused(), b"left");
    }

    #[tokio::test]
    async fn a_body_that_ends_early_is_truncated_and_never_short() {
        for (bytes, framing) in [
            (&b"abc"[..], Framing::Length(4)),
            (b"3\r\nab", Framing::Chunked),
            (b"3\r\nabc\r\n", Framing::Chunked),
            (b"0\r\n", Framing::Chunked),
        ] {
            let read = Wire::new(bytes).body(framing).await;
            assert_eq!(read.unwrap_err().kind(), Kind::Truncated, "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn wrong_chunk_sizes_are_malformed() {
        for bytes in [&b"2\r\nabc\r\n"[..], b"x\r\n", b"\r\n", b"+1\r\na\r\n", b"ffffffffffffffffff\r\n"] {
            let read = Wire::new(bytes).body(Framing::Chunked).await;
            assert_eq!(read.unwrap_err().kind(), Kind::Malformed, "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn an_end_before_a_head_is_told_from_an_end_inside_it() {
        assert_eq!(Wire::new(&b""[..]).head().await.unwrap_err().kind(), Kind::Closed);
        assert_eq!(Wire::new(&b"HTTP/1.1 2"[..]).head().await.unwrap_err().kind(), Kind::Truncated);
    }
}
