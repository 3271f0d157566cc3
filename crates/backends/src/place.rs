//! Where a ledger is kept, as its URL says.

use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// Where a ledger is kept: a ledger URL that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// `memory:`. It is gone with the process.
    Memory,
    /// `embedded:PATH`: a directory of this machine, for one process at a time. Needs the feature `embedded`.
    #[cfg(feature = "embedded")]
    Embedded(std::path::PathBuf),
}

impl FromStr for Place {
    type Err = Error;

    /// Reads a ledger URL.
    ///
    /// # Errors
    /// [`ErrorKind::Url`], naming what would be valid here. Of a URL with a host it repeats the scheme alone: what
    /// follows may hold a password.
    fn from_str(url: &str) -> Result<Self, Error> {
        match url.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("embedded", path)) if !path.is_empty() => embedded(path),
            Some(("embedded", _)) => {
                Err(Error::new(ErrorKind::Url, "ledger `embedded:` names no directory; write embedded:PATH"))
            }
            Some((scheme, rest)) if rest.starts_with("//") => Err(unknown(&format!("{scheme}://…"))),
            _ => Err(unknown(url)),
        }
    }
}

fn unknown(shown: &str) -> Error {
    let embedded = if cfg!(feature = "embedded") { " or embedded:PATH" } else { "" };
    Error::new(ErrorKind::Url, format!("ledger `{shown}` is not known here; write memory:{embedded}"))
}

#[cfg(feature = "embedded")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it is an error")]
fn embedded(path: &str) -> Result<Place, Error> {
    Ok(Place::Embedded(path.into()))
}

#[cfg(not(feature = "embedded"))]
fn embedded(_path: &str) -> Result<Place, Error> {
    Err(Error::new(
        ErrorKind::Url,
        "ledger `embedded:…` needs the feature `embedded`, which this program was built without; write memory:",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        let error = url.parse::<Place>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Url);
        error.to_string()
    }

    #[test]
    fn what_is_not_known_is_told_what_would_be() {
        assert_eq!("memory:".parse::<Place>().unwrap(), Place::Memory);
        for url in ["", "memory", "Memory:", "memory:x", "sqlite:ledger.db", "./ledger"] {
            assert!(refused(url).contains("is not known here; write memory:"), "{url}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated() {
        let told = refused("postgres://onlyonce:hunter2@db/ledger");
        assert!(told.contains("`postgres://…`") && !told.contains("hunter2"), "{told}");
    }

    #[cfg(feature = "embedded")]
    #[test]
    fn an_embedded_ledger_has_a_directory() {
        assert_eq!("embedded:./data".parse::<Place>().unwrap(), Place::Embedded("./data".into()));
        assert_eq!("embedded:/srv/a:b".parse::<Place>().unwrap(), Place::Embedded("/srv/a:b".into()));
        assert!(refused("embedded:").contains("write embedded:PATH"));
    }

    #[cfg(not(feature = "embedded"))]
    #[test]
    fn an_embedded_ledger_needs_its_feature() {
        assert!(refused("embedded:./data").contains("needs the feature `embedded`"));
    }
}
