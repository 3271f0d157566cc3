//! The threads that serve connections: one for each processor, each with a scheduler of its own.
//!
//! A connection stays where it was put, and so does all that its requests start, so nothing on a request's way wakes
//! another thread but the ledger's. One scheduler for all threads moves tasks between them instead, and for tasks as short
//! as these that costs more than it gains.
//!
//! Invariant: a worker runs until the gateway is dropped, which is after the drain: what is served on it has ended by
//! then or has had its time.

use std::{
    cell::Cell,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::runtime::{Builder, Handle, Runtime};

/// Threads that serve connections.
pub(crate) struct Workers(Vec<Runtime>);

/// One of them, and how many connections it serves.
#[derive(Debug)]
pub(crate) struct Worker {
    handle: Handle,
    serving: Arc<AtomicUsize>,
}

/// A connection's place on a worker, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat(Arc<AtomicUsize>);

/// How many workers there are: one for each processor that this process may use.
pub(crate) fn count() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// Which worker asks; on any other thread the first.
pub(crate) fn number() -> usize {
    NUMBER.get()
}

impl Workers {
    /// Starts so many, one at least.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        // Not tokio's scheduler for a current thread: that one makes a system call whenever another thread wakes a
        // task of it, also while it runs.
        let worker = |number| {
            Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("onlyonce-worker")
                .on_thread_start(move || NUMBER.set(number))
                .enable_all()
                .build()
        };
        (0..count.max(1)).map(worker).collect::<Result<_, _>>().map(Self)
    }

    /// The one on which the ledger is opened, and does what no request asks for.
    pub(crate) fn first(&self) -> &Handle {
        self.0.first().expect("one is started at least").handle()
    }

    /// All of them, none of which serves yet.
    pub(crate) fn all(&self) -> Vec<Worker> {
        self.0.iter().map(|runtime| Worker::on(runtime.handle().clone())).collect()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // Within another runtime a runtime must not be waited for.
        self.0.drain(..).for_each(Runtime::shutdown_background);
    }
}

impl Worker {
    /// What serves on this runtime.
    pub(crate) fn on(handle: Handle) -> Self {
        Self { handle, serving: Arc::default() }
    }

    /// Where to spawn.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// How many connections it serves.
    pub(crate) fn serving(&self) -> usize {
        self.serving.load(Ordering::Relaxed)
    }

    /// Counts one more.
    pub(crate) fn seat(&self) -> Seat {
        self.serving.fetch_add(1, Ordering::Relaxed);
        Seat(Arc::clone(&self.serving))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
