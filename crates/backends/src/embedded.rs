//! The embedded ledger's directory, opened off the threads that serve.

use std::path::Path;

use onlyonce_store_embedded::{EmbeddedStore, Options};

use crate::error::{Error, ErrorKind};

/// What a ledger that was made to its end has in its directory. A mount point is a directory too.
const DATA: &str = "data";

pub(crate) async fn open(
    directory: &Path,
    max_bytes: Option<u64>,
    must_exist: bool,
) -> Result<EmbeddedStore, Error> {
    if must_exist {
        check_exists(directory)?;
    }
    let directory = directory.to_owned();
    let options = Options { max_bytes, ..Options::default() };
    // Opening replays the journal and reads the open records: not for a thread that serves.
    let opened = tokio::task::spawn_blocking(move || EmbeddedStore::open(directory, options)).await;
    let opened = opened.map_err(|error| Error::new(ErrorKind::Ledger, "opening broke off").because(error))?;
    opened.map_err(|error| Error::new(ErrorKind::Ledger, error.to_string()).because(error))
}

/// An unmounted volume must not look like a fresh start, so nothing is made in it either.
fn check_exists(directory: &Path) -> Result<(), Error> {
    if directory.join(DATA).exists() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Ledger,
        format!(
            "there is no ledger at {}, and `ledger.must_exist` is set: is the volume mounted?",
            directory.display()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use crate::{ErrorKind, Options, Place};

    fn must_exist() -> Options {
        let ledger = onlyonce_ledger::Options { must_exist: true, ..onlyonce_ledger::Options::default() };
        Options { ledger, ..Options::default() }
    }

    #[tokio::test]
    async fn a_ledger_that_must_exist_is_not_made() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::Embedded(directory.path().to_owned());
        let error = place.open(must_exist()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Ledger);
        assert!(error.to_string().contains("is the volume mounted?"), "{error}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing was made");
    }

    #[test]
    fn a_ledger_opens_again_with_the_secret_that_it_made() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::Embedded(directory.path().to_owned());
        // What a ledger leaves running ends with its runtime.
        let open = |options| tokio::runtime::Runtime::new().unwrap().block_on(place.open(options)).map(drop);
        open(Options::default()).unwrap();
        open(must_exist()).unwrap();
    }

    /// The thread that writes has let go of the store by then, which holds the directory.
    #[tokio::test]
    async fn a_ledger_that_was_dropped_leaves_its_directory_free() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::Embedded(directory.path().to_owned());
        for _ in 0..5 {
            drop(place.open(Options::default()).await.unwrap());
        }
    }

    #[test]
    fn a_secret_that_is_gone_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::Embedded(directory.path().to_owned());
        let open =
            || tokio::runtime::Runtime::new().unwrap().block_on(place.open(Options::default())).map(drop);
        open().unwrap();
        let (secret, away) = (directory.path().join("secret"), directory.path().join("away"));
        std::fs::rename(&secret, &away).unwrap();
        let error = open().unwrap_err();
        let told = format!(
            "{} holds a ledger, but its secret {} is gone and ONLYONCE_SECRET is not set: put the file back, or set \
             the variable",
            directory.path().display(),
            secret.display()
        );
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Ledger, told));
        assert!(!secret.exists(), "none was made in its place");
        std::fs::rename(&away, &secret).unwrap();
        open().unwrap();
    }
}
