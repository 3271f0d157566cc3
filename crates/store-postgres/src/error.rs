//! Why a ledger was not opened, and what a failed call means.
//!
//! Invariant: *not applied* is only what was never sent, or what the server says of a statement that it has undone. A lost
//! connection, a server that ends, an error of its inner workings and a commit that nobody confirmed are *unknown*. And what
//! the server says is kept without its details, which quote rows.

use std::{fmt, time::Duration};

use onlyonce_ledger::store::{Error, ErrorKind};
use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::connection::Failed;

/// Why a ledger was not opened or migrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenErrorKind {
    /// The URL cannot be used.
    Address,
    /// The server cannot be reached.
    Unreachable,
    /// The server does not let this user in.
    Denied,
    /// The user may not do what is needed.
    Permission,
    /// There is no such database.
    NoDatabase,
    /// The schema is not there, or older than this version.
    Migration,
    /// The schema is newer than this version.
    Newer,
    /// The server is a standby, or read-only.
    ReadOnly,
    /// The server's version is too old.
    Server,
    /// The server may lose what it has acknowledged, and nobody has accepted that.
    Loss,
    /// Another failure.
    Store,
}

/// Failed to open or to migrate a ledger. The text says where it is and what to do, and nothing of a password.
#[derive(Debug)]
pub struct OpenError {
    kind: OpenErrorKind,
    detail: String,
    source: Option<Cause>,
}

impl OpenError {
    pub(crate) fn new(kind: OpenErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), source: None }
    }

    pub(crate) fn because(self, source: Cause) -> Self {
        Self { source: Some(source), ..self }
    }

    /// Why.
    pub const fn kind(&self) -> OpenErrorKind {
        self.kind
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// What went wrong on a connection.
#[derive(Clone, Debug)]
pub(crate) enum Cause {
    /// The server's word on it.
    Told { code: String, fatal: bool, message: String },
    /// No word at all.
    NoAnswer(Duration),
    /// All of our connections are lent, and none came back in time.
    AllLent(Duration),
    /// More calls wait for a connection than may.
    Crowd,
    /// The server may lose what it acknowledges, which nobody has accepted.
    Weak(String),
    /// It is committed here, and with a warning: perhaps on no standby.
    Warned,
    /// A value could not be sent.
    Value(String),
    /// Anything between the server and us.
    Driver(String),
}

impl From<sqlx::Error> for Cause {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(told) => match told.try_downcast_ref::<PgDatabaseError>() {
                Some(told) => Self::Told {
                    code: told.code().to_owned(),
                    fatal: matches!(told.severity(), PgSeverity::Fatal | PgSeverity::Panic),
                    message: told.message().to_owned(),
                },
                None => Self::Driver(told.message().to_owned()),
            },
            sqlx::Error::Encode(error) => Self::Value(error.to_string()),
            _ => Self::Driver(error.to_string()),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told { code, message, .. } => write!(f, "the server says: {message} ({code})"),
            Self::NoAnswer(limit) => write!(f, "no answer from the server within {} s", limit.as_secs()),
            Self::AllLent(limit) => {
                write!(f, "no connection became free within {limit:?}: the server is slow, or locked")
            }
            Self::Crowd => f.write_str("too many calls wait for a connection: the server is slow, or locked"),
            Self::Weak(why) => write!(f, "nothing is written while the server may lose it. {why}"),
            Self::Warned => f.write_str("the server warns of the write: a standby may not have it"),
            Self::Value(what) => write!(f, "a value cannot be sent: {what}"),
            Self::Driver(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Cause {}

impl Cause {
    /// The server's code, where it has said something.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Told { code, .. } => Some(code),
            Self::NoAnswer(_)
            | Self::AllLent(_)
            | Self::Crowd
            | Self::Weak(_)
            | Self::Warned
            | Self::Value(_)
            | Self::Driver(_) => None,
        }
    }

    /// Whether the connection is as good as before.
    pub(crate) fn leaves_connection(&self) -> bool {
        matches!(self, Self::Told { fatal: false, .. } | Self::Warned | Self::Value(_))
    }

    /// Whether the other side has gone.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self, Self::Driver(_) | Self::Told { fatal: true, .. })
    }

    /// Whether no connection can be made because of the server, or of what is before it: not because of a bound, where the next
    /// may succeed.
    pub(crate) fn is_away(&self) -> bool {
        !self.is_full() && (self.is_lost() || matches!(self, Self::NoAnswer(_)))
    }

    /// Whether a lock that somebody else holds was in the way.
    pub(crate) fn is_lock(&self) -> bool {
        self.code() == Some(LOCK_NOT_AVAILABLE)
    }

    /// Whether a bound was reached, of ours or of the server's: too many connections.
    fn is_full(&self) -> bool {
        matches!(self, Self::AllLent(_) | Self::Crowd) || self.code() == Some(TOO_MANY_CONNECTIONS)
    }

    /// What is known of a statement that was sent and ended so.
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Told { fatal: true, .. }
            | Self::NoAnswer(_)
            | Self::AllLent(_)
            | Self::Crowd
            | Self::Weak(_)
            | Self::Warned
            | Self::Driver(_) => ErrorKind::Unknown,
            Self::Value(_) => ErrorKind::Content,
            Self::Told { code, .. } => kind_of(code),
        }
    }
}

