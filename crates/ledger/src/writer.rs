//! Natural batching: while one batch is being written, arriving commands queue; when it returns, the queue is the
//! next batch. No timer, no tuning: one fsync or one round trip serves everyone who waits. A store that takes several batches
//! at once gets the next one before that, if it is large enough beside those under way.
//!
//! Invariant: a record has at most one command under way. Whoever submits the next one waits until the batch of the one before
//! it has been answered; a batch that hangs holds up its own records alone, as long as the store takes another one.
//!
//! Whoever asks a durable store waits for a disk or a network, and all of them for the same one. So its batches have a thread
//! of their own: among the tasks that a batch has woken, the next one would wait until those have had their turn.
//!
//! What an attempt has to say of its record goes before all else and is never refused for lack of room: the attempt was
//! admitted, and each has one write under way at a time. A claim in doubt that is being taken back counts as such: it
//! keeps its admission until then. What others say of a record (lapses that requests and rounds find, people,
//! start-up) is bounded by nothing of the kind and is turned away at [`OTHER_QUEUE`]; claims go last, and are turned
//! away at [`CLAIM_QUEUE`].
//! A batch that fails as a whole is split until the command at fault stands alone; one of which the store says what became of
//! each command is answered so.

mod begun;

use std::{
    collections::{HashSet, VecDeque},
    io,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use onlyonce_core::{HashIds, RecordId};
use tokio::{
    runtime,
    sync::{Notify, oneshot, watch},
    task::JoinSet,
};

use self::begun::Begun;
use crate::{
    clock::Boot,
    store::{self, Applied, BATCH_BYTES, BATCH_COMMANDS, Body, Command, ErrorKind, Store},
};

/// Most claims that wait to be written. With [`OTHER_QUEUE`] the 8 192 commands of the contract; the ends of attempts find
/// room beyond them, one for each attempt that was admitted or listens.
pub(crate) const CLAIM_QUEUE: usize = 4096;
/// Most changes that wait and are neither a claim nor an attempt's.
pub(crate) const OTHER_QUEUE: usize = 4096;
/// A batch begins beside those under way once one command waits for so many of theirs, or [`BESIDE_MAX`] do: small ones cost
/// a server nearly as much as large ones, and as long as it is at work, who waits a little makes the next one larger.
const BESIDE: usize = 2;
const BESIDE_MAX: usize = 64;

/// How long whoever drops a writer waits for what is queued, and for a store that hangs.
const CLOSE_WAIT: Duration = Duration::from_secs(5);
/// How often he looks.
const CLOSE_TICK: Duration = Duration::from_millis(1);

/// What became of one command: a failure is shared by all that were in its batch.
pub(crate) type Answer = Result<Applied, Arc<store::Error>>;

/// Which queue a command waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A new claim: may be turned away.
    Claim,
    /// An attempt's word on the record that it holds, or may hold: goes first, and always finds room.
    End,
    /// What others say of a record that is claimed already: goes before claims, and may be turned away.
    Other,
}

/// The queue before the store.
pub(crate) struct Writer {
    queue: Arc<Queue>,
    poisoned: watch::Receiver<bool>,
    /// For a durable store.
    thread: Option<JoinHandle<()>>,
}

struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    ends: VecDeque<Pending>,
    others: VecDeque<Pending>,
    claims: VecDeque<Pending>,
    closed: bool,
    /// Somebody met a store that has failed for good.
    poisoned: bool,
    /// The number of the next command.
    ticket: u64,
    /// How many must wait before a batch begins, and who writes is woken for it.
    wanted: usize,
}

struct Pending {
    ticket: u64,
    command: Command,
    answer: oneshot::Sender<Answer>,
}

/// The place of a command whose asker waits. Who stops waiting takes a command that is not being written with him, or
/// a store that hangs would keep the results of all who gave up; each of them submits anew or says *unknown*.
struct Place<'a> {
    queue: &'a Queue,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.queue.lock();
        let Waiting { ends, others, claims, .. } = &mut *waiting;
        for queue in [ends, others, claims] {
            if let Some(at) = queue.iter().position(|pending| pending.ticket == self.ticket) {
                queue.remove(at);
            }
        }
    }
}

impl Writer {
    /// Starts what writes; it ends when the writer is dropped and the queue is empty.
    ///
    /// # Errors
    /// If a thread is wanted and cannot be started.
    pub(crate) fn start(store: Arc<dyn Store>) -> io::Result<Self> {
        let queue = Arc::new(Queue { waiting: Mutex::default(), arrived: Notify::new() });
        let (poison, poisoned) = watch::channel(false);
        let durable = store.capabilities().durable;
        let writing = run(store, Arc::clone(&queue), poison);
        let thread = if durable {
            let runtime = runtime::Builder::new_current_thread().enable_time().build()?;
            let thread = thread::Builder::new().name("onlyonce-ledger".into());
            Some(thread.spawn(move || runtime.block_on(writing))?)
        } else {
            tokio::spawn(writing);
            None
        };
        Ok(Self { queue, poisoned, thread })
    }

