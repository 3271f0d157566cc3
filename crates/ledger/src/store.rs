//! The seam that every backend implements: batches of compare-and-set on one record each.
//!
//! A store knows nothing about idempotency. It sees a row's first bytes ([`onlyonce_core::codec::peek`]): version,
//! open flag, expiry. It compares versions, keeps bytes, and says of every failed write whether it was *not applied*
//! or may have been. All decisions are made before a command is built, by `onlyonce_core::decide`.
//!
//! Invariants that every store keeps (the conformance suite holds it to them):
//! - nothing is readable before it is durable;
//! - a command is applied if and only if the row's version is the one expected, `None` meaning that no row exists;
//! - the commands of a batch stand alone: one that conflicts changes nothing and hinders no other;
//! - a row without expiry never goes away by itself, and a sweep removes only what it read.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use onlyonce_core::{RecordId, Timestamp, Version};

use crate::clock::Steady;

/// What a store's calls return.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Most commands in a batch.
pub const BATCH_COMMANDS: usize = 512;
/// Most bytes in a batch; a single larger command is a batch of its own.
pub const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// One compare-and-set.
#[derive(Clone, Debug)]
pub struct Command {
    /// The record.
    pub id: RecordId,
    /// The version that must stand; `None`: there must be no row.
    pub expect: Option<Version>,
    /// The new row, as `onlyonce_core::codec::encode` gives it.
    pub head: Bytes,
    /// What happens to the result's bytes.
    pub body: Body,
    /// An audit entry that is written if and only if the command is applied.
    pub note: Option<Bytes>,
}

/// What a command does to the bytes that are kept beside the row.
#[derive(Clone, Debug)]
pub enum Body {
    /// Nothing.
    Keep,
    /// Stores them; they may be dropped from `until` on.
    Put {
        /// The bytes.
        bytes: Bytes,
        /// End of their retention.
        until: Timestamp,
    },
    /// Removes them.
    Remove,
}

/// What became of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The row is as the command says, durably.
    Yes,
    /// Another version stands, or none; here it is. Nothing was changed.
    Conflict(Option<Bytes>),
}

/// A page of the audit: entries with their numbers, newest first.
pub type AuditPage = Vec<(u64, Bytes)>;

/// A row and the record it belongs to.
pub type Row = (RecordId, Bytes);

/// What a store promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The ledger URL's scheme.
    pub name: &'static str,
    /// Whether a row survives the process and the machine once a command is acknowledged.
    pub durable: bool,
    /// Whether several processes may use it at once.
    pub shared: bool,
}

/// Whether there is room for another claim and its completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is.
    Enough,
    /// The reserve for completions would be touched: no claims now.
    Short,
}

