//! Pages of rows: the open ones, all of them, and those whose time has come.
//!
//! What is listed was read from an index, and the rows after it, so a row may have changed in between: each is looked at
//! once more. Nothing here decides by a list alone.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use bytes::Bytes;
use onlyonce_core::{RecordId, Timestamp, codec};
use onlyonce_ledger::store::Row;

use crate::{error::Failure, keys::shard_of, reply, request::Request, router::Router};

/// Shards that are asked at once.
const SHARDS_AT_ONCE: usize = 32;
/// Ids that a server gives at once when all of a shard are asked for.
const IDS: usize = 1_000;
/// Most expired rows that one shard is asked for at once.
const EXPIRED: usize = 64;
/// Most rows that are removed with one pipeline, so that claims get in between.
const REMOVED: usize = 64;

/// What is remembered between two pages.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// The ids of the shard in which the last page of all rows ended, and the last row of that page.
    listed: Mutex<Option<(RecordId, Vec<RecordId>)>>,
    /// The shard at which the next sweep begins.
    sweep: AtomicU8,
}

/// The rows of these records.
pub(crate) async fn heads(router: &Router, ids: &[RecordId]) -> Result<Vec<Option<Bytes>>, Failure> {
    each_head(router, ids).await.into_iter().collect()
}

/// The same, where each is asked for by somebody else.
pub(crate) async fn each_head(router: &Router, ids: &[RecordId]) -> Vec<Result<Option<Bytes>, Failure>> {
    let answers = router.reads(ids.iter().map(|id| Request::Row(*id)).collect()).await;
    answers.into_iter().map(|answer| reply::bytes(answer?)).collect()
}

async fn rows(router: &Router, ids: Vec<RecordId>) -> Result<Vec<Row>, Failure> {
    let heads = heads(router, &ids).await?;
    Ok(ids.into_iter().zip(heads).filter_map(|(id, row)| Some((id, row?))).collect())
}

/// Up to `limit` open rows after this one.
pub(crate) async fn open(
    router: &Router,
    after: Option<RecordId>,
    limit: usize,
) -> Result<Vec<Row>, Failure> {
    let mut page = Vec::new();
    let mut after = after;
    let shards: Vec<u8> = (after.map_or(0, shard_of)..=u8::MAX).collect();
    let counts = router.reads(shards.iter().map(|shard| Request::CountOpen(*shard)).collect()).await;
    for (shard, count) in shards.into_iter().zip(counts) {
        if reply::count(&count?)? == 0 {
            continue;
        }
        // Some may have ended between list and look, and then there is more to list.
        while page.len() < limit {
            let limit = limit - page.len();
            let ids = reply::ids(router.read(Request::Open { shard, after, limit }).await?)?;
            let (whole, last) = (ids.len() < limit, ids.last().copied());
            let listed = rows(router, ids).await?;
            page.extend(listed.into_iter().filter(|(_, row)| codec::peek(row).is_ok_and(|peek| peek.open)));
            if whole {
                break;
            }
            after = last;
        }
        after = None;
        if page.len() == limit {
            break;
        }
    }
    Ok(page)
}

