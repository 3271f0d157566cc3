//! Records and commands, as a ledger writes them, and a session beside the store.

use std::time::Duration;

use onlyonce_core::{Record, RecordId, State, Timestamp, Version, record::Source};
use onlyonce_ledger::store::{Applied, Command, Store};
pub(crate) use onlyonce_store_conformance::rows::{PAST, in_progress, insert, update, version};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row, postgres::PgConnectOptions};

/// Longer than any wait in these tests.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn id(number: u32) -> RecordId {
    let mut id = [0; 16];
    // Spread over the whole range, as hashes are.
    id[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
    id[12..].copy_from_slice(&number.to_be_bytes());
    RecordId(id)
}

/// Its result, and the key, are remembered until then.
pub(crate) fn completed(version: Version, result_until: Timestamp, key_until: Timestamp) -> Record {
    let state = State::Completed { at: PAST, status: 201, by: Source::Attempt, result_until, key_until };
    Record { state, ..in_progress(version) }
}

pub(crate) async fn apply(store: &dyn Store, command: Command) -> Applied {
    store.apply(vec![command]).await.unwrap().remove(0)
}

/// A person at a prompt, or whatever else has a session of its own.
pub(crate) struct Session(sqlx::PgConnection);

impl Session {
    pub(crate) async fn open(url: &str) -> Self {
        let options: PgConnectOptions = url.parse().unwrap();
        Self(options.connect().await.unwrap())
    }

    /// Says something that needs no answer.
    pub(crate) async fn say(&mut self, sql: impl Into<String>) {
        self.0.execute(sqlx::raw_sql(AssertSqlSafe(sql.into()))).await.unwrap();
    }

    /// The first column of the first row, as a number.
    pub(crate) async fn count(&mut self, sql: impl Into<String>) -> i64 {
        let row = sqlx::query(AssertSqlSafe(sql.into())).fetch_one(&mut self.0).await.unwrap();
        row.get(0)
    }

    /// The first column of the first row, as text.
    pub(crate) async fn text(&mut self, sql: impl Into<String>) -> String {
        let row = sqlx::query(AssertSqlSafe(sql.into())).fetch_one(&mut self.0).await.unwrap();
        row.get(0)
    }

    /// Waits until this counts something.
    pub(crate) async fn until(&mut self, sql: &str) {
        let seen = async {
            while self.count(sql).await == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LIMIT, seen).await.unwrap_or_else(|_| panic!("never so: {sql}"));
    }

    /// Waits until some session of Onlyonce's waits for that.
    pub(crate) async fn until_onlyonce_waits_for(&mut self, event_type: &str, event: &str) {
        let waiting = format!(
            "select count(*) from pg_stat_activity where application_name = 'onlyonce' and wait_event_type = '{event_type}' \
             and wait_event like '{event}'"
        );
        self.until(&waiting).await;
    }
}

/// Bytes as a literal of SQL.
pub(crate) fn literal(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("'\\x{hex}'::bytea")
}
