//! One connection: a request out, its answer in.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::wire::{self, Answer, Buffer};
use crate::failure::Failure;

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    input: Buffer,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: Buffer::new() })
    }

    /// Writes the request and reads the whole answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer, Failure> {
        self.send(request).await?;
        self.answer().await
    }

    /// Writes the request.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<(), Failure> {
        Ok(self.stream.write_all(request).await?)
    }

    /// Reads the whole answer.
    pub(crate) async fn answer(&mut self) -> Result<Answer, Failure> {
        loop {
            if let Some(answer) = wire::answer(self.input.bytes())? {
                self.input.consume(answer.len);
                return Ok(answer);
            }
            let read = self.stream.read(self.input.space()).await?;
            self.input.filled(read);
            if read == 0 {
                return Err(Failure::new("a server closed a connection before it had answered"));
            }
        }
    }
}
