//! What hyper reads from and writes to, and what others may ask about it meanwhile.
//!
//! The look before the first byte is a system call, not what the reactor knew a moment ago: hyper reads right before it
//! writes, and what it is told then (`poll_loop` in hyper's `proto/h1/dispatch.rs`) makes it hand the request back
//! unwritten. So does a look that comes too late; what passes between it and the byte, the socket sees. Under TLS the look
//! goes through to the plaintext: a session ticket or a new key is no word.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use onlyonce_ledger::clock::Boot;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{
    places::Place,
    session::Session,
    socket::{self, Socket},
    target::Target,
};
use crate::joined::Joined;

/// The end that the connection task reads and writes.
pub(super) struct Tap(pub(super) Arc<Tapped>);

/// What others may ask about it.
#[derive(Debug)]
pub(super) struct Tapped {
    socket: Socket,
    /// Locked for moments, never across an await.
    session: Option<Mutex<Session>>,
    /// After the socket, so that it is free once that is closed.
    _place: Place,
}

/// What is to be read from the peer, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing: it is there and silent.
    Silence,
    /// It has closed or reset the connection.
    End,
    /// Bytes.
    Words,
    /// The beginning of something that may become words, or nothing that concerns us.
    Beginning,
}

impl Tap {
    /// Connects, and under TLS shakes hands. Whatever fails here, no byte of a request was sent.
    pub(super) async fn open(target: &Target, place: Place) -> io::Result<(Self, Arc<Tapped>)> {
        let stream = TcpStream::connect(target.authority()).await?;
        stream.set_nodelay(true)?;
        let socket = Socket::new(stream);
        let session = match target.tls() {
            Some(tls) => Some(Mutex::new(Session::open(tls, &socket).await?)),
            None => None,
        };
        let tapped = Arc::new(Tapped { socket, session, _place: place });
        Ok((Self(Arc::clone(&tapped)), tapped))
    }
}

impl Tapped {
    /// How many bytes of requests the socket has taken.
    pub(super) fn written(&self) -> u64 {
        self.socket.written()
    }

    /// Whether nothing of a request waits above the socket.
    pub(super) fn is_flushed(&self) -> bool {
        self.session().is_none_or(|session| session.is_flushed())
    }

    /// Until the next byte of a request is taken, every read begins with a look at the socket itself. Past `until` that
    /// byte is not taken.
    pub(super) fn expect_request(&self, until: Option<Boot>) {
        self.socket.expect_request(until);
    }

    /// Whether a first byte was to come, and must not any more.
    pub(super) fn is_late(&self) -> bool {
        self.socket.is_late()
    }

    pub(super) fn heard(&self) -> Heard {
        match self.session() {
            Some(mut session) => session.heard(&self.socket),
            None => match self.socket.peek_now(&mut [0; 1]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Heard::Silence,
                Ok(1..) => Heard::Words,
                Ok(0) | Err(_) => Heard::End,
            },
        }
    }

    /// What a read that looks has to do instead of reading.
    fn look(&self) -> Option<io::Result<()>> {
        if self.is_late() {
            return Some(Err(socket::too_late()));
        }
        match self.heard() {
            Heard::Silence => None,
            Heard::End => Some(Ok(())),
            Heard::Words => Some(Err(out_of_turn())),
            // On a connection that has served, it may be the rest of something that is nobody's answer. On a fresh one
            // it is as good as what comes a moment later, and there would be no other connection to take.
            Heard::Beginning => (self.written() > 0).then(|| Err(out_of_turn())),
        }
    }

    fn session(&self) -> Option<MutexGuard<'_, Session>> {
        self.session.as_ref().map(|session| session.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The stream, for tests that break it.
    #[cfg(test)]
    pub(super) fn stream(&self) -> &TcpStream {
        self.socket.stream()
    }
}

fn out_of_turn() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the upstream spoke before it was asked")
}

impl AsyncRead for Tap {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = &self.0.socket;
        if socket.looks()
            && let Some(instead) = self.0.look()
        {
            return Poll::Ready(instead);
        }
        match self.0.session() {
            Some(mut session) => session.poll_read(socket, context, buffer),
            None => socket.poll_receive(context, buffer),
        }
    }
}

impl AsyncWrite for Tap {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.0.session() {
            Some(mut session) => session.poll_write(&self.0.socket, context, slices),
            None => match Joined::new().of(slices) {
                Some(bytes) => self.0.socket.poll_send(context, |stream| stream.try_write(bytes)),
                None => self.0.socket.poll_send(context, |stream| stream.try_write_vectored(slices)),
            },
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0.session() {
            Some(mut session) => session.poll_flush(&self.0.socket, context),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.socket.shut_down())
    }
}
