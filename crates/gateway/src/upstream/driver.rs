//! What reads and writes on a connection: whoever waits for its answer, or a task of its own.
//!
//! Driven where it is waited for, a request and its answer wake no task but the one that asked. Only if more is to come
//! than has come with the head of an answer, or the request is not written to its end by then, does a task go on with it.
//! While a connection is idle nobody drives it, and what becomes of it meanwhile is seen by the look before the next
//! request's first byte.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::task::JoinHandle;

/// How a connection ended: whether bytes were read that belong to no answer.
pub(super) type Ended = Result<bool, hyper::Error>;

type Driving = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// What drives a connection.
pub(super) enum Driver {
    /// Whoever [polls](Driver::poll) it.
    Asker(Driving),
    /// A task.
    Task(Task),
    /// Nothing any more; how it ended, until that was asked.
    Over(Option<Ended>),
}

/// Ends with its handle.
pub(super) struct Task(JoinHandle<Ended>);

impl Driver {
    pub(super) fn new(driving: impl Future<Output = Ended> + Send + 'static) -> Self {
        Self::Asker(Box::pin(driving))
    }

    /// Reads and writes what can be; nothing if somebody else does.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) {
        if let Self::Asker(driving) = self
            && let Poll::Ready(ended) = driving.as_mut().poll(context)
        {
            *self = Self::Over(Some(ended));
        }
    }

    /// From here on a task does it, for as long as the connection lives.
    pub(super) fn go_on_alone(&mut self) {
        *self = match std::mem::replace(self, Self::Over(None)) {
            Self::Asker(driving) => Self::Task(Task(tokio::spawn(driving))),
            other => other,
        };
    }

    /// Whether it has ended, as far as is known.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Asker(_) => false,
            Self::Task(Task(task)) => task.is_finished(),
            Self::Over(_) => true,
        }
    }

    /// Ends it. Once this returns nothing is read or written any more.
    pub(super) async fn stop(&mut self) {
        if let Self::Task(Task(task)) = self {
            task.abort();
            let _ = task.await;
        }
        *self = Self::Over(None);
    }

    /// Waits for its end; `None` if it was stopped.
    pub(super) async fn ended(&mut self) -> Option<Ended> {
        match self {
            Self::Asker(driving) => Some(driving.await),
            Self::Task(Task(task)) => task.await.ok(),
            Self::Over(ended) => ended.take(),
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
