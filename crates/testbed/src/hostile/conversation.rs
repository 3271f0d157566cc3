//! One connection of a hostile upstream: the plan, carried out.

use std::{future, io, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    plan::{Act, Coding, End, Idle, Piece, Plan, Reads},
    received::Log,
};
use crate::{
    Close, HOLD_LIMIT, chance, socket,
    wire::{Error, Wire},
};

/// Requests served on one connection.
const REQUEST_LIMIT: usize = 1_000_000;
/// How much of a generated body is written at once.
const BLOCK: usize = 64 << 10;

/// What a connection shares with its server.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: Plan,
    pub(super) log: Log,
    /// Counts the cues given.
    pub(super) cue: watch::Sender<usize>,
    /// Counts the connections that have acted on a cue.
    pub(super) acted: watch::Sender<usize>,
    /// How many connections are idle and listen for a cue.
    pub(super) idle: watch::Sender<usize>,
}

/// Serves a connection until the plan or the peer ends it.
pub(super) async fn converse(stream: TcpStream, shared: &Shared) {
    let mut wire = Wire::new(stream);
    for _ in 0..REQUEST_LIMIT {
        // A peer that ended, stopped half way or wrote what is no request has left the conversation.
        if !matches!(timeout(HOLD_LIMIT, read(&mut wire, shared)).await, Ok(Ok(()))) {
            return;
        }
        if write(wire.io_mut(), &shared.plan.writes).await.is_err() {
            return;
        }
        let kept = match &shared.plan.end {
            End::Close(close) => return socket::end(wire.into_io(), *close).await,
            End::Hold => return hold(wire, shared.plan.reads).await,
            End::Idle(idle) => be_idle(wire, idle, shared).await,
        };
        let Some(next) = kept else { return };
        wire = next;
    }
}

async fn read(wire: &mut Wire<TcpStream>, shared: &Shared) -> Result<(), Error> {
    if shared.plan.reads == Reads::Nothing {
        return Ok(());
    }
    let head = wire.head().await?;
    let framing = head.request_framing();
    let number = shared.log.head(head);
    if shared.plan.reads == Reads::Whole {
        let (body, _) = wire.body(framing?).await?;
        shared.log.body(number, body);
    }
    Ok(())
}

async fn write(stream: &mut TcpStream, pieces: &[Piece]) -> io::Result<()> {
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => stream.write_all(bytes).await?,
            Piece::Slowly(bytes, pause) => slowly(stream, bytes, *pause).await?,
            Piece::Body(size, coding) => body(stream, *size, *coding).await?,
        }
    }
    Ok(())
}

async fn slowly(stream: &mut TcpStream, bytes: &[u8], pause: Duration) -> io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte]).await?;
        sleep(pause).await;
    }
    Ok(())
}

async fn body(stream: &mut TcpStream, size: u64, coding: Coding) -> io::Result<()> {
    let block = vec![b'x'; BLOCK];
    let mut left = size;
    while left > 0 {
        let part = block.get(..usize::try_from(left).unwrap_or(BLOCK)).unwrap_or(&block);
        match coding {
            Coding::Length => stream.write_all(part).await?,
            Coding::Chunked => {
                stream
                    .write_all(&[format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat())
                    .await?;
            }
        }
        left = left.saturating_sub(part.len() as u64);
    }
    match coding {
        Coding::Length => Ok(()),
        Coding::Chunked => stream.write_all(b"0\r\n\r\n").await,
    }
}

/// Keeps the connection until the peer ends it; one that reads nothing cannot see that, and only waits.
async fn hold(mut wire: Wire<TcpStream>, reads: Reads) {
    let held = async {
        if reads == Reads::Nothing {
            future::pending::<()>().await;
        }
        while let Ok(true) = wire.ready().await {
            wire.take_unused();
        }
    };
    // That the limit ran out is an end too.
    let _ = timeout(HOLD_LIMIT, held).await;
}

/// Returns the connection once its next request begins, nothing if it ended.
async fn be_idle(wire: Wire<TcpStream>, idle: &Idle, shared: &Shared) -> Option<Wire<TcpStream>> {
    let limit = match idle {
        // The drop after it closes whatever has arrived meanwhile: that is the race.
        Idle::CloseAfter(range) => chance::duration_in(range),
        Idle::Quiet | Idle::OnCue(_) => HOLD_LIMIT,
    };
    let cue = shared.cue.subscribe();
    shared.idle.send_modify(|idle| *idle += 1);
    let next = timeout(limit, next_request(wire, idle, cue, &shared.acted)).await.ok().flatten();
    shared.idle.send_modify(|idle| *idle -= 1);
    next
}

async fn next_request(
    mut wire: Wire<TcpStream>,
    idle: &Idle,
    mut cue: watch::Receiver<usize>,
    acted: &watch::Sender<usize>,
) -> Option<Wire<TcpStream>> {
    loop {
        tokio::select! {
            ready = wire.ready() => return matches!(ready, Ok(true)).then_some(wire),
            _ = cue.changed() => {}
        }
        match idle {
            Idle::OnCue(Act::Close(close)) => {
                if *close == Close::Reset {
                    socket::reset(wire.io());
                }
                drop(wire);
                acted.send_modify(|acted| *acted += 1);
                return None;
            }
            Idle::OnCue(Act::Speak(bytes)) => {
                wire.io_mut().write_all(bytes).await.ok()?;
                acted.send_modify(|acted| *acted += 1);
            }
            Idle::Quiet | Idle::CloseAfter(_) => {}
        }
    }
}
