//! The operator's secret: from the environment, or made by the embedded ledger for itself.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use onlyonce_ledger::{
    identity::{OpenError, Secret},
    store::Store,
};

use crate::error::{self, Error, ErrorKind};

/// The file beside an embedded ledger that holds the secret it made for itself.
const FILE: &str = "secret";

/// Where that is.
pub(crate) fn file(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// The secret beside an embedded ledger. A new ledger's is made, with mode 0600; one that is gone is never replaced:
/// what it opened would look like another ledger's.
pub(crate) async fn beside(directory: &Path, store: &dyn Store) -> Result<Secret, Error> {
    let path = file(directory);
    match fs::read_to_string(&path) {
        Ok(text) => return error::secret(&path.display().to_string(), text.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("read", &path, error)),
    }
    let holds_a_ledger = async { Ok(store.identity().await?.is_some() || !store.is_empty().await?) };
    if holds_a_ledger.await.map_err(|error: OpenError| Error::from(error))? {
        return Err(Error::new(
            ErrorKind::Ledger,
            format!(
                "{} holds a ledger, but its secret {} is gone and ONLYONCE_SECRET is not set: put the file back, or \
                 set the variable",
                directory.display(),
                path.display()
            ),
        ));
    }
    make(directory, &path)
}

fn make(directory: &Path, path: &Path) -> Result<Secret, Error> {
    let text = Secret::generate();
    // Written beside and renamed: a crash leaves a whole secret or none.
    let fresh = directory.join("secret.new");
    let write = || -> std::io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        fs::File::open(directory)?.sync_all()
    };
    write().map_err(|error| failed("write", path, error))?;
    Ok(Secret::new(text)?)
}

fn failed(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Ledger, format!("failed to {what} {}: {error}", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use onlyonce_ledger::memory::MemoryStore;

    use super::*;

    #[tokio::test]
    async fn the_secret_is_made_once_and_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let store = MemoryStore::new();
        beside(directory.path(), &store).await.unwrap();
        let text = fs::read_to_string(directory.path().join(FILE)).unwrap();
        beside(directory.path(), &store).await.unwrap();
        assert_eq!(fs::read_to_string(directory.path().join(FILE)).unwrap(), text);
        let mode = fs::metadata(directory.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
