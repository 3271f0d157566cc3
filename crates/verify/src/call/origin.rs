//! Where the API is.

use std::{fmt, net::IpAddr, str::FromStr};

use http::Uri;

/// Scheme, host and port of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Its name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// A text that names no API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// It is no URL.
    NoUrl(String),
    /// It names something at an API.
    Path {
        /// The API.
        origin: String,
        /// What it names there.
        path: String,
    },
}

impl Origin {
    /// Whether nobody but this machine is reached.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// As in the `Host` header.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let usual = if self.tls { 443 } else { 80 };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }

    /// Splits a URL into the API and what is asked of it; no path is `/`.
    ///
    /// # Errors
    /// If it is no absolute `http` or `https` URL.
    pub fn split(url: &str) -> Result<(Self, String), OriginError> {
        let wrong = || OriginError::NoUrl(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        // A port that is none, such as 99999, must not become another one; nor is a credential in a URL passed over.
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        let usual = if tls { 443 } else { 80 };
        let port = match authority.strip_prefix(host).ok_or_else(wrong)?.strip_prefix(':') {
            None | Some("") => usual,
            Some(port) => port.parse().map_err(|_| wrong())?,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok((Self { tls, host, port }, path))
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    /// A URL whose path, if there is one, is `/`.
    fn from_str(url: &str) -> Result<Self, OriginError> {
        match Self::split(url)? {
            (origin, path) if path == "/" => Ok(origin),
            (origin, path) => Err(OriginError::Path { origin: origin.to_string(), path }),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUrl(text) => write!(f, "{text:?} is no URL such as http://127.0.0.1:8080"),
            Self::Path { origin, path } => {
                write!(f, "write {origin:?}, without {path:?}: paths belong to the operations")
            }
        }
    }
}

impl std::error::Error for OriginError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_an_api_and_a_path() {
        let (origin, path) = Origin::split("http://[::1]:8080/transfers?x=1").unwrap();
        assert_eq!((origin.to_string().as_str(), path.as_str()), ("http://[::1]:8080", "/transfers?x=1"));
        assert!(origin.is_loopback());
        assert!(!Origin::split("https://example.com/").unwrap().0.is_loopback());
        assert!(Origin::split("/transfers").is_err());
        let error = "http://localhost/x".parse::<Origin>().unwrap_err().to_string();
        assert!(error.contains("\"http://localhost\", without \"/x\""), "{error}");
    }

    /// Another port than the one that was written is somebody else's.
    #[test]
    fn a_port_that_is_none_is_no_other_one() {
        for wrong in ["http://127.0.0.1:99999/", "http://127.0.0.1:x/", "http://ana:secret@127.0.0.1:8080/"] {
            assert!(Origin::split(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Origin::split("https://[::1]/").unwrap().0.port, 443);
    }
}
