//! One server, and what is sent to it.
//!
//! Writes and reads have connections of their own: a connection on which a server waits for its replicas answers nothing else
//! meanwhile. A large batch is divided among several, because a server that syncs its journal before it answers syncs once
//! for what it has read from all of them, and reads 16 KiB from each.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use onlyonce_ledger::clock::{Asked, RemoteClock};
use redis::{Cmd, Pipeline, Value};

use crate::{
    error::Failure,
    link::{Common, Link, Setup, Up},
    reply::{self, Answer},
    url::Address,
};

/// Connections for writes.
pub(crate) const WRITE_LINKS: usize = 4;
/// Connections for reads and for looking after the server.
pub(crate) const READ_LINKS: usize = 2;
/// Fewest writes that are worth a pipeline of their own.
const PIPELINE_MIN: usize = 16;
/// Longest that a server waits for its replicas to take over a pipeline's writes.
pub(crate) const REPLICAS_WAIT: Duration = Duration::from_millis(500);

/// How long a touch lies there.
const TOUCH_MS: u64 = 60_000;

/// A server.
pub(crate) struct Node {
    pub(crate) address: Address,
    writes: Vec<Link>,
    reads: Vec<Link>,
    common: Common,
    turn: AtomicUsize,
}

/// The ledger's time, known from the first answer that named it.
pub(crate) type Clock = Arc<OnceLock<RemoteClock>>;

/// Something for a server.
pub(crate) struct Ask {
    pub(crate) cmd: Cmd,
    /// It comes by a redirection to a server that is only just getting the slot.
    pub(crate) asking: bool,
}

/// On which of the connections, and what else.
#[derive(Clone, Copy)]
pub(crate) enum Lane<'a> {
    Reads,
    /// What was written counts only once replicas have it.
    Writes(Option<Replicas<'a>>),
}

/// How many replicas must have what was written.
///
/// They are waited for as far as a connection has written. What was found standing, somebody else may have written just now:
/// after a write of our own that is waited for too.
#[derive(Clone, Copy)]
pub(crate) struct Replicas<'a> {
    pub(crate) min: u32,
    /// Keys that mean nothing, to be written for that: the first, and one after the other in its place while its slot is on the
    /// move.
    pub(crate) touches: &'a [String],
}

impl Node {
    /// Begins to connect; must be called on the runtime that does the I/O.
    pub(crate) fn new(address: Address, setup: &Arc<Setup>) -> Self {
        let common = Common::default();
        let link = |_| Link::new(address.clone(), Arc::clone(setup), common.clone());
        let (writes, reads) = ((0..WRITE_LINKS).map(link).collect(), (0..READ_LINKS).map(link).collect());
        Self { writes, reads, common, turn: AtomicUsize::new(0), address }
    }

    /// Sends all and gives the answers in their order. `clock` is told the server's time.
    pub(crate) async fn send(&self, asks: Vec<Ask>, lane: Lane<'_>, clock: Option<&Clock>) -> Vec<Answer> {
        let (links, parts) = match lane {
            Lane::Reads => (&self.reads, 1),
            Lane::Writes(_) => (&self.writes, asks.len().div_ceil(PIPELINE_MIN).min(self.writes.len())),
        };
        let size = asks.len().div_ceil(parts.max(1)).max(1);
        let mut pipelines = Vec::with_capacity(parts);
        let mut asks = asks.into_iter();
        loop {
            let part: Vec<_> = asks.by_ref().take(size).collect();
            if part.is_empty() {
                break;
            }
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let link = links.get(turn % links.len()).expect("a remainder is below what it is divided by");
            pipelines.push(send_on(link, part, lane, clock));
        }
        let answers = join_all(pipelines).await.concat();
        if answers.iter().any(|answer| matches!(answer, Err(failure) if failure.code() == Some("READONLY"))) {
            // It was the master when these connections were made. By its name there may be another by now.
            self.common.cut();
        }
        answers
    }

    /// Asks something on every connection, so that one that has died in silence is noticed before a claim needs it.
    pub(crate) async fn look_after_links(&self) {
        let mut ping = Pipeline::new();
        ping.cmd("PING");
        join_all(self.writes.iter().chain(&self.reads).map(|link| link.send(&ping))).await;
    }
}

