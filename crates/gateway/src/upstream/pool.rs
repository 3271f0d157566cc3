//! Connections to the upstream that wait for their next request.
//!
//! An upstream may close an idle connection at the very moment a request is written to it, and then nobody knows
//! whether it was read. So keyed requests take only connections that were idle for clearly less than `upstream_idle`;
//! others take what is open. What has become of a connection meanwhile is not looked at here, but right before the first
//! byte (`tap`). An idle connection makes room for one that is wanted where there is no other.
//!
//! The poll of the worker that opened a connection knows its socket, so it waits on that one's shelf. Each worker looks there first, and
//! on the others' before it opens one.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use onlyonce_ledger::boxed;
use tokio::time::Instant;

use super::{connection::Connection, places::Places, target::Target};
use crate::workers;

/// Most idle connections of all workers.
const IDLE_MAX: usize = 512;
/// How long a connection may be idle at all.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// Idle connections to one upstream.
pub(crate) struct Pool {
    target: Target,
    connect: Duration,
    keyed_idle: Duration,
    places: Arc<Places>,
    /// Most idle connections on a shelf.
    keeps: usize,
    shelves: Box<[Shelf]>,
}

/// Idle connections of one worker, the newest last.
#[derive(Default)]
struct Shelf(Mutex<VecDeque<Connection>>);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// A request that must not be sent into a closing connection.
    Keyed,
    /// Any other.
    Unkeyed,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum NotOpened {
    /// As many are open as may be.
    NoPlace,
    /// The upstream was not reached.
    Unreachable(io::Error),
}

impl Pool {
    /// `keyed_idle` is the shortest time after which the upstream may close an idle connection.
    pub(crate) fn new(
        target: Target,
        connect: Duration,
        keyed_idle: Duration,
        places: Arc<Places>,
    ) -> Arc<Self> {
        let shelves: Box<[Shelf]> = (0..workers::count()).map(|_| Shelf::default()).collect();
        let keeps = IDLE_MAX.div_ceil(shelves.len());
        Arc::new(Self { target, connect, keyed_idle, places, keeps, shelves })
    }

    /// One whose connections serve once: it shares its places with others that could not make it give up idle ones.
    pub(crate) fn of_single_use(target: Target, connect: Duration, places: Arc<Places>) -> Arc<Self> {
        let shelves = Box::new([Shelf::default()]);
        Arc::new(Self { target, connect, keyed_idle: Duration::ZERO, places, keeps: 0, shelves })
    }

    pub(crate) fn authority(&self) -> &str {
        self.target.authority()
    }

    /// An idle connection that is fit, if there is one.
    pub(super) fn idle(&self, purpose: Use) -> Option<Connection> {
        let (before, own_first) = self.shelves.split_at(self.number_of(workers::number()));
        for shelf in own_first.iter().chain(before) {
            while let Some(connection) = self.newest(shelf, purpose) {
                if connection.is_open() {
                    return Some(connection);
                }
            }
        }
        None
    }

    /// A fresh one. Who holds another has to let go of it first: it may be the last.
    ///
    /// In a box, because it is rare and every request would have to be as large.
    pub(super) fn fresh(&self) -> Pin<Box<impl Future<Output = Result<Connection, NotOpened>>>> {
        boxed::pinned(|| self.opened())
    }

    async fn opened(&self) -> Result<Connection, NotOpened> {
        let until = Instant::now() + self.connect;
        let an_idle_one_goes = || drop(self.shelves.iter().find_map(|shelf| shelf.lock().pop_front()));
        let place = tokio::time::timeout_at(until, self.places.take(an_idle_one_goes)).await;
        let place = place.map_err(|_| NotOpened::NoPlace)?;
        Connection::open(&self.target, place, until).await.map_err(NotOpened::Unreachable)
    }

    pub(super) fn give_back(&self, connection: Connection) {
        let Some(shelf) = self.shelves.get(self.number_of(connection.worker())) else { return };
        let mut idle = shelf.lock();
        // Looked at under a lock that whoever waits takes after saying so: one of the two sees the other.
        if !self.places.are_awaited() {
            idle.push_back(connection);
        }
        while idle.len() > self.keeps
            || idle.front().is_some_and(|oldest| !self.is_young(oldest, Use::Unkeyed))
        {
            idle.pop_front();
        }
    }

    /// Whether it has not been idle for too long.
    pub(super) fn is_young(&self, connection: &Connection, purpose: Use) -> bool {
        let Some((idle, keeps)) = connection.idle() else { return true };
        let limit = match purpose {
            Use::Keyed => of_safety(self.keyed_idle),
            Use::Unkeyed => IDLE_TIME,
        };
        idle < keeps.map_or(limit, |keeps| limit.min(of_safety(keeps)))
    }

    /// The newest of a shelf, if it is young enough. One that is too old for a keyed request stays for others.
    fn newest(&self, shelf: &Shelf, purpose: Use) -> Option<Connection> {
        let mut idle = shelf.lock();
        let newest = idle.pop_back()?;
        if self.is_young(&newest, purpose) {
            return Some(newest);
        }
        if purpose == Use::Keyed {
            idle.push_back(newest);
        }
        None
    }

    /// The shelf of a worker.
    fn number_of(&self, worker: usize) -> usize {
        worker % self.shelves.len()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.shelves.iter().all(|shelf| shelf.lock().is_empty())
    }
}

impl Shelf {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of an upstream's idle time in which its connections are safe to use. The rest is for the way there, and for
/// machines that are busy: the upstream's timer runs on while a request waits to be read.
fn of_safety(idle: Duration) -> Duration {
    idle / 2
}
