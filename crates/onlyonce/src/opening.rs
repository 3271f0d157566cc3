//! How a ledger is opened.

use std::fmt;

use onlyonce_backends::{Error, Opened, Options, Place};

use crate::handle::Onlyonce;

/// Which part of a ledger's keys is this service's, where several stand on one.
const NAMESPACE: &str = "middleware";

/// How a ledger is opened: [`Onlyonce::at`] begins it, [`open`](Self::open) ends it.
pub struct Opening {
    url: String,
    namespace: String,
    options: Options,
}

impl Opening {
    pub(crate) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), namespace: NAMESPACE.to_owned(), options: Options::default() }
    }

    /// With this secret, of 32 bytes or more: what is stored is unreadable without it, and another one does not open
    /// the ledger. Without this call an embedded ledger makes a secret for itself and keeps it beside its data; a shared
    /// one does not open.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.options.secret = Some(secret.into());
        self
    }

    /// Refuses to open where there is no ledger yet. The advice for production: a volume that is not mounted must not
    /// look like a fresh start, in which every key is new.
    #[must_use]
    pub fn must_exist(mut self) -> Self {
        self.options.ledger.must_exist = true;
        self
    }

    /// Under this namespace: two services on one ledger, one in front of the other, need different ones. Keys that were
    /// used under another are not known.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// With at most this many bytes on disk, for an embedded ledger. Beyond it results become tombstones, and then claims are refused.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.options.max_bytes = Some(bytes);
        self
    }

    /// Also on a server that may lose a claim which it acknowledged: in a crash, if it does not sync each write, or in a
    /// fail-over, if its replicas lag. What was lost runs again. Without this call such a ledger does not open; with it,
    /// what may be lost is told in a line of the log for each way.
    #[must_use]
    pub fn accept_loss(mut self) -> Self {
        self.options.accept_loss = true;
        self
    }

    /// With a write counted only once so many replicas of a Redis server have it; where they fall short, nothing is run.
    #[must_use]
    pub fn min_replicas(mut self, replicas: u32) -> Self {
        self.options.min_replicas = replicas;
        self
    }

    /// Opens the ledger, and makes one where there is none. What was under way in a ledger of one process when that ended is
    /// unknown when this returns. It needs a tokio runtime, and goes on working in it for as long as the handle lives.
    ///
    /// # Errors
    /// [`Error`], which says what stood in the way and what to do: a URL that is not known, a secret that does not fit,
    /// another process that has the ledger open, a disk that fails.
    pub async fn open(self) -> Result<Onlyonce, Error> {
        let place: Place = self.url.parse()?;
        let Opened { ledger, found, sentences, .. } = place.open(self.options).await?;
        for sentence in sentences {
            tracing::warn!(ledger = %place, "{sentence}");
        }
        if found.unknown > 0 {
            tracing::warn!(
                unknown = found.unknown,
                under_way = found.converted,
                "the ledger holds operations of which nobody knows whether they took effect; their repeats are refused \
                 until they are settled"
            );
        }
        Ok(Onlyonce::on(ledger, &self.namespace))
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL may hold a password.
        f.debug_struct("Opening").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}
