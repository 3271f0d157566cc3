//! What the application does for one operation.

use std::{
    fmt,
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tokio::sync::watch;

/// One [`Act`] for each arrival of an operation, in order; the last one stands for all that follow.
#[derive(Clone, Debug)]
pub struct Script(Vec<Act>);

/// What one arrival comes to.
#[derive(Clone, Debug)]
pub struct Act {
    pub(super) takes_effect: bool,
    pub(super) works: Duration,
    pub(super) lingers: Duration,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// `None`: a body that names the effect.
    pub(super) body: Option<Bytes>,
    pub(super) held: Option<(Stage, Barrier)>,
    pub(super) cut: Option<Stage>,
}

/// Where an act is held or broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The request has arrived, and nothing has happened.
    BeforeEffect,
    /// It has taken effect, and nothing has been answered.
    AfterEffect,
    /// Head and half of the body of its answer have gone out.
    MidAnswer,
}

/// Where arrivals wait until a check lets them go on. Its clones are the same barrier.
#[derive(Clone, Debug)]
pub struct Barrier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    open: watch::Sender<bool>,
    came: watch::Sender<usize>,
    waiting: AtomicUsize,
}

impl Script {
    /// All arrivals come to the same.
    #[must_use]
    pub fn always(act: Act) -> Self {
        Self(vec![act])
    }

    /// The first arrival comes to `act`, all others are carried out and answered as usual.
    #[must_use]
    pub fn first(act: Act) -> Self {
        Self(vec![act, Act::usual()])
    }

    /// What the arrival of this number comes to, counted from zero.
    pub(super) fn act(&self, number: usize) -> Act {
        self.0.get(number).or(self.0.last()).cloned().unwrap_or_else(Act::usual)
    }

    /// Opens all its barriers.
    pub(super) fn let_go(&self) {
        for (_, barrier) in self.0.iter().filter_map(|act| act.held.as_ref()) {
            barrier.open();
        }
    }
}

impl Act {
    /// Takes effect, and is answered with 201, the effect's number, a `Location` and a cookie.
    #[must_use]
    pub fn usual() -> Self {
        Self::answered(StatusCode::CREATED)
    }

    /// Takes effect, and is answered with this status.
    #[must_use]
    pub fn answered(status: StatusCode) -> Self {
        Self {
            takes_effect: true,
            works: Duration::ZERO,
            lingers: Duration::ZERO,
            status,
            headers: HeaderMap::new(),
            body: None,
            held: None,
            cut: None,
        }
    }

    /// Has no effect, and is answered with this status.
    #[must_use]
    pub fn refused(status: StatusCode) -> Self {
        Self { takes_effect: false, ..Self::answered(status) }
    }

    /// Works for so long before its effect.
    #[must_use]
    pub fn working(self, works: Duration) -> Self {
        Self { works, ..self }
    }

    /// Works for so long between its effect and its answer.
    #[must_use]
    pub fn lingering(self, lingers: Duration) -> Self {
        Self { lingers, ..self }
    }

    /// With another header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// With `Retry-After` (RFC 9110, section 10.2.3).
    #[must_use]
    pub fn with_retry_after(self, seconds: u16) -> Self {
        self.with_header(header::RETRY_AFTER, seconds.into())
    }

    /// With this body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Held there until the barrier opens.
    #[must_use]
    pub fn held(mut self, stage: Stage, barrier: &Barrier) -> Self {
        self.held = Some((stage, barrier.clone()));
        self
    }

    /// Broken off there: the connection ends.
    #[must_use]
    pub fn cut(mut self, stage: Stage) -> Self {
        self.cut = Some(stage);
        self
    }

    /// The barrier at this stage.
    pub(super) fn barrier(&self, stage: Stage) -> Option<Barrier> {
        self.held.as_ref().filter(|(at, _)| *at == stage).map(|(_, barrier)| barrier.clone())
    }

    /// Waits at this stage if it is to; `false`: it is to break off here.
    pub(super) async fn pass(&self, stage: Stage) -> bool {
        if let Some(barrier) = self.barrier(stage) {
            barrier.pass().await;
        }
        self.cut != Some(stage)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeforeEffect => "before its effect",
            Self::AfterEffect => "after its effect",
            Self::MidAnswer => "half way through its answer",
        })
    }
}

impl Default for Barrier {
    fn default() -> Self {
        let inner =
            Inner { open: watch::channel(false).0, came: watch::channel(0).0, waiting: AtomicUsize::new(0) };
        Self(Arc::new(inner))
    }
}

impl Barrier {
    /// Longest that anything is held, whatever a check forgets.
    pub(crate) const LONGEST: Duration = Duration::from_secs(120);

    /// One that is closed.
    #[must_use]
    pub fn closed() -> Self {
        Self::default()
    }

    /// Lets all go on that wait, and all that come.
    pub fn open(&self) {
        self.0.open.send_replace(true);
    }

    /// Waits until so many have come; `false`: they did not within this time.
    pub async fn reached(&self, by: usize, within: Duration) -> bool {
        let mut came = self.0.came.subscribe();
        tokio::time::timeout(within, came.wait_for(|came| *came >= by)).await.is_ok_and(|came| came.is_ok())
    }

    /// How many wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    pub(super) async fn pass(&self) {
        let mut open = self.0.open.subscribe();
        let waiting = Waiting::at(&self.0);
        self.0.came.send_modify(|came| *came += 1);
        // Whichever ends it, it goes on.
        let _ = tokio::time::timeout(Self::LONGEST, open.wait_for(|open| *open)).await;
        drop(waiting);
    }
}

/// One that waits, until it goes on or is dropped with its connection.
struct Waiting<'a>(&'a Inner);

impl<'a> Waiting<'a> {
    fn at(inner: &'a Inner) -> Self {
        inner.waiting.fetch_add(1, Ordering::Relaxed);
        Self(inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
