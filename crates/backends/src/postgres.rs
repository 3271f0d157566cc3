//! Ledgers on PostgreSQL: from a URL to an open store.

use std::{fmt, sync::Arc};

use onlyonce_ledger::store::Store;
use onlyonce_store_postgres::{OpenError, Options, PostgresStore};

use crate::{
    address::{Address, Grammar},
    error::{Error, ErrorKind},
};

const GRAMMAR: Grammar = Grammar {
    example: "postgres://USER:PASSWORD@HOST:5432/DATABASE",
    several: false,
    sockets: true,
    port: 5432,
    parameters: &["schema", "pooler", "sslmode", "sslrootcert", "sslcert", "sslkey", "application_name"],
};

/// A schema of a database. Its text form shows nothing that authenticates.
#[derive(Clone, PartialEq, Eq)]
pub struct Database {
    url: String,
    address: Address,
}

impl Database {
    /// Reads a URL; `rest` is what follows its scheme and the colon.
    pub(crate) fn read(url: &str, rest: &str) -> Result<Self, String> {
        let address = GRAMMAR.read(rest)?;
        // The driver would guess them, by the environment and by who runs the process.
        let names = [(&address.user, "user"), (&address.path, "database")];
        if let Some((_, what)) = names.into_iter().find(|(name, _)| name.is_none()) {
            return Err(format!("it names no {what}; write {}", GRAMMAR.example));
        }
        PostgresStore::check(url).map_err(|error| error.to_string())?;
        Ok(Self { url: url.to_owned(), address })
    }

    /// Opens what is there, and tells what its operators have to know.
    pub(crate) async fn open(&self, accept_loss: bool) -> Result<(Arc<dyn Store>, Vec<String>), Error> {
        let (store, sentences) = PostgresStore::open(self.options(accept_loss)).await.map_err(failed)?;
        Ok((Arc::new(store), sentences))
    }

    /// Makes its tables, or brings them up to this version; says what was done.
    pub(crate) async fn migrate(&self) -> Result<String, Error> {
        let migrated = PostgresStore::migrate(self.options(true)).await.map_err(failed)?;
        Ok(migrated.to_string())
    }

    fn options(&self, accept_loss: bool) -> Options {
        Options { url: self.url.clone(), accept_loss }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}", self.address)?;
        self.address.parameter("schema").map_or(Ok(()), |schema| write!(f, "?schema={schema}"))
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn failed(error: OpenError) -> Error {
    Error::new(ErrorKind::Ledger, error.to_string()).because(error)
}
