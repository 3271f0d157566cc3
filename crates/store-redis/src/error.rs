//! Failures: why a ledger was not opened, and what is known of a write that failed.
//!
//! Invariant: *not applied* only where an answer proves it. A server's answer proves it by its code, and only because every
//! script's first write is the one that can be refused: after it, nothing is.

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
        let kind = if NOT_APPLIED.contains(&code) { ErrorKind::NotApplied } else { ErrorKind::Unknown };
        let detail = error.details().unwrap_or_default();
        Self {
            kind,
            code: Some(code.to_owned()),
            moved_to: redirection(detail),
            text: format!("the server answered {code} {detail}"),
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
