//! The URL of a ledger on PostgreSQL: the driver's own parameters and ours, `schema` and `pooler`.
//!
//! Invariant: what people are shown of it ([`Address`]'s text) holds neither user nor password, and a parameter that nobody
//! knows is refused: a mistyped `sslmode` must not mean none. No error repeats what was written: in a URL that was mistyped a
//! password may stand anywhere.

use std::{fmt, str::FromStr};

use sqlx::postgres::PgConnectOptions;

use crate::{OpenError, OpenErrorKind};

/// The schema of a ledger whose URL names none.
const SCHEMA: &str = "onlyonce";
/// The longest name that PostgreSQL does not cut.
const SCHEMA_MAX: usize = 63;
/// How the server sees us, unless the URL says otherwise.
const APPLICATION: &str = "onlyonce";
/// What the driver knows and we let through.
const DRIVER: &[&str] = &["sslmode", "sslrootcert", "sslcert", "sslkey", "application_name"];
/// What `sslmode` may be.
const SSL_MODES: &[&str] = &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Where a ledger is, and how it is reached.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) server: PgConnectOptions,
    pub(crate) schema: Schema,
    pub(crate) pooling: Pooling,
    /// Whether commits may be acknowledged before they are on disk, where the server is set so.
    pub(crate) accept_loss: bool,
}

/// What stands behind the `?`.
struct Parameters<'a> {
    schema: Schema,
    pooling: Pooling,
    /// Those for the driver, as they stand there.
    drivers: Vec<&'a str>,
}

/// Who holds a connection to the server for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// We do, until we close it.
    Session,
    /// A pooler gives us one for each transaction.
    Transaction,
}

/// A schema's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schema(String);

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, OpenError> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let Parameters { schema, pooling, drivers } = Parameters::parse(query)?;
        let url = if drivers.is_empty() { base.to_owned() } else { format!("{base}?{}", drivers.join("&")) };
        let server = PgConnectOptions::from_str(&url)
            .map_err(|_| refused(format_args!("it is no URL like postgres://user@host:5432/database")))?;
        let named = server.get_application_name().is_some();
        // A pooler takes no parameter at the start that it does not know, and nothing here needs digits of floats.
        let server = server.extra_float_digits(None);
        let server = if named { server } else { server.application_name(APPLICATION) };
        Ok(Self { server, schema, pooling, accept_loss: false })
    }

    /// What of [`Self::parse`] looks at the URL alone, and not at the environment.
    pub(crate) fn check(url: &str) -> Result<(), OpenError> {
        let (_, query) = url.split_once('?').unwrap_or((url, ""));
        Parameters::parse(query).map(drop)
    }
}

impl<'a> Parameters<'a> {
    fn parse(query: &'a str) -> Result<Self, OpenError> {
        let (mut schema, mut pooling) = (Schema(SCHEMA.to_owned()), Pooling::Session);
        let mut drivers = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                "schema" => schema = Schema::parse(value)?,
                "pooler" if value == "transaction" => pooling = Pooling::Transaction,
                "pooler" if value == "session" => pooling = Pooling::Session,
                "pooler" => {
                    return Err(refused(format_args!("`pooler` is neither `transaction` nor `session`")));
                }
                "sslmode" if !SSL_MODES.contains(&value) => {
                    let modes = SSL_MODES.join("`, `");
                    return Err(refused(format_args!("`sslmode` is none of `{modes}`")));
                }
                _ if DRIVER.contains(&name) => drivers.push(parameter),
                _ => {
                    let known = DRIVER.join("`, `");
                    return Err(refused(format_args!(
                        "it has a parameter that there is not; there are `schema`, `pooler`, `{known}`"
                    )));
                }
            }
        }
        Ok(Self { schema, pooling, drivers })
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.server.get_socket() {
            Some(socket) => write!(f, "{}", socket.display())?,
            None => write!(f, "{}:{}", self.server.get_host(), self.server.get_port())?,
        }
        if let Some(database) = self.server.get_database() {
            write!(f, "/{database}")?;
        }
        write!(f, ", schema `{}`", self.schema.0)
    }
}

impl Schema {
    fn parse(name: &str) -> Result<Self, OpenError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let valid = !name.is_empty()
            && name.len() <= SCHEMA_MAX
            && name.bytes().all(plain)
            && !name.to_ascii_lowercase().starts_with("pg_");
        if valid {
            Ok(Self(name.to_owned()))
        } else {
            Err(refused(format_args!(
                "`schema` is no name for a schema: take 1 to {SCHEMA_MAX} letters, digits, `_` or `-`, not \
                 beginning with `pg_`"
            )))
        }
    }

    /// As SQL has it.
    pub(crate) fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }
}

fn refused(what: fmt::Arguments<'_>) -> OpenError {
    OpenError::new(OpenErrorKind::Address, format!("the ledger's URL cannot be used: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(url: &str) -> String {
        Address::parse(url).err().unwrap().to_string()
    }

    #[test]
    fn our_parameters_are_taken_and_the_drivers_passed_on() {
        let address = Address::parse(
            "postgres://ana:s3same@db:6000/pay?schema=once-2&pooler=transaction&sslmode=disable",
        );
        let address = address.unwrap();
        assert_eq!(address.schema.quoted(), "\"once-2\"");
        assert_eq!(address.pooling, Pooling::Transaction);
        assert_eq!(address.to_string(), "db:6000/pay, schema `once-2`", "neither user nor password");
        let address = Address::parse("postgresql://db/pay").unwrap();
        assert_eq!((address.schema.name(), address.pooling), ("onlyonce", Pooling::Session));
        assert_eq!(address.server.get_application_name(), Some("onlyonce"));
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        for wrong in ["sslmod=verify-full", "host=db2", "options=-c", "ssl-mode=disable"] {
            let message = message(&format!("postgres://db/pay?{wrong}"));
            assert!(message.contains("there are `schema`, `pooler`, `sslmode`"), "{message}");
        }
        assert!(
            message("postgres://db/pay?pooler=statement").contains("neither `transaction` nor `session`")
        );
        assert!(message("postgres://db/pay?sslmode=verify").contains("`verify-full`"));
    }

    /// A `?`, a `&` or a `/` of a password that was not escaped, and a parameter that follows a second `?`.
    #[test]
    fn a_password_at_a_wrong_place_is_not_repeated() {
        for url in [
            "postgres://ana:s3same@db:port/pay",
            "postgres://ana:pa?s3same@db/pay",
            "postgres://ana:pa?x&s3same@db/pay",
            "postgres://ana:pa?s3same=1@db/pay",
            "postgres://db/pay?s3same",
            "postgres://db/pay?sslmode=require?password=s3same",
            "postgres://db/pay?pooler=transaction?password=s3same",
            "postgres://db/pay?schema=once?password=s3same",
            "postgres://ana:s3same/x@db/pay",
            "postgres://ana@[s3same/pay",
        ] {
            let Err(error) = Address::parse(url) else { panic!("{url} is refused") };
            assert!(!format!("{error} {error:?}").contains("s3same"), "{url}: {error}");
        }
    }

    #[test]
    fn a_schema_is_a_plain_name() {
        for name in ["", "a\"b", "a.b", "pg_temp", "PG_x", &"x".repeat(64)] {
            assert!(
                message(&format!("postgres://db/pay?schema={name}")).contains("no name for a schema"),
                "{name}"
            );
        }
    }
}
