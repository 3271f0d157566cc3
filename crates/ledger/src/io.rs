//! Where a store that is reached over a network does its I/O: one thread, with a runtime of its own.
//!
//! A socket belongs to the runtime that made it, and ends with it. Requests are served by several runtimes and batches are
//! written by one without I/O, so none of them may own what all of them share. Whoever asks hands a job over and waits for
//! its answer on whatever runtime he has.
//!
//! Invariant: what was begun goes on. Who asked may go away, and his command is carried to its end all the same: to break
//! it off would close a connection that others use, and leave a write behind of which nobody knows what became.

pub mod gather;

use std::{
    future::Future,
    io,
    pin::pin,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    runtime::{self, Handle},
    sync::{mpsc, oneshot},
};

use crate::{
    clock::Boot,
    store::{Error, ErrorKind, Reply},
};

/// How long jobs that are under way may still take once the [`Io`] is dropped.
pub const CLOSE_WAIT: Duration = Duration::from_secs(3);
/// How often who drops it looks whether they have ended.
const CLOSE_TICK: Duration = Duration::from_millis(1);

/// A thread for the I/O of one store. Dropped, it takes no more jobs, and ends after those that it has, or after
/// [`CLOSE_WAIT`]; the drop waits for that. A job must not own it.
#[derive(Debug)]
pub struct Io {
    runtime: Handle,
    /// Each job has a clone: once all are gone, no job is under way.
    jobs: Option<mpsc::Sender<()>>,
    close: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Io {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the operating system has no thread or no file descriptor left.
    pub fn start() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (jobs, none_left) = mpsc::channel(1);
        let (close, closed) = oneshot::channel();
        let thread = thread::Builder::new().name("onlyonce-io".into());
        let thread = thread.spawn(move || {
            runtime.block_on(until_closed(closed, none_left));
            // What is left is given up: tasks that only look after connections, and jobs that hang.
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, jobs: Some(jobs), close: Some(close), thread: Some(thread) })
    }

    /// Does a job there, from now on, also if the answer is not waited for.
    ///
    /// # Errors
    /// Those of the job; and an error of kind *unknown* if it has panicked, or was given up at the end.
    pub fn run<T, F>(&self, job: F) -> Reply<'static, T>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
        T: Send + 'static,
    {
        let under_way = self.jobs.clone();
        let answer = self.runtime.spawn(async move {
            let answer = job.await;
            drop(under_way);
            answer
        });
        Box::pin(async move {
            answer.await.unwrap_or_else(|ended| {
                let how = if ended.is_panic() { "the job has panicked" } else { "the store was closed" };
                Err(Error::new(ErrorKind::Unknown, how))
            })
        })
    }

    /// Does something there for as long as this lives: it is broken off at the end.
    pub fn keep(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }
}

/// Resolves once no job is wanted any more and none is under way, or after [`CLOSE_WAIT`].
async fn until_closed(closed: oneshot::Receiver<()>, mut none_left: mpsc::Receiver<()>) {
    // Dropped unused, the sender says the same.
    let _ = closed.await;
    // Nobody sends: the channel is closed once all jobs have ended.
    let ended = pin!(none_left.recv());
    if tokio::time::timeout(CLOSE_WAIT, ended).await.is_err() {
        tracing::warn!("what a store was asked before it was closed has not ended, and is given up");
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        self.jobs.take();
        self.close.take();
        let Some(thread) = self.thread.take() else { return };
        // A job that owns it by mistake would wait for itself.
        if thread.thread().id() == thread::current().id() {
            return;
        }
        let since = Boot::now();
        while !thread.is_finished() && since.elapsed() < CLOSE_WAIT * 2 {
            thread::sleep(CLOSE_TICK);
        }
    }
}

#[cfg(test)]
mod tests;
