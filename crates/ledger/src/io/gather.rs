//! Natural batching of reads: while some rows are being read, whoever arrives queues; when that returns, the queue is read
//! at once. No timer: one round trip serves everyone who waits, and a question alone goes out alone.
//!
//! Invariant: what is answered was read after it was asked for.
//!
//! Bounds: [`READS`] reads under way, [`IDS_MAX`] rows in each, [`QUEUE_MAX`] that wait.

use std::{
    collections::VecDeque,
    future::{Future, ready},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use onlyonce_core::RecordId;
use tokio::sync::oneshot;

use super::Io;
use crate::store::{Error, ErrorKind, Reply};

/// Most reads under way at once.
pub const READS: usize = 2;
/// Most rows of one read.
pub const IDS_MAX: usize = 512;
/// Most that wait. Who has gone is forgotten before anybody is turned away.
pub const QUEUE_MAX: usize = 32_768;

/// What somebody is told of his row.
pub type Answer = Result<Option<Bytes>, Error>;

/// Those who ask for rows of one store.
#[derive(Debug, Default)]
pub struct Gather(Mutex<Waiting>);

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
        Box::pin(async {
            answered.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Unknown, "the read broke off")))
        })
    }

    /// Queues; says whether a read has to be begun.
    fn enter(&self, pending: Pending) -> Result<bool, Error> {
        let mut waiting = self.lock();
        if waiting.queue.len() >= QUEUE_MAX {
            waiting.queue.retain(|pending| !pending.answer.is_closed());
        }
        if waiting.queue.len() >= QUEUE_MAX {
            return Err(Error::full("too many wait for a row to be read"));
        }
        waiting.queue.push_back(pending);
        let begins = waiting.reading < READS;
        waiting.reading += usize::from(begins);
        Ok(begins)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Each change is complete or not begun when a panic could strike.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
            tell(part, read(ids).await);
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

#[cfg(test)]
mod tests;
