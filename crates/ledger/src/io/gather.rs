//! Natural batching of reads: while some rows are being read, whoever arrives queues; when that returns, the queue is read
//! at once. No timer: one round trip serves everyone who waits, and a question alone goes out alone.
//!
//! Whoever waits for longer than [`WAIT_LIMIT`] while others are answered is told that too many wait: he has met a bound, and a
//! bound lets nobody through. While nobody is answered, it is the store that does not answer, and he learns that by the limit
//! of his own.
//!
//! Invariant: what is answered was read after it was asked for.
//!
//! Bounds: [`READS`] reads under way, [`IDS_MAX`] rows in each, [`WAITING_MAX`] that wait, [`WAIT_LIMIT`] for each while others
//! are answered.

use std::{
    collections::VecDeque,
    future::{Future, ready},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use onlyonce_core::RecordId;
use tokio::sync::{oneshot, oneshot::error::RecvError, watch};

use super::Io;
use crate::store::{Error, ErrorKind, Reply};

/// Most reads under way at once.
pub const READS: usize = 2;
/// Most rows of one read.
pub const IDS_MAX: usize = 512;
/// Most that wait: as many as there are connections to a gateway. Who has gone is forgotten before anybody is turned away.
pub const WAITING_MAX: usize = 20_000;
/// How long one waits while others are answered: less than whoever looks a key up has, so that he learns what he waited for.
pub const WAIT_LIMIT: Duration = Duration::from_millis(1500);

/// What somebody is told of his row.
pub type Answer = Result<Option<Bytes>, Error>;

/// Those who ask for rows of one store.
#[derive(Debug, Default)]
pub struct Gather {
    waiting: Mutex<Waiting>,
    /// How many reads have been answered, for somebody at least.
    answered: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<Pending>,
    reading: usize,
}

#[derive(Debug)]
struct Pending {
    id: RecordId,
    answer: oneshot::Sender<Answer>,
}

/// The right to read, one of [`READS`].
struct Turn {
    gather: Arc<Gather>,
    over: bool,
}

impl Gather {
    /// The row of a record, by `read`, which answers for many in their order: one row that cannot be read is nothing to the others.
    ///
    /// # Errors
    /// That of the row; those of `read`, of which each who was read for is told; and [`Error::full`] if too many wait.
    pub fn ask<F, R>(self: &Arc<Self>, io: &Io, id: RecordId, read: F) -> Reply<'static, Option<Bytes>>
    where
        F: Fn(Vec<RecordId>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Vec<Answer>, Error>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let begins = match self.enter(Pending { id, answer }) {
            Ok(begins) => begins,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        if begins {
            let turn = Turn { gather: Arc::clone(self), over: false };
            drop(io.run(turn.read_all(read)));
        }
        let others = self.answered.subscribe();
        Box::pin(async { told(answered, others).await.unwrap_or_else(|_| Err(broke_off())) })
    }

    /// Queues; says whether a read has to be begun.
    fn enter(&self, pending: Pending) -> Result<bool, Error> {
        let mut waiting = self.lock();
        if waiting.queue.len() >= WAITING_MAX {
            waiting.queue.retain(|pending| !pending.answer.is_closed());
        }
        if waiting.queue.len() >= WAITING_MAX {
            return Err(too_many());
        }
        waiting.queue.push_back(pending);
        let begins = waiting.reading < READS;
        waiting.reading += usize::from(begins);
        Ok(begins)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Each change is complete or not begun when a panic could strike.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    async fn read_all<F, R>(mut self, read: F) -> Result<(), Error>
    where
        F: Fn(Vec<RecordId>) -> R,
        R: Future<Output = Result<Vec<Answer>, Error>>,
    {
        while let Some(part) = self.next() {
            let ids = part.iter().map(|pending| pending.id).collect();
            let rows = read(ids).await;
            let answered = rows.as_ref().is_ok_and(|answers| answers.iter().any(Result::is_ok));
            tell(part, rows);
            if answered {
                self.gather.answered.send_modify(|reads| *reads += 1);
            }
        }
        Ok(())
    }

    /// Those who wait, without those who have gone; `None` if there is nobody, and then the turn is over.
    fn next(&mut self) -> Option<Vec<Pending>> {
        let mut waiting = self.gather.lock();
        let mut part = Vec::new();
        while part.len() < IDS_MAX {
            let Some(pending) = waiting.queue.pop_front() else { break };
            if !pending.answer.is_closed() {
                part.push(pending);
            }
        }
        if part.is_empty() {
            // In the same moment: whoever comes next begins anew.
            waiting.reading -= 1;
            self.over = true;
            return None;
        }
        Some(part)
    }
}

impl Drop for Turn {
    /// A read that has panicked, or was given up at the end, leaves its turn to others.
    fn drop(&mut self) {
        if !self.over {
            self.gather.lock().reading -= 1;
        }
    }
}

/// What the read has come to; or after [`WAIT_LIMIT`] that there are too many, if others were answered, or as soon as they are.
async fn told(
    mut answer: oneshot::Receiver<Answer>,
    mut others: watch::Receiver<u64>,
) -> Result<Answer, RecvError> {
    if let Ok(answer) = tokio::time::timeout(WAIT_LIMIT, &mut answer).await {
        return answer;
    }
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // Nobody says so any more once the store is gone, and then neither is there an answer.
        Ok(()) = others.changed() => Ok(answer.try_recv().unwrap_or_else(|_| Err(too_many()))),
    }
}

fn tell(part: Vec<Pending>, answers: Result<Vec<Answer>, Error>) {
    match answers {
        Ok(answers) => {
            debug_assert_eq!(answers.len(), part.len(), "a store answers for every record");
            for (pending, answer) in part.into_iter().zip(answers) {
                // He may have gone.
                let _ = pending.answer.send(answer);
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            for pending in part {
                let _ = pending.answer.send(Err(again(&error)));
            }
        }
    }
}

/// The same failure, for one more.
fn again(error: &Arc<Error>) -> Error {
    if error.is_full() { Error::full(Arc::clone(error)) } else { Error::new(error.kind(), Arc::clone(error)) }
}

fn broke_off() -> Error {
    Error::new(ErrorKind::Unknown, "the read broke off")
}

fn too_many() -> Error {
    Error::full("more wait for a row than the store answers in time")
}

#[cfg(test)]
mod tests;
