//! What an operator does to a ledger beside its gateways, or before them.
//!
//! Nothing is run here, so nobody has to accept what a server may lose: that is for gateways.

use std::{io::Write, path::PathBuf, sync::Arc};

use onlyonce_core::Timestamp;
use onlyonce_ledger::{
    identity::{self, Noted},
    store::Store,
    transfer::{self, Export, Input, Progress, Reopened, Summary},
};

use crate::{
    error::{self, Error, ErrorKind},
    open::{Options, SECRET},
    place::Place,
};

/// The variable that holds the secret which a ledger gets.
pub const NEW_SECRET: &str = "ONLYONCE_NEW_SECRET";

/// Whether a ledger may be made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    IfMissing,
    Never,
}

impl Place {
    /// Makes what a ledger is kept in, or brings it up to this version; `None` where there is nothing to make. Gateways may
    /// run meanwhile.
    ///
    /// # Errors
    /// [`Error`], which says what stood in the way and what to do.
    #[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "others have no schema"))]
    pub async fn migrate(&self) -> Result<Option<String>, Error> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.migrate().await.map(Some),
            _ => Ok(None),
        }
    }

    /// Puts the ledger under another secret. No record changes, and gateways that run go on; whoever opens it from then on
    /// needs the new one. Done twice, it is done once.
    ///
    /// # Errors
    /// [`Error`], which says what stood in the way and what to do. One that broke off may be done again.
    pub async fn rewrap(&self, old: Option<String>, new: String) -> Result<(), Error> {
        if old.as_ref() == Some(&new) {
            let told = format!(
                "{NEW_SECRET} and {SECRET} are the same: the first is the secret that the ledger gets"
            );
            return Err(Error::new(ErrorKind::Options, told));
        }
        let old = old.map(|text| error::secret(SECRET, text)).transpose()?;
        let new = error::secret(NEW_SECRET, new)?;
        let store = self.store_that_lasts(Made::Never).await?;
        let old = self.secret(old, &*store).await?;
        identity::rewrap(&*store, &old, &new).await.map_err(|error| self.not_opened(error))
    }

    /// Writes all of the ledger to `out`, as it is sealed; see [`transfer::export`].
    ///
    /// # Errors
    /// [`Error`], which says what stood in the way and what to do. One that broke off may be done again.
    pub async fn export(
        &self,
        how: Export,
        out: &mut (dyn Write + Send),
        tell: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Summary, Error> {
        let store = self.store_that_lasts(Made::Never).await?;
        transfer::export(store, how, out, tell).await.map_err(|error| self.not_moved(error))
    }

    /// Writes here what an export has written; see [`transfer::import`].
    ///
    /// # Errors
    /// [`Error`], which says what stood in the way and what to do. One that broke off is to be done again.
    pub async fn import(
        &self,
        input: Input<'_>,
        tell: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Summary, Error> {
        let store = self.store_that_lasts(Made::IfMissing).await?;
        transfer::import(store, input, tell).await.map_err(|error| self.not_moved(error))
    }

    /// Has a ledger that was closed take keys again, and says by what it was; see [`transfer::reopen`].
    ///
    /// # Errors
    /// [`Error`], which says what stood in the way and what to do.
    pub async fn reopen(&self) -> Result<Reopened, Error> {
        let store = self.store_that_lasts(Made::Never).await?;
        transfer::reopen(&*store).await.map_err(|error| self.not_moved(error))
    }

    /// Notes that the ledger was restored to an earlier state at `since`, or now: see [`identity::restored`].
    ///
    /// # Errors
    /// [`Error`], which says what stood in the way and what to do.
    pub async fn restored(&self, since: Option<Timestamp>) -> Result<Noted, Error> {
        let store = self.store_that_lasts(Made::Never).await?;
        identity::restored(&*store, since).await.map_err(|error| self.not_opened(error))
    }

    /// The file with the secret that the ledger here has made for itself.
    pub fn secret_file(&self) -> Option<PathBuf> {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded(directory) => Some(crate::secret::file(directory)).filter(|file| file.exists()),
            _ => None,
        }
    }

    async fn store_that_lasts(&self, made: Made) -> Result<Arc<dyn Store>, Error> {
        if *self == Self::Memory {
            return Err(Error::new(
                ErrorKind::Options,
                "a ledger in memory ends with its process: there is nothing to do to it",
            ));
        }
        let must_exist = made == Made::Never;
        let ledger = onlyonce_ledger::Options { must_exist, ..onlyonce_ledger::Options::default() };
        let (store, _) = self.store(&Options { accept_loss: true, ledger, ..Options::default() }).await?;
        Ok(store)
    }
}