impl Pages {
    /// Up to `limit` rows of any kind after this one.
    pub(crate) async fn all(
        &self,
        router: &Router,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<Row>, Failure> {
        let mut page = Vec::new();
        let mut listed = self.listed_after(after);
        for shard in after.map_or(0, shard_of)..=u8::MAX {
            let mut ids = match listed.take() {
                Some(ids) => ids,
                None => ids_of(router, shard)
                    .await?
                    .into_iter()
                    .filter(|id| after.is_none_or(|after| *id > after))
                    .collect(),
            };
            while page.len() < limit && !ids.is_empty() {
                let rest = ids.split_off(ids.len().min(limit - page.len()));
                page.extend(rows(router, ids).await?);
                ids = rest;
            }
            if page.len() == limit {
                let last = page.last().map(|(id, _)| *id);
                *lock(&self.listed) = last.map(|last| (last, ids));
                break;
            }
        }
        Ok(page)
    }

    /// The ids that the last page has left of its shard, if this is the page after it.
    fn listed_after(&self, after: Option<RecordId>) -> Option<Vec<RecordId>> {
        let (last, ids) = lock(&self.listed).take()?;
        (after == Some(last)).then_some(ids)
    }

    /// Removes up to `limit` rows that expired before `now`. Says how many it has found, of which others may have
    /// removed or renewed some.
    pub(crate) async fn sweep(
        &self,
        router: &Router,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, Failure> {
        let mut expired = Vec::new();
        let first = self.sweep.load(Ordering::Relaxed);
        let shards: Vec<u8> = (0..=u8::MAX).map(|shard| first.wrapping_add(shard)).collect();
        for shards in shards.chunks(SHARDS_AT_ONCE) {
            let Some(limit) = limit.checked_sub(expired.len()).filter(|limit| *limit > 0) else { break };
            expired.extend(expired_of(router, shards, now, limit).await?.into_iter().take(limit));
            let next = shards.last().map_or(first, |last| last.wrapping_add(1));
            self.sweep.store(next, Ordering::Relaxed);
        }
        for part in expired.chunks(REMOVED) {
            for answer in router.writes(part.to_vec()).await {
                reply::count(&answer?)?;
            }
        }
        Ok(expired.len())
    }
}

/// All ids of a shard, in their order.
///
/// Each page begins where the one before has ended, by what the index is sorted by. A cursor of `ZSCAN` would mean something to
/// the process that gave it alone: after a restart, a fail-over or a move of the slot, another one goes on elsewhere.
async fn ids_of(router: &Router, shard: u8) -> Result<BTreeSet<RecordId>, Failure> {
    let mut ids = BTreeSet::new();
    // Twice the open ones: what ends or is claimed anew between two looks is found by the other.
    open_of(router, shard, &mut ids).await?;
    ended_of(router, shard, &mut ids).await?;
    open_of(router, shard, &mut ids).await?;
    Ok(ids)
}

async fn open_of(router: &Router, shard: u8, ids: &mut BTreeSet<RecordId>) -> Result<(), Failure> {
    let (mut after, limit) = (None, IDS);
    loop {
        let page = reply::ids(router.read(Request::Open { shard, after, limit }).await?)?;
        let whole = page.len() < limit;
        after = page.last().copied();
        ids.extend(page);
        if whole {
            return Ok(());
        }
    }
}

/// By the time at which they may go, which of a row that stays here only becomes later.
async fn ended_of(router: &Router, shard: u8, ids: &mut BTreeSet<RecordId>) -> Result<(), Failure> {
    let (mut from, mut limit) = (None, IDS);
    loop {
        let request = Request::Ended { shard, from: from.clone(), limit };
        let page = reply::scored(router.read(request).await?)?;
        let whole = page.len() < limit;
        let last = page.last().map(|(_, score)| score.clone());
        ids.extend(page.into_iter().map(|(id, _)| id));
        if whole {
            return Ok(());
        }
        // Of those with one time, a page that has no room for all gives the same ones again.
        limit = if last == from { limit * 2 } else { IDS };
        from = last;
    }
}

/// What removes the rows of these shards that have expired, at most `limit` of each.
async fn expired_of(
    router: &Router,
    shards: &[u8],
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Request>, Failure> {
    let limit = limit.min(EXPIRED);
    let mut removals = Vec::new();
    let mut asked: Vec<(u8, usize)> = shards.iter().map(|shard| (*shard, 0)).collect();
    while !asked.is_empty() {
        let requests =
            asked.iter().map(|(shard, skip)| Request::Expired { shard: *shard, now, skip: *skip, limit });
        let answers = router.reads(requests.collect()).await;
        let mut ids = Vec::new();
        let mut listed = Vec::with_capacity(asked.len());
        for ((shard, skip), answer) in asked.iter().zip(answers) {
            let found = reply::ids(answer?)?;
            listed.push((*shard, skip + found.len(), found.len() == limit, ids.len() + found.len()));
            ids.extend(found);
        }
        let heads = heads(router, &ids).await?;
        let mut rows = ids.into_iter().zip(heads).map(|(id, row)| removal(id, row.as_deref(), now));
        let mut at = 0;
        asked.clear();
        for (shard, skip, full, end) in listed {
            let removable: Vec<_> = rows.by_ref().take(end - at).flatten().collect();
            at = end;
            // A shard whose first rows cannot be removed, since nobody here can read them, may have others behind them.
            if full && removable.is_empty() {
                asked.push((shard, skip));
            }
            removals.extend(removable);
        }
    }
    Ok(removals)
}

/// What removes a row that may go by what it says itself; the index is only where it was found.
fn removal(id: RecordId, row: Option<&[u8]>, now: Timestamp) -> Option<Request> {
    let Some(row) = row else {
        // The server has dropped it; the index has not noticed.
        return Some(Request::Forget(id));
    };
    let peek = codec::peek(row).ok().filter(|peek| !peek.open)?;
    (peek.expires_at? <= now).then_some(Request::Remove(id, peek.version))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Replaced as a whole, so sound also after a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