async fn send_on(link: &Link, asks: Vec<Ask>, lane: Lane<'_>, clock: Option<&Clock>) -> Vec<Answer> {
    let count = asks.len();
    let mut pipeline = Pipeline::with_capacity(count + 3);
    pipeline.cmd("TIME");
    let mut asked = Vec::with_capacity(count);
    for Ask { cmd, asking } in asks {
        if asking {
            pipeline.cmd("ASKING");
        }
        asked.push(pipeline.len());
        pipeline.add_command(cmd);
    }
    if let Lane::Writes(Some(replicas)) = lane {
        replicas.touches.iter().take(1).for_each(|touch| replicas.wait_after(touch, &mut pipeline));
    }
    let sent = RemoteClock::ask();
    let answered = async {
        let link = link.up().await?;
        let values = link.send(&pipeline).await?;
        Ok((link, values))
    };
    let (link, mut values) = match answered.await {
        Ok(answered) => answered,
        Err(failure) => return vec![Err(failure); count],
    };
    if let (Some(clock), Some(time)) = (clock, values.first_mut()) {
        hear(clock, sent, std::mem::take(time));
    }
    let confirmed = match lane {
        Lane::Writes(Some(replicas)) => replicas.confirmed(&link, &values).await,
        Lane::Writes(None) | Lane::Reads => Ok(()),
    };
    let answer = |at: usize| match values.get_mut(at).map(std::mem::take) {
        Some(Value::ServerError(error)) => Err(Failure::answered(&error)),
        Some(value) => confirmed.clone().map(|()| value),
        None => Err(Failure::shape()),
    };
    asked.into_iter().map(answer).collect()
}

/// The server's time, as it was when it took the pipeline up.
fn hear(clock: &Clock, sent: Asked, time: Value) {
    if let Ok(time) = reply::time(time) {
        clock.get_or_init(|| RemoteClock::start(sent, time)).answered(sent, time);
    }
}

impl Replicas<'_> {
    fn wait_after(self, touch: &str, pipeline: &mut Pipeline) {
        let wait = u64::try_from(REPLICAS_WAIT.as_millis()).expect("it is half a second");
        pipeline.cmd("SET").arg(touch).arg("").arg("PX").arg(TOUCH_MS);
        pipeline.cmd("WAIT").arg(self.min).arg(wait);
    }

    /// A write that too few replicas have stands on the master all the same: nobody may build on it, and nobody may say
    /// that it is not there.
    async fn confirmed(self, link: &Up, values: &[Value]) -> Result<(), Failure> {
        // Without a touch nobody was asked, and what ends the answers is something else.
        let mut said = if self.touches.is_empty() { Said::Nothing } else { Said::of(values) };
        let mut others = self.touches.iter().skip(1);
        while let (Said::Elsewhere, Some(touch)) = (&said, others.next()) {
            let mut pipeline = Pipeline::new();
            self.wait_after(touch, &mut pipeline);
            // On the same connection: a server that was started anew may have lost what it took on the one before.
            said = Said::of(&link.send(&pipeline).await?);
        }
        match said {
            Said::Have(have) if have >= i64::from(self.min) => Ok(()),
            Said::Have(have) => {
                Err(Failure::unknown(format!("{have} replicas have it, and `min_replicas` is {}", self.min)))
            }
            Said::Elsewhere | Said::Nothing => {
                Err(Failure::unknown("the server does not say how many replicas have it"))
            }
        }
    }
}

/// What a server has said of its replicas.
enum Said {
    Have(i64),
    /// The touch was redirected, and nothing was written with it.
    Elsewhere,
    Nothing,
}

impl Said {
    fn of(values: &[Value]) -> Self {
        match values {
            [.., Value::Okay, Value::Int(have)] => Self::Have(*have),
            [.., Value::ServerError(error), Value::Int(_)]
                if ["ASK", "MOVED", "TRYAGAIN"].contains(&error.code()) =>
            {
                Self::Elsewhere
            }
            _ => Self::Nothing,
        }
    }
}
