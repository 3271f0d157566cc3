//! A TCP socket that counts the bytes of requests which it has taken.
//!
//! Counting happens here, below everything that buffers: a count that has not moved proves that no byte of a request
//! left. What the socket takes of a TLS handshake is no part of a request and is not counted.
//!
//! Here too a request's first byte is refused that comes too late. Between the confirmation of a lease and that byte
//! lies another thread, and a machine that may stand still; so the clock is asked once more, right before the system call.

use std::{
    io,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    task::{Context, Poll, ready},
};

use onlyonce_ledger::clock::Boot;
use rustix::net::{RecvFlags, Shutdown};
use tokio::{
    io::{Interest, ReadBuf},
    net::TcpStream,
};

/// A first byte may come at any time.
const WHENEVER: u64 = u64::MAX;

/// The socket.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    written: AtomicU64,
    looks: AtomicBool,
    /// Until when the next byte may come if it is a request's first one: nanoseconds of [`Boot`], or [`WHENEVER`].
    until: AtomicU64,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        let (written, until) = (AtomicU64::new(0), AtomicU64::new(WHENEVER));
        Self { stream, written, looks: AtomicBool::new(false), until }
    }

    /// How many bytes of requests it has taken.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// It has taken so many bytes, and at least some of them are a request's.
    fn took(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::AcqRel);
        self.looks.store(false, Ordering::Release);
        self.until.store(WHENEVER, Ordering::Release);
    }

    /// Until the next byte of a request is taken, every read begins with a look at the socket itself. Past `until` that
    /// byte is not taken; the others may come later.
    pub(super) fn expect_request(&self, until: Option<Boot>) {
        let nanos = until.and_then(|until| u64::try_from(until.since_start().as_nanos()).ok());
        self.until.store(nanos.unwrap_or(WHENEVER), Ordering::Release);
        self.looks.store(true, Ordering::Release);
    }

    pub(super) fn looks(&self) -> bool {
        self.looks.load(Ordering::Acquire)
    }

    /// Whether a first byte is still to come, and must not any more.
    pub(super) fn is_late(&self) -> bool {
        let until = self.until.load(Ordering::Acquire);
        until != WHENEVER && Boot::now().since_start().as_nanos() >= u128::from(until)
    }

    /// Receives what lies there, whatever the reactor knows of it; `WouldBlock` if that is nothing.
    pub(super) fn receive_now(&self, bytes: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::net::recv(&self.stream, bytes, RecvFlags::DONTWAIT)?.1)
    }

    /// How many bytes lie there, as far as `bytes` can hold them, without receiving them.
    pub(super) fn peek_now(&self, bytes: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::net::recv(&self.stream, bytes, RecvFlags::PEEK | RecvFlags::DONTWAIT)?.1)
    }

    /// Receives once the reactor says that there is something.
    ///
    /// What leaves room has drained the socket, and the reactor is told so (its word is taken before the read, so what
    /// comes in between is not forgotten): or each answer would cost one more system call that finds nothing. tokio
    /// does the same for a stream that it reads itself (`PollEvented::poll_read`).
    pub(super) fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(context))?;
            let mut received = None;
            let told = self.stream.try_io(Interest::READABLE, || {
                let bytes = self.stream.try_read_buf(buffer)?;
                received = Some(bytes);
                let drained = bytes > 0 && buffer.remaining() > 0;
                if drained { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
            match told {
                _ if received.is_some() => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                told => return Poll::Ready(told),
            }
        }
    }

    /// Reads once the reactor says that there is something to read.
    pub(super) fn poll_read<T>(
        &self,
        context: &mut Context<'_>,
        mut read: impl FnMut(&TcpStream) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            ready!(self.stream.poll_read_ready(context))?;
            match read(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Writes what is no request's, once the reactor says that there is room.
    pub(super) fn poll_write(
        &self,
        context: &mut Context<'_>,
        mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            match write(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Writes what is a request's, all or in part; counts it, and refuses its first byte if that comes too late.
    pub(super) fn poll_send(
        &self,
        context: &mut Context<'_>,
        mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let sent =
            self.poll_write(context, |stream| if self.is_late() { Err(too_late()) } else { write(stream) });
        Poll::Ready(ready!(sent).inspect(|bytes| self.took(*bytes)))
    }

    pub(super) fn shut_down(&self) -> io::Result<()> {
        Ok(rustix::net::shutdown(&self.stream, Shutdown::Write)?)
    }

    /// The stream, for tests that break it.
    #[cfg(test)]
    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

/// Why a first byte was not taken.
pub(super) fn too_late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the lease was over before the first byte")
}
