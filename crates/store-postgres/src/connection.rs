//! One connection, and what a statement on it comes to.
//!
//! Without a pooler a session is prepared once and a statement costs one round trip. Behind a pooler that gives out servers
//! for the length of a transaction nothing may be left in a session: neither a prepared statement nor a setting. There a
//! statement stands in a transaction of its own, unnamed, between a `BEGIN` that sets what counts for it and a `COMMIT`: four
//! round trips. The transaction is what keeps the parts of one statement together on one server.
//!
//! Invariant: whoever fails is told whether the statement itself had been sent ([`Failed::sent`]).

use std::time::Duration;

use sqlx::{
    ConnectOptions, Connection as _, Executor,
    postgres::{PgConnectOptions, PgConnection, PgRow},
};
use tracing::Instrument;

use crate::{
    address::{Address, Pooling},
    error::Cause,
    sql::{Query, Sql},
};

/// How long a connection may take to be made: TCP, TLS and the password.
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long a statement's answer may take; after that nobody knows. Longer than any lock is waited for.
pub(crate) const REPLY_LIMIT: Duration = Duration::from_secs(10);
/// How long a session that is let go may take to say so.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

const SESSION: &str = include_str!("../sql/session.sql");
const SESSION_ON_DISK: &str =
    concat!(include_str!("../sql/session.sql"), ";\n", include_str!("../sql/commit_in_session.sql"));
const TRANSACTION: &str = include_str!("../sql/transaction.sql");
const TRANSACTION_ON_DISK: &str =
    concat!(include_str!("../sql/transaction.sql"), ";\n", include_str!("../sql/commit_in_transaction.sql"));

/// A session, or what a pooler makes look like one.
#[derive(Debug)]
pub(crate) struct Connection {
    inner: PgConnection,
    pooling: Pooling,
    /// What begins a transaction behind a pooler.
    begin: &'static str,
    /// What the server says by itself is logged by the driver, without a word on who says it.
    span: tracing::Span,
}

/// How a statement failed.
#[derive(Debug)]
pub(crate) struct Failed {
    /// Whether it may have reached the server.
    pub(crate) sent: bool,
    pub(crate) cause: Cause,
}

impl Failed {
    pub(crate) fn before(cause: impl Into<Cause>) -> Self {
        Self { sent: false, cause: cause.into() }
    }

    pub(crate) fn after(cause: impl Into<Cause>) -> Self {
        Self { sent: true, cause: cause.into() }
    }
}

impl Connection {
    /// Makes one.
    pub(crate) async fn open(address: &Address) -> Result<Self, Cause> {
        let options: PgConnectOptions = address.server.clone().disable_statement_logging();
        let (session, begin) = match address.accept_loss {
            true => (SESSION, TRANSACTION),
            false => (SESSION_ON_DISK, TRANSACTION_ON_DISK),
        };
        let span = tracing::warn_span!("the ledger's PostgreSQL", place = %address);
        let named = span.clone();
        let made = async move {
            let mut inner = options.connect().await?;
            if address.pooling == Pooling::Session {
                inner.execute(sqlx::raw_sql(session)).await?;
            }
            Ok::<_, sqlx::Error>(Self { inner, pooling: address.pooling, begin, span })
        };
        match tokio::time::timeout(CONNECT_LIMIT, made.instrument(named)).await {
            Ok(made) => Ok(made?),
            Err(_) => Err(Cause::NoAnswer(CONNECT_LIMIT)),
        }
    }

    /// The rows of a statement, once it is committed.
    pub(crate) async fn ask(&mut self, query: Query<'_>) -> Result<Vec<PgRow>, Failed> {
        let span = self.span.clone();
        self.answer(query).instrument(span).await
    }

    async fn answer(&mut self, query: Query<'_>) -> Result<Vec<PgRow>, Failed> {
        match self.pooling {
            Pooling::Session => bounded(query.fetch_all(&mut self.inner)).await.map_err(Failed::after),
            Pooling::Transaction => {
                let begin = self.inner.execute(sqlx::raw_sql(self.begin));
                bounded(begin).await.map_err(Failed::before)?;
                let rows = bounded(query.persistent(false).fetch_all(&mut self.inner))
                    .await
                    .map_err(Failed::after)?;
                let commit = self.inner.execute(sqlx::raw_sql("COMMIT"));
                bounded(commit).await.map_err(Failed::after)?;
                Ok(rows)
            }
        }
    }

    /// Runs what may be several statements, as they are.
    pub(crate) async fn run(&mut self, sql: &Sql) -> Result<(), Cause> {
        bounded(self.inner.execute(sqlx::raw_sql(sql))).await.map(drop)
    }

    /// The rows of one statement in whatever transaction there is.
    pub(crate) async fn rows(&mut self, query: Query<'_>) -> Result<Vec<PgRow>, Cause> {
        bounded(query.persistent(false).fetch_all(&mut self.inner)).await
    }

    /// The same where somebody else may be at it for longer.
    pub(crate) async fn rows_patiently(&mut self, query: Query<'_>) -> Result<Vec<PgRow>, Cause> {
        Ok(query.persistent(false).fetch_all(&mut self.inner).await?)
    }

    /// Whether it stands in a transaction that nobody will end.
    pub(crate) fn is_left_open(&self) -> bool {
        self.pooling == Pooling::Transaction
    }

    /// Says good-bye, so that the server does not log a lost connection.
    pub(crate) async fn close(self) {
        let _ = tokio::time::timeout(CLOSE_LIMIT, self.inner.close()).await;
    }
}

async fn bounded<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Cause> {
    match tokio::time::timeout(REPLY_LIMIT, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Cause::NoAnswer(REPLY_LIMIT)),
    }
}
