//! Failures: why a ledger was not opened, and what is known of a write that failed.
//!
//! Invariant: *not applied* only where an answer proves it. A server's answer proves it by its code, and only because every
//! script's first write is the one that can be refused: after it, nothing is, but for a permission that its user lacks.
//! And nothing that was sent is repeated, though a server may: a password is among it.

use std::fmt;

use onlyonce_ledger::store::{Error, ErrorKind};
use redis::ServerError;

use crate::url::Address;

/// The codes by which a server says that it has not even begun.
const NOT_APPLIED: &[&str] = &[
    "ASK",
    "BUSY",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOPERM",
    "NOREPLICAS",
    "NOSCRIPT",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "WRONGPASS",
];

/// Why a ledger was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenErrorKind {
    /// No server could be reached, or it broke off.
    Unreachable,
    /// It refuses who asks.
    Login,
    /// It is no server for a ledger: too old, a replica, the other kind of deployment, a database that is not there.
    Unsuitable,
    /// It may evict records.
    Policy,
    /// It can lose what it has acknowledged, and nobody has accepted that.
    Loss,
    /// It holds a ledger of a newer version.
    Newer,
}

/// Failed to open the ledger in Redis. Its text says what to do, and repeats nothing of a password.
#[derive(Debug)]
pub struct OpenError {
    kind: OpenErrorKind,
    detail: String,
    source: Option<Failure>,
}

impl OpenError {
    pub(crate) fn new(kind: OpenErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), source: None }
    }

    /// A question at `address` that failed.
    pub(crate) fn asking(address: &Address, failure: Failure) -> Self {
        let (kind, advice) = match failure.code() {
            Some("NOAUTH") => (
                OpenErrorKind::Login,
                "it wants a password: write redis://user:password@host, percent-encoded",
            ),
            Some("WRONGPASS") => {
                (OpenErrorKind::Login, "it refuses this user or password: look at the ledger's URL")
            }
            Some("NOPERM") => (
                OpenErrorKind::Login,
                "its user may not do what a ledger needs: docs/operating/redis.md lists the commands",
            ),
            _ => (OpenErrorKind::Unreachable, "does it run there, and may this machine connect to it?"),
        };
        Self {
            kind,
            detail: format!("{address} did not answer as a ledger's server does ({failure}); {advice}"),
            source: Some(failure),
        }
    }

    /// Why.
    pub const fn kind(&self) -> OpenErrorKind {
        self.kind
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to open the ledger in Redis: {}", self.detail)
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|failure| failure as _)
    }
}

/// What became of one request that was not answered as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    code: Option<String>,
    /// Where the server sends us instead.
    moved_to: Option<Address>,
    text: String,
}

impl Failure {
    /// It never went out.
    pub(crate) fn not_sent(why: impl fmt::Display) -> Self {
        Self { kind: ErrorKind::NotApplied, code: None, moved_to: None, text: why.to_string() }
    }

    /// It went out, and nobody knows.
    pub(crate) fn unknown(why: impl fmt::Display) -> Self {
        Self { kind: ErrorKind::Unknown, code: None, moved_to: None, text: why.to_string() }
    }

    /// A server's answer that is an error.
    pub(crate) fn answered(error: &ServerError) -> Self {
        let code = proof(error).unwrap_or_else(|| error.code());
        let detail = without_arguments(error.details().unwrap_or_default());
        let proves = NOT_APPLIED.contains(&code) && !(code == "NOPERM" && in_a_script(detail));
        Self {
            kind: if proves { ErrorKind::NotApplied } else { ErrorKind::Unknown },
            code: Some(code.to_owned()),
            moved_to: redirection(detail),
            text: format!("the server answered {code} {detail}"),
        }
    }

    /// An answer to a password. What it says beyond its code may repeat it.
    pub(crate) fn answered_to_password(error: &ServerError) -> Self {
        let code = error.code();
        Self {
            kind: ErrorKind::NotApplied,
            code: Some(code.to_owned()),
            moved_to: None,
            text: format!("the server answered {code} to the password, which it does not take"),
        }
    }

    /// The same of a question that came before any that matters.
    pub(crate) fn before_anything_was_sent(self) -> Self {
        Self { kind: ErrorKind::NotApplied, ..self }
    }

    /// An answer of another shape than the script gives.
    pub(crate) fn shape() -> Self {
        Self::unknown("the server answered something else than was asked for")
    }

