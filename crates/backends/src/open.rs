//! Opening what a place names.

use std::{fmt, sync::Arc};

use onlyonce_ledger::{Found, Ledger, identity::Secret, memory::MemoryStore, store::Store};

use crate::{
    error::{self, Error, ErrorKind},
    place::Place,
};

/// The variable that holds the secret; whoever sets it otherwise knows which is meant.
pub(crate) const SECRET: &str = "ONLYONCE_SECRET";

/// How a ledger is opened.
#[derive(Clone, Default)]
pub struct Options {
    /// The operator's secret, 32 bytes or more. A shared ledger needs one. Without one a new embedded ledger makes one for
    /// itself and keeps it beside its data, for its owner's eyes only; one in memory makes one that dies with it.
    pub secret: Option<String>,
    /// Most bytes that an embedded ledger may take on disk; `None`: until the disk says no.
    pub max_bytes: Option<u64>,
    /// Opens a shared ledger also where a crash or a fail-over of its server can lose a claim that it had acknowledged.
    pub accept_loss: bool,
    /// How many replicas of a Redis server must have a write before it counts; where they fall short, nothing is run.
    pub min_replicas: u32,
    /// Bounds, waiting times, and whether a ledger must be there already.
    pub ledger: onlyonce_ledger::Options,
}

/// A ledger that is open.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The ledger.
    pub ledger: Ledger,
    /// What was found in it.
    pub found: Found,
    /// What its operators have to know of the server that it is on, a sentence each: above all what may be lost.
    pub sentences: Vec<String>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not even how long the secret is.
        f.debug_struct("Options")
            .field("max_bytes", &self.max_bytes)
            .field("accept_loss", &self.accept_loss)
            .field("min_replicas", &self.min_replicas)
            .finish_non_exhaustive()
    }
}

impl Place {
    /// Tells options that mean nothing here, and a secret that is missing, before anything is opened.
    ///
    /// # Errors
    /// [`ErrorKind::Options`], which says what to do.
    pub fn check(&self, options: &Options) -> Result<(), Error> {
        let said = [
            ("max_bytes", options.max_bytes.is_some(), "it bounds the directory of an embedded ledger"),
            ("min_replicas", options.min_replicas > 0, "it is about the replicas of a Redis server"),
            ("accept_loss", options.accept_loss, "it is about servers that may lose what they acknowledged"),
        ];
        let counts = self.counts();
        if let Some((name, _, why)) = said.into_iter().find(|(name, said, _)| *said && !counts.contains(name))
        {
            let detail = format!("`{name}` does nothing with the ledger {self}: {why}; leave it out");
            return Err(Error::new(ErrorKind::Options, detail));
        }
        match options.secret {
            None if self.is_shared() => Err(self.needs_a_secret()),
            _ => Ok(()),
        }
    }

    /// Opens the ledger that is kept here; makes one where there is none, unless one must exist.
    ///
    /// What was in progress in a ledger of one process belongs to a process that is gone, and is unknown when this
    /// returns. Dropped half way, it leaves a whole ledger or none.
    ///
    /// # Errors
    /// [`Error`], which says what stood in the way and what to do.
    pub async fn open(&self, options: Options) -> Result<Opened, Error> {
        self.check(&options)?;
        let given = options.secret.clone().map(|text| error::secret(SECRET, text)).transpose()?;
        let (store, sentences) = self.store(&options).await?;
        let secret = self.secret(given, &*store).await?;
        let opened = Ledger::open(store, &secret, options.ledger).await;
        let (ledger, found) = opened.map_err(|error| self.not_opened(error))?;
        Ok(Opened { ledger, found, sentences })
    }

    /// The names of the options that mean something here, of those that do not for all.
    fn counts(&self) -> &'static [&'static str] {
        match self {
            Self::Memory => &[],
            #[cfg(feature = "embedded")]
            Self::Embedded(_) => &["max_bytes"],
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => &["accept_loss"],
            #[cfg(feature = "redis")]
            Self::Redis(_) | Self::RedisCluster(_) => &["accept_loss", "min_replicas"],
        }
    }

    /// The store that is kept here, and what its operators have to know.
    #[cfg_attr(
        not(any(feature = "embedded", feature = "postgres", feature = "redis")),
        expect(
            unused_variables,
            clippy::unused_async,
            reason = "memory needs no disk, no server and no wait"
        )
    )]
    pub(crate) async fn store(&self, options: &Options) -> Result<(Arc<dyn Store>, Vec<String>), Error> {
        match self {
            Self::Memory => Ok((Arc::new(MemoryStore::new()), Vec::new())),
            #[cfg(feature = "embedded")]
            Self::Embedded(directory) => {
                let store =
                    crate::embedded::open(directory, options.max_bytes, options.ledger.must_exist).await?;
                Ok((Arc::new(store), Vec::new()))
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.open(options.accept_loss).await,
            #[cfg(feature = "redis")]
            Self::Redis(server) | Self::RedisCluster(server) => {
                server.open(options.accept_loss, options.min_replicas).await
            }
        }
    }

    /// The secret for this store: the one that is given, or the one that it makes for itself.
    #[cfg_attr(
        not(feature = "embedded"),
        expect(unused_variables, clippy::unused_async, reason = "memory keeps no secret")
    )]
    pub(crate) async fn secret(&self, given: Option<Secret>, store: &dyn Store) -> Result<Secret, Error> {
        match (given, self) {
            (Some(secret), _) => Ok(secret),
            // The ledger dies with the process, and so may its secret.
            (None, Self::Memory) => Ok(Secret::new(Secret::generate())?),
            #[cfg(feature = "embedded")]
            (None, Self::Embedded(directory)) => crate::secret::beside(directory, store).await,
            #[cfg(any(feature = "postgres", feature = "redis"))]
            (None, _) => Err(self.needs_a_secret()),
        }
    }

    fn needs_a_secret(&self) -> Error {
        let detail = format!(
            "the ledger {self} is shared and makes no secret for itself: each process that uses it needs the same one, \
             gateways in ONLYONCE_SECRET. `openssl rand -hex 32` makes one; keep it as safe as the data, which cannot be \
             read without it"
        );
        Error::new(ErrorKind::Options, detail)
    }
}
