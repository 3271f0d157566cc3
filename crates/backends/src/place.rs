//! Where a ledger is kept, as its URL says.

use std::{fmt, str::FromStr};

use crate::error::{Error, ErrorKind};
#[cfg(feature = "postgres")]
use crate::postgres;
#[cfg(feature = "redis")]
use crate::redis;

/// How the URLs of each backend are written, and whether it is built in.
const WRITTEN: [(&str, bool); 5] = [
    ("memory:", true),
    ("embedded:PATH", cfg!(feature = "embedded")),
    ("postgres://HOST/DATABASE", cfg!(feature = "postgres")),
    ("redis://HOST", cfg!(feature = "redis")),
    ("redis-cluster://HOST,HOST", cfg!(feature = "redis")),
];

/// Where a ledger is kept: a ledger URL that was understood.
///
/// Its text form is a name for logs: it says where, and never who asks there or by which password.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// `memory:`. It is gone with the process.
    Memory,
    /// `embedded:PATH`: a directory of this machine, for one process at a time. Needs the feature `embedded`.
    #[cfg(feature = "embedded")]
    Embedded(std::path::PathBuf),
    /// `postgres://…`: a schema of a PostgreSQL database, for any number of processes. Needs the feature `postgres`.
    #[cfg(feature = "postgres")]
    Postgres(postgres::Database),
    /// `redis://…`, or `rediss://…` with TLS: a namespace of a Redis server, for any number of processes. Needs the feature
    /// `redis`.
    #[cfg(feature = "redis")]
    Redis(redis::Server),
    /// `redis-cluster://…`, or `rediss-cluster://…` with TLS: a namespace of a Redis Cluster. Needs the feature `redis`.
    #[cfg(feature = "redis")]
    RedisCluster(redis::Server),
}

impl Place {
    /// Whether several processes may use one ledger there.
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Memory => false,
            #[cfg(feature = "embedded")]
            Self::Embedded(_) => false,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => true,
            #[cfg(feature = "redis")]
            Self::Redis(_) | Self::RedisCluster(_) => true,
        }
    }
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
            Some(("embedded", "")) => {
                Err(Error::new(ErrorKind::Url, "ledger `embedded:` names no directory; write embedded:PATH"))
            }
            Some(("embedded", path)) => embedded(path),
            Some((scheme @ ("postgres" | "postgresql"), rest)) => {
                postgres(url, rest).map_err(|why| refused(scheme, &why))
            }
            Some((scheme @ ("redis" | "rediss" | "redis-cluster" | "rediss-cluster"), rest)) => {
                redis(url, scheme, rest).map_err(|why| refused(scheme, &why))
            }
            Some((scheme, rest)) if rest.starts_with("//") => Err(unknown(&format!(" `{scheme}://…`"))),
            // Somebody who forgot the scheme has not forgotten his password.
            _ if url.contains('@') => Err(unknown("")),
            _ => Err(unknown(&format!(" `{url}`"))),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            #[cfg(feature = "embedded")]
            Self::Embedded(path) => write!(f, "embedded:{}", path.display()),
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.fmt(f),
            #[cfg(feature = "redis")]
            Self::Redis(server) | Self::RedisCluster(server) => server.fmt(f),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

fn refused(scheme: &str, why: &str) -> Error {
    Error::new(ErrorKind::Url, format!("ledger `{scheme}://…`: {why}"))
}

fn unknown(shown: &str) -> Error {
    let valid: Vec<_> =
        WRITTEN.iter().filter(|(_, built_in)| *built_in).map(|(written, _)| *written).collect();
    let valid = match valid.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => valid.concat(),
    };
    Error::new(ErrorKind::Url, format!("ledger{shown} is not known here; write {valid}"))
}

#[cfg(feature = "embedded")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it is an error")]
fn embedded(path: &str) -> Result<Place, Error> {
    Ok(Place::Embedded(path.into()))
}

#[cfg(not(feature = "embedded"))]
fn embedded(_path: &str) -> Result<Place, Error> {
    Err(Error::new(ErrorKind::Url, format!("ledger `embedded:…`: {}", lacks("embedded"))))
}