    /// Writes one command; `None` if it is not an attempt's end and its queue is full.
    pub(crate) async fn submit(&self, class: Class, command: Command) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        let (ticket, is_enough) = {
            let mut waiting = self.queue.lock();
            waiting.ticket += 1;
            let ticket = waiting.ticket;
            let pending = Pending { ticket, command, answer };
            match class {
                Class::End => waiting.ends.push_back(pending),
                Class::Other if waiting.others.len() < OTHER_QUEUE => waiting.others.push_back(pending),
                Class::Claim if waiting.claims.len() < CLAIM_QUEUE => waiting.claims.push_back(pending),
                Class::Other | Class::Claim => return None,
            }
            (ticket, waiting.is_enough())
        };
        if is_enough {
            self.queue.arrived.notify_one();
        }
        let place = Place { queue: &self.queue, ticket };
        let answer = answered.await;
        // It was taken out of the queue to be answered, so there is nothing to look for.
        std::mem::forget(place);
        Some(answer.unwrap_or_else(|_| Err(Arc::new(stopped()))))
    }

    /// Resolves once the store is poisoned.
    pub(crate) fn poisoned(&self) -> watch::Receiver<bool> {
        self.poisoned.clone()
    }

    /// Takes note of a failure that somebody met beside the writer: a store may fail while nothing is written.
    pub(crate) fn met(&self, error: &store::Error) {
        if error.kind() == ErrorKind::Poisoned {
            self.queue.lock().poisoned = true;
            self.queue.arrived.notify_one();
        }
    }
}

impl Drop for Writer {
    /// Waits until what is queued has been written and the store is let go: whoever opens it next finds it free.
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.arrived.notify_one();
        let Some(thread) = self.thread.take() else { return };
        let since = Boot::now();
        while !thread.is_finished() && since.elapsed() < CLOSE_WAIT {
            thread::sleep(CLOSE_TICK);
        }
        if thread.is_finished() && thread.join().is_err() {
            tracing::error!("the thread that writes the ledger has panicked");
        }
    }
}

fn stopped() -> store::Error {
    store::Error::new(ErrorKind::Unknown, "the writer has stopped")
}

async fn run(store: Arc<dyn Store>, queue: Arc<Queue>, poison: watch::Sender<bool>) {
    let at_once = store.batches_at_once();
    if at_once > 1 {
        return run_several(store, at_once, queue, poison).await;
    }
    let none = Records::default();
    loop {
        match queue.next(&none, Lane::Free { beside: 0 }) {
            Next::Batch(batch) => write(&*store, batch, &poison).await,
            Next::Poisoned => _ = poison.send_replace(true),
            Next::Nothing => queue.arrived.notified().await,
            Next::Closed => return,
        }
    }
}

/// The same with several batches under way. A record is in one of them at most.
async fn run_several(store: Arc<dyn Store>, at_once: usize, queue: Arc<Queue>, poison: watch::Sender<bool>) {
    let mut writing = JoinSet::new();
    let mut busy = Records::default();
    let mut begun = Begun::default();
    loop {
        let lane = match writing.len() < at_once {
            true => Lane::Free { beside: begun.in_time() },
            false => Lane::Taken,
        };
        match queue.next(&busy, lane) {
            Next::Batch(batch) => {
                let records: Vec<_> = batch.iter().map(|pending| pending.command.id).collect();
                busy.extend(&records);
                let number = begun.add(records.len());
                let (store, poison) = (Arc::clone(&store), poison.clone());
                writing.spawn(async move {
                    write(&*store, batch, &poison).await;
                    (number, records)
                });
            }
            Next::Poisoned => _ = poison.send_replace(true),
            Next::Closed if writing.is_empty() => return,
            Next::Nothing | Next::Closed => tokio::select! {
                Some(written) = writing.join_next() => {
                    let (number, records) = written.expect("a store does not panic while it writes");
                    begun.remove(number);
                    for record in records {
                        busy.remove(&record);
                    }
                }
                () = queue.arrived.notified() => {}
                // Then fewer are enough for the next one.
                Some(()) = begun.one_more_is_late() => {}
            },
        }
    }
}

