//! The TLS session of one connection: plaintext above, the counted socket below.
//!
//! It is rustls without an adapter, because three questions must be answered exactly. *Was a byte of a request taken?*
//! Only what the socket takes while words of a request are in the session is counted; handshakes, alerts and new keys
//! are not. *Did the upstream speak?* What lies in the socket is received and decrypted: session tickets and key
//! updates are no words, `close_notify` is an end. *Was an answer cut short?* An end without `close_notify` is an error,
//! so an answer that only the end of its connection ends is not taken for whole.
//!
//! Nothing is ever written but by [`Session::poll_write`] and [`Session::poll_flush`], so not once the connection task
//! has ended, whatever lies unsent in here. For the same reason no `close_notify` is sent: a request says its own length,
//! and its upstream cannot take the end of the connection for the end of one.

use std::{
    future::poll_fn,
    io::{self, BufRead, IoSlice, Write},
    sync::Arc,
    task::{Context, Poll, ready},
};

use rustls::ClientConnection;
use tokio::{io::ReadBuf, net::TcpStream};

use super::{
    records::{Followed, Records},
    socket::Socket,
    tap::Heard,
    target::Tls,
};

/// Most reads of one look. Who sends more that is no word does not come to rest.
const LOOK_READS: usize = 64;

/// The session.
#[derive(Debug)]
pub(super) struct Session {
    tls: ClientConnection,
    records: Records,
    /// Words of a request are in the session which the socket has not taken yet.
    holds_words: bool,
    /// Why nothing more can be received.
    broken: Option<(io::ErrorKind, String)>,
}

impl Session {
    /// Shakes hands with the upstream.
    pub(super) async fn open(tls: &Tls, socket: &Socket) -> io::Result<Self> {
        let tls =
            ClientConnection::new(Arc::clone(&tls.config), tls.name.clone()).map_err(io::Error::other)?;
        let mut session = Self { tls, records: Records::default(), holds_words: false, broken: None };
        poll_fn(|context| session.poll_handshake(socket, context)).await?;
        Ok(session)
    }

    fn poll_handshake(&mut self, socket: &Socket, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let flushed = self.poll_flush(socket, context)?;
            // An alert that does not fit the socket at once is not waited for.
            if let Some(broken) = self.broken() {
                return Poll::Ready(Err(broken));
            }
            ready!(flushed);
            if !self.tls.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if ready!(socket.poll_read(context, |stream| self.receive(|bytes| stream.try_read(bytes))))? == 0
            {
                let why = "the upstream closed the connection during the TLS handshake";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, why)));
            }
        }
    }

    /// Whether the socket has taken all words of requests.
    pub(super) fn is_flushed(&self) -> bool {
        !self.holds_words
    }

    /// What lies there to be read, after receiving all that has arrived.
    pub(super) fn heard(&mut self, socket: &Socket) -> Heard {
        for _ in 0..LOOK_READS {
            match self.tls.reader().fill_buf() {
                Ok([]) => return Heard::End,
                Ok(_) => return Heard::Words,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.broken.is_none() => {}
                Err(_) => return Heard::End,
            }
            let received = self.receive(|bytes| socket.receive_now(bytes));
            if received.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                return if self.records.within() { Heard::Beginning } else { Heard::Silence };
            }
        }
        Heard::Beginning
    }

    pub(super) fn poll_read(
        &mut self,
        socket: &Socket,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
            if let Some(broken) = self.broken() {
                return Poll::Ready(Err(broken));
            }
            ready!(socket.poll_read(context, |stream| self.receive(|bytes| stream.try_read(bytes))))?;
        }
    }

    /// Reads plaintext that is there. Nothing read is an end with `close_notify`; without, it is an error.
    fn read(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<()> {
        let mut reader = self.tls.reader();
        let plaintext = reader.fill_buf()?;
        let count = plaintext.len().min(buffer.remaining());
        buffer.put_slice(plaintext.get(..count).unwrap_or_default());
        reader.consume(count);
        Ok(())
    }

    /// Receives once, and decrypts.
    fn receive(&mut self, read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
        let mut source = Followed { records: &mut self.records, read };
        let received = self.tls.read_tls(&mut source).inspect_err(|error| {
            if error.kind() != io::ErrorKind::WouldBlock {
                self.broken = Some((error.kind(), error.to_string()));
            }
        })?;
        if let Err(error) = self.tls.process_new_packets() {
            self.broken = Some((io::ErrorKind::InvalidData, format!("TLS: {error}")));
        }
        Ok(received)
    }

    /// Not before what was received whole has been read.
    fn broken(&self) -> Option<io::Error> {
        self.broken.as_ref().map(|(kind, why)| io::Error::new(*kind, why.clone()))
    }

    pub(super) fn poll_write(
        &mut self,
        socket: &Socket,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // What is no request's goes first, uncounted; so what goes from here on is this request's.
        ready!(self.poll_flush(socket, context))?;
        let taken_in = self.tls.writer().write_vectored(slices)?;
        self.holds_words |= taken_in > 0;
        match self.poll_flush(socket, context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(taken_in)),
        }
    }

    pub(super) fn poll_flush(&mut self, socket: &Socket, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            let write = |stream: &TcpStream| self.tls.write_tls(&mut Sink(stream));
            let sent = if self.holds_words {
                socket.poll_send(context, write)
            } else {
                socket.poll_write(context, write)
            };
            if ready!(sent)? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        self.holds_words = false;
        Poll::Ready(Ok(()))
    }
}

/// A stream as rustls writes to it.
struct Sink<'s>(&'s TcpStream);

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