#[cfg(feature = "postgres")]
fn postgres(url: &str, rest: &str) -> Result<Place, String> {
    postgres::Database::read(url, rest).map(Place::Postgres)
}

#[cfg(not(feature = "postgres"))]
fn postgres(_url: &str, _rest: &str) -> Result<Place, String> {
    Err(lacks("postgres"))
}

#[cfg(feature = "redis")]
fn redis(url: &str, scheme: &str, rest: &str) -> Result<Place, String> {
    match scheme.ends_with("-cluster") {
        true => redis::Server::cluster(url, rest).map(Place::RedisCluster),
        false => redis::Server::single(url, rest).map(Place::Redis),
    }
}

#[cfg(not(feature = "redis"))]
fn redis(_url: &str, _scheme: &str, _rest: &str) -> Result<Place, String> {
    Err(lacks("redis"))
}

#[cfg(not(all(feature = "embedded", feature = "postgres", feature = "redis")))]
fn lacks(feature: &str) -> String {
    format!("it needs the feature `{feature}`, which this program was built without")
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
            assert!(refused(url).contains(" is not known here; write memory:"), "{url}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated() {
        let told = refused("mysql://onlyonce:hunter2@db/ledger");
        assert!(told.contains("`mysql://…`") && !told.contains("hunter2"), "{told}");
        for url in [
            "onlyonce:hunter2@db/ledger",
            "postgres:onlyonce:hunter2@db/ledger",
            "postgres://onlyonce:hun/hunter2@db/ledger",
            "redis://:hunter2@cache/ledger",
            "redis-cluster://:hunter2@a,b/0",
        ] {
            assert!(!refused(url).contains("hunter2"), "{}", refused(url));
        }
    }

    #[cfg(feature = "embedded")]
    #[test]
    fn an_embedded_ledger_has_a_directory() {
        assert_eq!("embedded:./data".parse::<Place>().unwrap(), Place::Embedded("./data".into()));
        assert_eq!("embedded:/srv/a:b".parse::<Place>().unwrap(), Place::Embedded("/srv/a:b".into()));
        assert!(refused("embedded:").contains("write embedded:PATH"));
    }

    #[cfg(all(feature = "postgres", feature = "redis"))]
    #[test]
    fn a_shared_ledger_has_a_name_for_logs() {
        for (url, name) in [
            ("postgres://ana:hunter2@db/bank", "postgres://db:5432/bank"),
            (
                "postgresql://ana@db:6432/bank?schema=once&pooler=transaction",
                "postgres://db:6432/bank?schema=once",
            ),
            ("redis://:hunter2@cache", "redis://cache:6379"),
            ("rediss://ana:hunter2@cache/3?namespace=bank", "rediss://cache:6379/3?namespace=bank"),
            ("redis-cluster://:hunter2@a,b:7000", "redis-cluster://a:6379,b:7000"),
            ("rediss-cluster://[::1]", "rediss-cluster://[::1]:6379"),
        ] {
            let place: Place = url.parse().unwrap();
            assert!(place.is_shared());
            assert_eq!(
                (place.to_string(), format!("{place:?}")),
                (name.to_owned(), format!("Place({name})"))
            );
        }
    }

    #[cfg(not(feature = "embedded"))]
    #[test]
    fn an_embedded_ledger_needs_its_feature() {
        assert!(refused("embedded:./data").contains("needs the feature `embedded`"));
    }

    #[cfg(not(feature = "postgres"))]
    #[test]
    fn a_ledger_on_postgresql_needs_its_feature() {
        let told = refused("postgres://ana:hunter2@db/bank");
        assert!(told.contains("needs the feature `postgres`") && !told.contains("hunter2"), "{told}");
    }

    #[cfg(not(feature = "redis"))]
    #[test]
    fn a_ledger_on_redis_needs_its_feature() {
        for scheme in ["redis", "rediss", "redis-cluster", "rediss-cluster"] {
            let told = refused(&format!("{scheme}://:hunter2@cache"));
            assert!(told.contains("needs the feature `redis`") && !told.contains("hunter2"), "{told}");
        }
    }
}