async fn write(store: &dyn Store, batch: Vec<Pending>, poison: &watch::Sender<bool>) {
    // A stack instead of recursion: a failed batch is split in halves, and each half stands alone.
    let mut parts = vec![batch];
    while let Some(mut part) = parts.pop() {
        let commands = part.iter().map(|pending| pending.command.clone()).collect();
        match store.apply(commands).await {
            Ok(applied) => {
                debug_assert_eq!(applied.len(), part.len(), "a store answers every command");
                for (pending, applied) in part.into_iter().zip(applied) {
                    // Whoever asked may have gone; the write stands all the same.
                    let _ = pending.answer.send(Ok(applied));
                }
            }
            Err(mut error) => match error.take_each() {
                each if each.len() == part.len() => answer_each(part, each, error, poison),
                _ if part.len() > 1 && splittable(error.kind()) => {
                    let second = part.split_off(part.len() / 2);
                    parts.push(second);
                    parts.push(part);
                }
                _ => {
                    if error.kind() == ErrorKind::Poisoned {
                        poison.send_replace(true);
                    }
                    let error = Arc::new(error);
                    for pending in part {
                        let _ = pending.answer.send(Err(Arc::clone(&error)));
                    }
                }
            },
        }
    }
}

/// Each command has an answer of its own, though not all have fared well.
fn answer_each(
    part: Vec<Pending>,
    each: Vec<Result<Applied, ErrorKind>>,
    error: store::Error,
    poison: &watch::Sender<bool>,
) {
    if error.kind() == ErrorKind::Poisoned {
        poison.send_replace(true);
    }
    let error = Arc::new(error);
    for (pending, answer) in part.into_iter().zip(each) {
        let answer = answer.map_err(|kind| Arc::new(store::Error::new(kind, Arc::clone(&error))));
        let _ = pending.answer.send(answer);
    }
}

/// Whether one command alone may fare better than the whole batch did.
fn splittable(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::NotApplied | ErrorKind::Content => true,
        ErrorKind::Unknown | ErrorKind::Poisoned => false,
    }
}

/// Whether the store takes one more batch.
enum Lane {
    /// Beside so many commands that are being written, without those of batches that are late.
    Free {
        beside: usize,
    },
    Taken,
}

enum Next {
    Batch(Vec<Pending>),
    Poisoned,
    Nothing,
    Closed,
}

impl Queue {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch, without what concerns a record that is busy.
    fn next(&self, busy: &Records, lane: Lane) -> Next {
        let mut waiting = self.lock();
        if std::mem::take(&mut waiting.poisoned) {
            return Next::Poisoned;
        }
        waiting.wanted = match lane {
            Lane::Taken => usize::MAX,
            Lane::Free { .. } if waiting.closed => 1,
            Lane::Free { beside } => (beside / BESIDE).clamp(1, BESIDE_MAX),
        };
        let mut batch = Batch::default();
        if waiting.is_enough() {
            let Waiting { ends, others, claims, .. } = &mut *waiting;
            batch.take(ends, busy);
            batch.take(others, busy);
            batch.take(claims, busy);
        }
        match batch.commands.is_empty() {
            false => Next::Batch(batch.commands),
            true if waiting.closed && waiting.len() == 0 => Next::Closed,
            true => Next::Nothing,
        }
    }
}

impl Waiting {
    fn len(&self) -> usize {
        self.ends.len() + self.others.len() + self.claims.len()
    }

    /// Whether so many wait that a batch begins.
    fn is_enough(&self) -> bool {
        self.len() >= self.wanted
    }
}

#[derive(Default)]
struct Batch {
    commands: Vec<Pending>,
    bytes: usize,
    records: Records,
}

type Records = HashSet<RecordId, HashIds>;

impl Batch {
    /// Fills up from the front of `queue`. A second command for one record waits for a later batch, and so does whatever
    /// follows for that record. Strangers pass it, however many wait so: a batch that hangs must not hold up the ends of
    /// others by those of its own records.
    fn take(&mut self, queue: &mut VecDeque<Pending>, busy: &Records) {
        let mut passed = Vec::new();
        while let Some(pending) = queue.pop_front() {
            let bytes = size(&pending.command);
            let full = self.commands.len() >= BATCH_COMMANDS
                || (!self.commands.is_empty() && self.bytes + bytes > BATCH_BYTES);
            if full {
                queue.push_front(pending);
                break;
            }
            let id = pending.command.id;
            if busy.contains(&id) || !self.records.insert(id) {
                passed.push(pending);
                continue;
            }
            self.bytes += bytes;
            self.commands.push(pending);
        }
        for pending in passed.into_iter().rev() {
            queue.push_front(pending);
        }
    }
}

fn size(command: &Command) -> usize {
    let body = match &command.body {
        Body::Put { bytes, .. } => bytes.len(),
        Body::Keep | Body::Remove => 0,
    };
    command.head.len() + body + command.note.as_ref().map_or(0, bytes::Bytes::len)
}

#[cfg(test)]
mod tests;
