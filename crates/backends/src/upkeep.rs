//! What an operator does to a ledger beside its gateways, or before them.

use onlyonce_ledger::identity::{self, Secret};

use crate::{
    error::{Error, ErrorKind},
    open::Options,
    place::Place,
};

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
        if *self == Self::Memory {
            return Err(Error::new(
                ErrorKind::Options,
                "a ledger in memory ends with its process, and so does its secret",
            ));
        }
        let (old, new) = (old.map(Secret::new).transpose()?, Secret::new(new)?);
        let (store, _) = self.store(&Options::of_upkeep()).await?;
        let old = self.secret(old, &*store).await?;
        Ok(identity::rewrap(&*store, &old, &new).await?)
    }
}

impl Options {
    /// Nothing is run: what a server may lose is for its gateways to accept. A ledger is never made by mistake.
    fn of_upkeep() -> Self {
        let ledger = onlyonce_ledger::Options { must_exist: true, ..onlyonce_ledger::Options::default() };
        Self { accept_loss: true, ledger, ..Self::default() }
    }
}
