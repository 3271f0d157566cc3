//! One connection through the proxy.

use std::{
    io,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    time::sleep,
};

use super::{Fault, Flow};
use crate::{Close, socket};

/// How much is read at once.
const READ_SIZE: usize = 64 << 10;

/// Bytes forwarded, over all connections.
#[derive(Debug, Default)]
pub(super) struct Passed {
    pub(super) up: AtomicU64,
    pub(super) down: AtomicU64,
}

/// Whether answers are lost on their way, over all connections, and how many were.
#[derive(Debug, Default)]
pub(super) struct Losing {
    pub(super) now: AtomicBool,
    pub(super) lost: watch::Sender<usize>,
}

/// Copies both directions under `fault` until both have ended, one breaks or `cut` changes; in the latter
/// cases it ends both sides alike.
pub(super) async fn relay(
    mut client: TcpStream,
    mut server: TcpStream,
    fault: &Fault,
    mut cut: watch::Receiver<usize>,
    passed: &Passed,
    losing: &Losing,
) {
    let broken = {
        let (client_in, client_out) = client.split();
        let (server_in, server_out) = server.split();
        let up = pump(client_in, server_out, &fault.up, &passed.up, None);
        let down = pump(server_in, client_out, &fault.down, &passed.down, Some(losing));
        tokio::select! {
            ended = async { tokio::try_join!(up, down) } => ended.err(),
            _ = cut.changed() => Some(Close::Reset),
        }
    };
    if let Some(close) = broken {
        tokio::join!(socket::end(client, close), socket::end(server, close));
    }
}

/// Copies one direction to its end, and passes the end on. Fails with the way in which both sides are to end.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    flow: &Flow,
    passed: &AtomicU64,
    losing: Option<&Losing>,
) -> Result<(), Close> {
    // A side that breaks off is felt on the other side as a reset, as if there were no proxy.
    let reset = |_: io::Error| Close::Reset;
    let mut buffer = vec![0; READ_SIZE];
    let mut so_far = 0;
    loop {
        let n = from.read(&mut buffer).await.map_err(reset)?;
        if n == 0 {
            return to.shutdown().await.map_err(reset);
        }
        if let Some(losing) = losing.filter(|losing| losing.now.load(Ordering::Acquire)) {
            losing.lost.send_modify(|lost| *lost += 1);
            return Err(Close::Reset);
        }
        let bytes = buffer.get(..n).unwrap_or_default();
        let (pass, cut) = under(flow, bytes, so_far).await;
        to.write_all(pass).await.map_err(reset)?;
        passed.fetch_add(pass.len() as u64, Ordering::Relaxed);
        so_far += pass.len() as u64;
        if let Some(close) = cut {
            return Err(close);
        }
    }
}

/// How much of `bytes` passes, when its time has come, and whether the connection is cut after it.
async fn under<'b>(flow: &Flow, bytes: &'b [u8], so_far: u64) -> (&'b [u8], Option<Close>) {
    match flow {
        Flow::Pass => (bytes, None),
        Flow::CutAfter(after, close) => {
            let left = usize::try_from(after - so_far).unwrap_or(usize::MAX);
            bytes
                .get(..left)
                .filter(|pass| pass.len() < bytes.len())
                .map_or((bytes, None), |pass| (pass, Some(*close)))
        }
        Flow::Swallow => (&[], None),
        Flow::Delay(by) => {
            sleep(*by).await;
            (bytes, None)
        }
        Flow::Hold(gate) => {
            if so_far == 0 {
                gate.pass().await;
            }
            (bytes, None)
        }
    }
}