    /// Where the server sends us, if it answered `MOVED` or `ASK` and said where.
    pub(crate) const fn moved_to(&self) -> Option<&Address> {
        self.moved_to.as_ref()
    }

    /// The server's word for it.
    pub(crate) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Whether the server does not know the command: another product, or somebody has renamed it.
    pub(crate) fn is_unknown_command(&self) -> bool {
        self.text.contains("unknown command") || self.text.contains("unknown subcommand")
    }
}

/// `unknown command 'AUTH', with args beginning with: 'onlyonce' 'PASSWORD'`.
fn without_arguments(detail: &str) -> &str {
    detail.split_once(", with args").map_or(detail, |(said, _)| said)
}

/// Whether it was a script that met it: in its middle, something may have been written.
fn in_a_script(detail: &str) -> bool {
    detail.contains("in script") || detail.contains("script:")
}

/// `3999 127.0.0.1:6381`. An address of IPv6 has no brackets there; without a host it is the one that was asked.
fn redirection(detail: &str) -> Option<Address> {
    let (slot, address) = detail.split_once(' ')?;
    let (host, port) = address.rsplit_once(':')?;
    slot.parse::<u16>().ok()?;
    (!host.is_empty()).then_some(Address { host: host.to_owned(), port: port.parse().ok()? })
}

/// Redis before 7 wraps what refuses a script's first write: `ERR … @user_script: 32: -OOM command not allowed …`.
fn proof(error: &ServerError) -> Option<&'static str> {
    let text = error.details()?;
    let wrapped = |code: &&&str| text.contains(&format!("-{code} "));
    NOT_APPLIED.iter().find(wrapped).copied()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::new(failure.kind, failure)
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    fn answered(line: &str) -> Failure {
        let answer = redis::parse_redis_value(format!("-{line}\r\n").as_bytes());
        match answer.expect("a line is an answer") {
            Value::ServerError(error) => Failure::answered(&error),
            other => panic!("an error, and not {other:?}"),
        }
    }

    /// As Redis 6.2, 7.0 and Valkey 9.1 have answered; the last in the words of servers that keep the code.
    #[test]
    fn a_permission_that_a_script_misses_in_its_middle_proves_nothing() {
        for (line, kind) in [
            ("NOPERM this user has no permissions to run the 'evalsha' command", ErrorKind::NotApplied),
            (
                "NOPERM this user has no permissions to access one of the keys used as arguments",
                ErrorKind::NotApplied,
            ),
            ("NOPERM User u has no permissions to run the 'evalsha' command", ErrorKind::NotApplied),
            (
                "ERR Error running script (call to f_1e4d): @user_script:1: @user_script: 1: The user executing the script \
              can't run this command or subcommand",
                ErrorKind::Unknown,
            ),
            (
                "ERR The user executing the script can't run this command or subcommand script: 1e4d, on @user_script:1.",
                ErrorKind::Unknown,
            ),
            (
                "ERR ACL failure in script: User u has no permissions to run the 'zadd' command script: on @user_script:1.",
                ErrorKind::Unknown,
            ),
            (
                "NOPERM ACL failure in script: User u has no permissions to run the 'zadd' command",
                ErrorKind::Unknown,
            ),
            (
                "ERR Error running script (call to f_1e4d): @user_script: 1: -NOPERM this user has no permissions",
                ErrorKind::Unknown,
            ),
        ] {
            assert_eq!(answered(line).kind, kind, "{line}");
        }
    }

    /// As Redis 7.0 and 6.2 answer.
    #[test]
    fn what_refuses_the_first_write_of_a_script_proves_that_there_is_none() {
        for line in [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "@user_script: 1: -OOM command not allowed when used memory > 'maxmemory'.",
        ] {
            let failure = answered(line);
            assert_eq!((failure.kind, failure.code()), (ErrorKind::NotApplied, Some("OOM")), "{line}");
        }
    }

    #[test]
    fn what_was_sent_is_not_repeated() {
        for line in [
            "ERR unknown command 'AUTH', with args beginning with: 'onlyonce' 'hunter2' ",
            "ERR unknown command `AUTH`, with args beginning with: `onlyonce`, `hunter2`, ",
        ] {
            let failure = answered(line);
            assert!(failure.is_unknown_command() && !failure.to_string().contains("hunter2"), "{failure}");
        }
    }
}
