//! Opening what a place names.

use std::{fmt, sync::Arc};

use onlyonce_ledger::{Found, Ledger, identity::Secret, memory::MemoryStore, store::Store};

use crate::{error::Error, place::Place};

/// How a ledger is opened.
#[derive(Clone, Default)]
pub struct Options {
    /// The operator's secret, 32 bytes or more. Without one a new embedded ledger makes one for itself and keeps it
    /// beside its data, for its owner's eyes only; one in memory makes one that dies with it.
    pub secret: Option<String>,
    /// Most bytes that an embedded ledger may take on disk; `None`: until the disk says no.
    pub max_bytes: Option<u64>,
    /// Bounds, waiting times, and whether a ledger must be there already.
    pub ledger: onlyonce_ledger::Options,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not even how long the secret is.
        f.debug_struct("Options").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

impl Place {
    /// Opens the ledger that is kept here; makes one where there is none, unless one must exist.
    ///
    /// What was in progress in a ledger of one process belongs to a process that is gone, and is unknown when this
    /// returns. Dropped half way, it leaves a whole ledger or none.
    ///
    /// # Errors
    /// [`Error`], which says what stood in the way and what to do.
    pub async fn open(&self, options: Options) -> Result<(Ledger, Found), Error> {
        let Options { secret, max_bytes, ledger } = options;
        let given = secret.map(Secret::new).transpose()?;
        let (store, secret) = self.store(given, max_bytes, ledger.must_exist).await?;
        Ok(Ledger::open(store, &secret, ledger).await?)
    }

    #[cfg_attr(
        not(feature = "embedded"),
        expect(unused_variables, clippy::unused_async, reason = "memory needs no disk and no wait")
    )]
    async fn store(
        &self,
        given: Option<Secret>,
        max_bytes: Option<u64>,
        must_exist: bool,
    ) -> Result<(Arc<dyn Store>, Secret), Error> {
        match self {
            Self::Memory => {
                // The ledger dies with the process, and so may its secret.
                let secret = given.map_or_else(|| Secret::new(Secret::generate()), Ok)?;
                Ok((Arc::new(MemoryStore::new()), secret))
            }
            #[cfg(feature = "embedded")]
            Self::Embedded(directory) => {
                let store = crate::embedded::open(directory, max_bytes, must_exist).await?;
                let secret = match given {
                    Some(secret) => secret,
                    None => crate::secret::beside(directory, &store).await?,
                };
                Ok((Arc::new(store), secret))
            }
        }
    }
}
