//! A TCP stream that counts the bytes which the socket has taken, and looks at the peer before the first of them.
//!
//! Counting happens at the socket, below everything that buffers: a count that has not moved proves that no byte of a
//! request left. The look before the first byte is a system call, not what the reactor knew a moment ago: hyper reads
//! right before it writes, and what it is told then (`poll_loop` in hyper's `proto/h1/dispatch.rs`) makes it hand the
//! request back unwritten.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use rustix::net::{RecvFlags, Shutdown};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The end that the connection task reads and writes.
pub(super) struct Tap(Arc<Tapped>);

/// What others may ask about it.
#[derive(Debug)]
pub(super) struct Tapped {
    stream: TcpStream,
    written: AtomicU64,
    looks: AtomicBool,
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
}

impl Tap {
    pub(super) fn new(stream: TcpStream) -> (Self, Arc<Tapped>) {
        let tapped = Arc::new(Tapped { stream, written: AtomicU64::new(0), looks: AtomicBool::new(false) });
        (Self(Arc::clone(&tapped)), tapped)
    }
}

impl Tapped {
    /// How many bytes the socket has taken.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Until the next byte is taken, every read begins with a look at the socket itself.
    pub(super) fn look_before_writing(&self) {
        self.looks.store(true, Ordering::Release);
    }

    pub(super) fn heard(&self) -> Heard {
        let mut byte = [0; 1];
        match rustix::net::recv(&self.stream, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Err(rustix::io::Errno::AGAIN) => Heard::Silence,
            Ok((_, 1..)) => Heard::Words,
            Ok((_, 0)) | Err(_) => Heard::End,
        }
    }

    /// The socket, for tests that break it.
    #[cfg(test)]
    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn took(&self, bytes: usize) -> usize {
        self.written.fetch_add(bytes as u64, Ordering::AcqRel);
        self.looks.store(false, Ordering::Release);
        bytes
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.looks.load(Ordering::Acquire) {
            match self.0.heard() {
                Heard::Silence => {}
                Heard::End => return Poll::Ready(Ok(())),
                Heard::Words => return Poll::Ready(Err(out_of_turn())),
            }
        }
        loop {
            ready!(self.0.stream.poll_read_ready(context))?;
            match self.0.stream.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

fn out_of_turn() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the upstream spoke before it was asked")
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
        loop {
            ready!(self.0.stream.poll_write_ready(context))?;
            match self.0.stream.try_write_vectored(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written.map(|bytes| self.0.took(bytes))),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(rustix::net::shutdown(&self.0.stream, Shutdown::Write).map_err(io::Error::from))
    }
}
