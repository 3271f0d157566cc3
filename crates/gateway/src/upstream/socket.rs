//! A TCP socket that counts the bytes of requests which it has taken.
//!
//! Counting happens here, below everything that buffers: a count that has not moved proves that no byte of a request
//! left. What the socket takes of a TLS handshake is no part of a request and is not counted.

use std::{
    io::{self, IoSlice},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    task::{Context, Poll, ready},
};

use rustix::net::{RecvFlags, Shutdown};
use tokio::{
    io::{Interest, ReadBuf},
    net::TcpStream,
};

/// The socket.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    written: AtomicU64,
    looks: AtomicBool,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, written: AtomicU64::new(0), looks: AtomicBool::new(false) }
    }

    /// How many bytes of requests it has taken.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// It has taken so many bytes, and at least some of them are a request's.
    pub(super) fn took(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::AcqRel);
        self.looks.store(false, Ordering::Release);
    }

    /// Until the next byte of a request is taken, every read begins with a look at the socket itself.
    pub(super) fn look_before_writing(&self) {
        self.looks.store(true, Ordering::Release);
    }

    pub(super) fn looks(&self) -> bool {
        self.looks.load(Ordering::Acquire)
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

    /// Writes once the reactor says that there is room. It does not count: who writes knows what it is.
    pub(super) fn poll_write<T>(
        &self,
        context: &mut Context<'_>,
        mut write: impl FnMut(&TcpStream) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            match write(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Writes what is a request's as it stands.
    pub(super) fn poll_send(
        &self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = ready!(self.poll_write(context, |stream| stream.try_write_vectored(slices)));
        Poll::Ready(sent.inspect(|bytes| self.took(*bytes)))
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
