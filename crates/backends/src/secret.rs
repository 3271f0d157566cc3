//! The operator's secret: from the environment, or made by the embedded ledger for itself.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use onlyonce_ledger::identity::Secret;

use crate::error::{Error, ErrorKind};

/// The file beside an embedded ledger that holds the secret it made for itself.
const FILE: &str = "secret";

/// The secret beside an embedded ledger; made, with mode 0600, if there is none.
pub(crate) fn beside(directory: &Path) -> Result<Secret, Error> {
    let path = directory.join(FILE);
    let failed = |what: &str, error: std::io::Error| {
        Error::new(ErrorKind::Ledger, format!("failed to {what} {}: {error}", path.display())).because(error)
    };
    match fs::read_to_string(&path) {
        Ok(text) => return Ok(Secret::new(text.trim())?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("read", error)),
    }
    let text = Secret::generate();
    // Written beside and renamed: a crash leaves a whole secret or none.
    let fresh = directory.join("secret.new");
    let write = || -> std::io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
        fs::File::open(directory)?.sync_all()
    };
    write().map_err(|error| failed("write", error))?;
    Ok(Secret::new(text)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_secret_is_made_once_and_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        beside(directory.path()).unwrap();
        let text = fs::read_to_string(directory.path().join(FILE)).unwrap();
        beside(directory.path()).unwrap();
        assert_eq!(fs::read_to_string(directory.path().join(FILE)).unwrap(), text);
        let mode = fs::metadata(directory.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
