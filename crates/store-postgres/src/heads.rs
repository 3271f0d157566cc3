//! Rows that requests look up, many with one question.
//!
//! Each look-up by itself would cost the server ten times what it costs among others. So whoever finds a question under way waits
//! for the next one, as commands wait for the next batch: no timer, and nobody waits where nobody else asks.
//!
//! Bounds: as many questions at once as there are connections for reads, [`IDS_MAX`] ids in one; who waits is bounded by who
//! asks. Whoever stops waiting is answered all the same.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use onlyonce_core::{HashIds, RecordId};
use onlyonce_ledger::{
    clock::RemoteClock,
    store::{Error, ErrorKind},
};
use sqlx::postgres::PgBindIterExt;
use tokio::sync::oneshot;

use crate::{
    error::unread,
    store::{READS, Shared, column},
};

/// Most ids in a question; a single look-up for more is a question of its own.
const IDS_MAX: usize = 512;

type Heads = Vec<Option<Bytes>>;

/// Look-ups that wait for a question.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    look_ups: Vec<LookUp>,
    /// Questions that are under way.
    asking: usize,
}

#[derive(Debug)]
struct LookUp {
    ids: Vec<RecordId>,
    answer: oneshot::Sender<Result<Heads, Error>>,
}

impl Shared {
    /// The rows of these records, in their order.
    pub(crate) async fn heads(self: Arc<Self>, ids: Vec<RecordId>) -> Result<Heads, Error> {
        let (answer, answered) = oneshot::channel();
        if self.waiting.join(LookUp { ids, answer }) {
            // By itself, or whoever asks first would be answered last.
            tokio::spawn(self.ask_for_heads());
        }
        answered.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::NotApplied, "the look-up was given up")))
    }

    /// Asks question after question until nobody waits.
    async fn ask_for_heads(self: Arc<Self>) {
        while let Some(look_ups) = self.waiting.take() {
            let ids = look_ups.iter().flat_map(|look_up| &look_up.ids);
            let found = self.find(ids.copied().collect()).await;
            for LookUp { ids, answer } in look_ups {
                let heads = match &found {
                    Ok(found) => Ok(ids.iter().map(|id| found.get(id).cloned()).collect()),
                    Err(error) => Err(again(error)),
                };
                // Whoever asked may have gone.
                let _ = answer.send(heads);
            }
        }
    }

    async fn find(&self, mut ids: Vec<RecordId>) -> Result<HashMap<RecordId, Bytes, HashIds>, Error> {
        // One after the other through the index, and none twice.
        ids.sort_unstable();
        ids.dedup();
        let query = || sqlx::query(&self.sql.heads).bind(ids.iter().map(|id| &id.0[..]).bind_iter());
        let asked = RemoteClock::ask();
        let rows = self.reads.read(query).await.map_err(unread)?;
        self.heard(asked, &rows);
        let mut found = HashMap::default();
        for row in &rows {
            // The first row is the time.
            if let Some(id) = column::<Option<Vec<u8>>>(row, "id")?.and_then(|id| id.try_into().ok()) {
                found.insert(RecordId(id), column::<Vec<u8>>(row, "head")?.into());
            }
        }
        Ok(found)
    }
}

impl Waiting {
    /// Puts a look-up into the queue; says whether it is on the caller to ask.
    fn join(&self, look_up: LookUp) -> bool {
        let mut queue = self.queue();
        queue.look_ups.push(look_up);
        let asks = queue.asking < READS;
        queue.asking += usize::from(asks);
        asks
    }

    /// The next question; `None`: nobody waits, and one question less is under way.
    fn take(&self) -> Option<Vec<LookUp>> {
        let mut queue = self.queue();
        if queue.look_ups.is_empty() {
            queue.asking -= 1;
            return None;
        }
        let mut ids = 0;
        let full = queue.look_ups.iter().position(|look_up| {
            ids += look_up.ids.len();
            ids > IDS_MAX
        });
        let count = full.unwrap_or(queue.look_ups.len()).max(1);
        Some(queue.look_ups.drain(..count).collect())
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Whole in every step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same failure for each who waited.
fn again(error: &Error) -> Error {
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    if error.is_full() { Error::full(source) } else { Error::new(error.kind(), source) }
}