/// The server has no connection left for us.
const TOO_MANY_CONNECTIONS: &str = "53300";
/// A lock was waited for as long as allowed.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// Whether the statement completed is unknown.
const COMPLETION_UNKNOWN: &str = "40003";
/// A statement was cancelled, by hand or by a time limit: perhaps in the moment after its commit.
const QUERY_CANCELED: &str = "57014";

/// What a code of the server's says of the statement, which it has undone, or not.
fn kind_of(code: &str) -> ErrorKind {
    match code.get(..2) {
        _ if code == COMPLETION_UNKNOWN || code == QUERY_CANCELED => ErrorKind::Unknown,
        // The operator intervenes: shutdown, crash, not up yet.
        _ if code.starts_with("57P0") => ErrorKind::Unknown,
        // Connection exceptions and internal errors.
        Some("08" | "XX") | None => ErrorKind::Unknown,
        // Data exceptions, violated constraints, limits of the program: the same again fares no better.
        Some("22" | "23" | "54") => ErrorKind::Content,
        Some(_) => ErrorKind::NotApplied,
    }
}

/// What a failed write means.
pub(crate) fn unwritten(failed: Failed) -> Error {
    if !failed.sent && failed.cause.is_full() {
        return Error::full(failed.cause);
    }
    let kind = if failed.sent { failed.cause.kind() } else { ErrorKind::NotApplied };
    Error::new(kind, failed.cause)
}

/// A read that failed: whatever was to be written after it was not.
pub(crate) fn unread(failed: Failed) -> Error {
    if !failed.sent && failed.cause.is_full() {
        return Error::full(failed.cause);
    }
    Error::new(ErrorKind::NotApplied, failed.cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: &str, fatal: bool) -> Failed {
        Failed::after(Cause::Told { code: code.to_owned(), fatal, message: String::new() })
    }

    /// A database that is busy is no database that is gone: whoever asks is told to come back, not to mend it.
    #[test]
    fn what_reached_a_bound_before_it_was_sent_is_told_as_full() {
        let full = |failed: Failed| (unwritten(failed).is_full(), ErrorKind::NotApplied);
        let told = || Cause::Told { code: "53300".to_owned(), fatal: true, message: String::new() };
        for cause in [Cause::AllLent(Duration::from_secs(1)), Cause::Crowd, told()] {
            assert_eq!(full(Failed::before(cause.clone())), (true, unread(Failed::before(cause)).kind()));
        }
        assert!(!unwritten(Failed::before(Cause::NoAnswer(Duration::from_secs(1)))).is_full());
        assert!(!unwritten(Failed::after(told())).is_full());
    }

    /// Too much *not applied* frees keys of operations that are recorded; C13 of the hazards is this table.
    #[test]
    fn only_what_proves_it_counts_as_not_applied() {
        use ErrorKind::{Content, NotApplied, Unknown};
        for (code, kind) in [
            ("40001", NotApplied),
            ("40P01", NotApplied),
            ("55P03", NotApplied),
            ("53100", NotApplied),
            ("25006", NotApplied),
            ("42501", NotApplied),
            ("22021", Content),
            ("23514", Content),
            ("54000", Content),
            ("40003", Unknown),
            ("57014", Unknown),
            ("08006", Unknown),
            ("08P01", Unknown),
            ("57P01", Unknown),
            ("57P02", Unknown),
            ("57P03", Unknown),
            ("XX000", Unknown),
            ("XX002", Unknown),
            ("", Unknown),
        ] {
            assert_eq!(unwritten(told(code, false)).kind(), kind, "{code}");
            assert_eq!(unwritten(told(code, true)).kind(), Unknown, "{code} that ends the session");
        }
        let lost = || Cause::Driver("connection reset".to_owned());
        assert_eq!(unwritten(Failed::after(lost())).kind(), Unknown);
        assert_eq!(unwritten(Failed::before(lost())).kind(), NotApplied);
        assert_eq!(unwritten(Failed::after(Cause::NoAnswer(Duration::from_secs(1)))).kind(), Unknown);
    }
}
