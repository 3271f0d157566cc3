//! A table with a unique key: `INSERT … ON CONFLICT DO NOTHING` before the work, `UPDATE` after it, each committed by itself,
//! prepared once for each connection.

use std::sync::Arc;

use sqlx::{ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};

use super::pool::Pool;
use crate::{
    failure::Failure,
    operation::{self, Done, Way},
};

/// Connections in the pool, shared by all callers.
pub(crate) const CONNECTIONS: usize = 64;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS naive (
    key bytea PRIMARY KEY,
    fingerprint bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    status smallint,
    response bytea
)";
const CLAIM: &str = "INSERT INTO naive (key, fingerprint) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
const COMPLETE: &str = "UPDATE naive SET status = $2, response = $3 WHERE key = $1";

struct Naive(Pool<PgConnection>);

/// Empties the table and opens the pool.
pub(crate) async fn open(url: &str) -> Result<Arc<dyn Way>, Failure> {
    let options = url.parse::<PgConnectOptions>()?.disable_statement_logging();
    let mut connections = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        connections.push(PgConnection::connect_with(&options).await?);
    }
    if let Some(first) = connections.first_mut() {
        first.execute(TABLE).await?;
        first.execute("TRUNCATE naive").await?;
    }
    Ok(Arc::new(Naive(Pool::new(connections))))
}

impl Naive {
    async fn once(&self) -> Result<(), Failure> {
        let key: [u8; 16] = operation::random();
        let fingerprint: [u8; 32] = operation::random();
        let claim = sqlx::query(CLAIM).bind(&key[..]).bind(&fingerprint[..]);
        let claimed = claim.execute(self.0.lend().await.connection()).await?;
        check(claimed.rows_affected())?;
        let result = operation::usual_result();
        let complete = sqlx::query(COMPLETE).bind(&key[..]).bind(201_i16).bind(&result);
        let completed = complete.execute(self.0.lend().await.connection()).await?;
        check(completed.rows_affected())
    }
}

impl Way for Naive {
    fn operation(&self) -> Done<'_> {
        Box::pin(self.once())
    }
}

fn check(rows: u64) -> Result<(), Failure> {
    if rows == 1 { Ok(()) } else { Err(Failure::new(format!("the naive way has written {rows} rows"))) }
}