/// A backend.
pub trait Store: Send + Sync + 'static {
    /// What it promises.
    fn capabilities(&self) -> Capabilities;

    /// The store's time. Runs backwards only if its server's clock is set back; all processes follow that one.
    fn now(&self) -> Timestamp;

    /// The time by which retention is judged: [`now`](Self::now), unless the clock is in doubt; then no later than
    /// what is certain to have passed, so that no result is forgotten because a clock was wrong.
    fn retention_now(&self) -> Timestamp {
        self.now()
    }

    /// How far [`now`](Self::now) may be behind the clock that all processes share: a lease may end so much sooner than
    /// by what its owner has measured since he was granted it.
    fn lag(&self) -> Duration {
        Duration::ZERO
    }

    /// Since when [`now`](Self::now) runs evenly: what was written before is read by it ([`Steady::seen`]).
    fn steady(&self) -> Steady {
        Steady::default()
    }

    /// Asks for the time. Afterwards [`now`](Self::now) is no later than what its server had when this was called, and what
    /// has passed since: no row that was read before is judged by a time that its server has given up since.
    ///
    /// # Errors
    /// If it does not answer.
    fn hear_time(&self) -> Reply<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Whether claims may be admitted; `in_flight_bytes` is what the attempts under way may still want to write.
    fn room(&self, in_flight_bytes: u64) -> Room;

    /// Whether a result of so many bytes can be kept. Another question than [`room`](Self::room), which a store may also
    /// refuse for what its servers are, or may lose: what ran has an answer all the same.
    fn room_for_result(&self, bytes: u64) -> Room {
        self.room(bytes)
    }

    /// What it takes up where it is kept, where that can be said at once.
    fn bytes(&self) -> Option<u64> {
        None
    }

    /// How many batches it takes at once, of different records. One, where a batch is as fast as the disk; more, where a server
    /// joins what comes from several connections, and a command would wait for the whole way of the batch before it.
    fn batches_at_once(&self) -> usize {
        1
    }

    /// Applies each command on its own and answers in their order. At most one command per record in a batch, and in all
    /// batches that are under way.
    ///
    /// # Errors
    /// An error concerns the whole batch: see [`Error::kind`]; but for one that says what became of each: see
    /// [`Error::each`].
    fn apply(&self, batch: Vec<Command>) -> Reply<'_, Vec<Applied>>;

    /// The rows of these records, `None` where there is none. Expired rows may still be given.
    fn heads<'a>(&'a self, ids: &'a [RecordId]) -> Reply<'a, Vec<Option<Bytes>>>;

    /// The result's bytes of a record.
    fn body(&self, id: RecordId) -> Reply<'_, Option<Bytes>>;

    /// Up to `limit` open rows, in the order of their ids, after `after`.
    fn open(&self, after: Option<RecordId>, limit: usize) -> Reply<'_, Vec<Row>>;

    /// Up to `limit` rows, open or not, readable or not, in the order of their ids, after `after`: what a ledger is moved
    /// by. Expired rows may still be given.
    fn rows(&self, after: Option<RecordId>, limit: usize) -> Reply<'_, Vec<Row>>;

    /// Whether there is no row at all, open or not, readable or not.
    fn is_empty(&self) -> Reply<'_, bool>;

    /// Removes up to `limit` rows that expired before `now`, each only if it is still the row that was read. Gives their number: as
    /// much as `limit` where there may be more, also if others have removed some of them first.
    fn sweep(&self, now: Timestamp, limit: usize) -> Reply<'_, usize>;

    /// The identity row's bytes.
    fn identity(&self) -> Reply<'_, Option<Bytes>>;

    /// Replaces the identity row if it is still `expect`; says whether it was.
    fn set_identity<'a>(&'a self, expect: Option<&'a [u8]>, row: Bytes) -> Reply<'a, bool>;

    /// Appends an audit entry of its own.
    fn note(&self, entry: Bytes) -> Reply<'_, ()>;

    /// Up to `limit` audit entries before number `before`, newest first.
    fn audit(&self, before: Option<u64>, limit: usize) -> Reply<'_, AuditPage>;
}

/// What is known of a write that failed, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    /// It was never sent, or the error proves that it had no effect.
    NotApplied,
    /// The store refuses a command for what it contains; it had no effect, and never will.
    Content,
    /// It may have been applied, or may yet be.
    Unknown,
    /// It may have been applied, and this store serves nothing until the process opens it again.
    Poisoned,
}

/// A store's failure.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    is_full: bool,
    each: Vec<Result<Applied, ErrorKind>>,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Error {
    /// A failure of `kind`, caused by `source`.
    pub fn new(kind: ErrorKind, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { kind, is_full: false, each: Vec::new(), source: source.into() }
    }

    /// A call that was not made because more are under way than the store makes at once.
    pub fn full(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { is_full: true, ..Self::new(ErrorKind::NotApplied, source) }
    }

    /// The failure of a batch whose commands did not fare alike: what became of each, in their order. Where a store is kept on
    /// several servers, one that is lost concerns its own part alone.
    ///
    /// For who does not look at each, it is as bad as the worst.
    pub fn each(
        each: Vec<Result<Applied, ErrorKind>>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let failed = each.iter().filter_map(|answer| answer.as_ref().err());
        let kind = match failed.clone().count() == each.len() {
            true => failed.copied().max().unwrap_or(ErrorKind::Unknown),
            // Some of it was applied.
            false => failed.copied().max().unwrap_or(ErrorKind::Unknown).max(ErrorKind::Unknown),
        };
        Self { kind, is_full: false, each, source: source.into() }
    }

    /// Takes out what became of each command, where that is known one by one.
    pub fn take_each(&mut self) -> Vec<Result<Applied, ErrorKind>> {
        std::mem::take(&mut self.each)
    }

    /// What is known of the write.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether it is a bound that was reached, and not the store that was not.
    pub const fn is_full(&self) -> bool {
        self.is_full
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ErrorKind::NotApplied => "failed to reach the store; nothing was written",
            ErrorKind::Content => "failed to write a row that the store does not take",
            ErrorKind::Unknown => "failed to learn whether the store has written",
            ErrorKind::Poisoned => "failed for good: the store must be opened again",
        })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}
