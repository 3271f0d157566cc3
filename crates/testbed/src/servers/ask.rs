//! One question to a Redis, and its answer as text.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// The longest answer.
const BYTES_LIMIT: u64 = 1 << 20;

/// Asks as one types it. An array has a line for each of its items, an error begins with `-`.
pub(super) async fn ask(addr: SocketAddr, password: Option<&str>, command: &str) -> io::Result<String> {
    let asked = async {
        let mut stream = BufReader::new(TcpStream::connect(addr).await?);
        if let Some(password) = password {
            stream.write_all(format!("AUTH {password}\r\n").as_bytes()).await?;
            answer(&mut stream).await?;
        }
        stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        answer(&mut stream).await
    };
    timeout(ANSWER_LIMIT, asked).await.map_err(|_| io::Error::other("it does not answer"))?
}

async fn answer(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut items = Vec::new();
    // How many are still to come; an array in an array adds its own.
    let mut left = 1_u64;
    while left > 0 {
        left -= 1;
        let line = line(stream).await?;
        let (kind, rest) = line.split_at_checked(1).ok_or(io::ErrorKind::UnexpectedEof)?;
        match kind {
            "*" => left += number(rest).unwrap_or(0),
            "$" => items.push(bulk(stream, number(rest)).await?),
            "-" => items.push(line),
            _ => items.push(rest.to_owned()),
        }
    }
    Ok(items.join("\n"))
}

async fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    stream.take(BYTES_LIMIT).read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}

/// Bytes of a known length; none where there is no length.
async fn bulk(stream: &mut BufReader<TcpStream>, length: Option<u64>) -> io::Result<String> {
    let Some(length) = length.filter(|length| *length <= BYTES_LIMIT) else { return Ok(String::new()) };
    let mut bytes = Vec::new();
    (&mut *stream).take(length).read_to_end(&mut bytes).await?;
    line(stream).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}
