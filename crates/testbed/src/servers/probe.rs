//! Whether a server answers: as much of a protocol as it takes to ask.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long one try may take.
const TRY_LIMIT: Duration = Duration::from_secs(2);
/// `3.0`, then user and database, each name and value ended by a zero byte, and one more at the end.
const STARTUP: &[u8] = b"\x00\x03\x00\x00user\0postgres\0database\0postgres\0\0";
/// The SQLSTATE with which PostgreSQL says that it is not ready yet.
const CANNOT_CONNECT_NOW: &[u8] = b"57P03";
/// What Redis says while it reads its data.
const LOADING: &[u8] = b"-LOADING";

/// The protocol that a server speaks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Probe {
    Postgres,
    Redis,
}

impl Probe {
    /// Whether it answers, be it with a refusal.
    pub(super) async fn is_answered(self, addr: SocketAddr) -> bool {
        let asked = async {
            let stream = TcpStream::connect(addr).await?;
            match self {
                Self::Postgres => postgres(stream).await,
                Self::Redis => redis(stream).await,
            }
        };
        matches!(timeout(TRY_LIMIT, asked).await, Ok(Ok(true)))
    }
}

async fn postgres(mut stream: TcpStream) -> io::Result<bool> {
    let length = u32::try_from(STARTUP.len() + 4).expect("it is short");
    stream.write_all(&[&length.to_be_bytes(), STARTUP].concat()).await?;
    let (kind, length) = (stream.read_u8().await?, stream.read_u32().await?);
    let mut message = Vec::new();
    stream.take(u64::from(length.saturating_sub(4))).read_to_end(&mut message).await?;
    let starting = message.windows(CANNOT_CONNECT_NOW.len()).any(|part| part == CANNOT_CONNECT_NOW);
    Ok(kind == b'R' || (kind == b'E' && !starting))
}

async fn redis(mut stream: TcpStream) -> io::Result<bool> {
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 8];
    let read = stream.read(&mut answer).await?;
    Ok(read > 0 && answer != LOADING)
}
