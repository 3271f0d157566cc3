//! What becomes of PostgreSQL's table and indexes while millions of records come and go.
//!
//! 64 callers claim and complete; records are kept for seconds, and the ledger's own rounds remove them. Vacuum is the
//! server's own.

use std::time::Duration;

use onlyonce_core::Policy;

use super::{
    callers::Callers,
    ledgers,
    rounds::{self, Place},
    run::Scale,
    servers::Servers,
};
use crate::{failure::Failure, report};

const CALLERS: usize = 64;
const SCHEMA: &str = "bench_bloat";
/// How long a record is kept. A round comes every minute, so there are those of at most a minute more.
pub(crate) const KEPT: Duration = Duration::from_secs(20);
/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);
/// What is asked at each look.
const SIZES: &str = "SELECT pg_table_size(c.oid), pg_indexes_size(c.oid), s.n_live_tup, s.n_dead_tup, \
     s.autovacuum_count, s.n_tup_hot_upd, s.n_tup_upd \
     FROM pg_class c JOIN pg_stat_all_tables s ON s.relid = c.oid \
     WHERE c.relname = 'records' AND s.schemaname = 'bench_bloat'";

/// One look.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) claims: u64,
    pub(crate) table_bytes: u64,
    pub(crate) index_bytes: u64,
    /// By the server's own count.
    pub(crate) live: u64,
    pub(crate) dead: u64,
    pub(crate) vacuums: u64,
    pub(crate) hot_updates: u64,
    pub(crate) updates: u64,
}

pub(crate) async fn measure(servers: &Servers, scale: &Scale) -> Result<Vec<Look>, Failure> {
    let store = ledgers::postgres(&servers.postgres.url(), SCHEMA).await?;
    let policy = Policy { retain_result: KEPT, retain_key: KEPT, ..Policy::default() };
    let callers = Callers::start(ledgers::on(store, policy).await?, CALLERS)?;
    let parties = rounds::parties(servers, Place::Postgres);
    let (looks, _) = callers.count(&parties, watch(servers, &callers, scale.claims)).await?;
    callers.stop().await?;
    looks
}

async fn watch(servers: &Servers, callers: &Callers, claims: u64) -> Result<Vec<Look>, Failure> {
    let mut looks: Vec<Look> = Vec::new();
    while looks.last().is_none_or(|last| last.claims < claims) {
        // bounded: by the claims; the load goes on meanwhile.
        tokio::time::sleep(EVERY).await;
        if !callers.are_at_work() {
            return Err(Failure::new("a caller has stopped"));
        }
        let look = Look::read(callers.operations(), &servers.postgres.ask(SIZES).await)?;
        report::note(format_args!("{look:?}"));
        looks.push(look);
    }
    Ok(looks)
}

impl Look {
    fn read(claims: u64, answer: &str) -> Result<Self, Failure> {
        let columns: Result<Vec<u64>, _> = answer.trim().split('|').map(str::parse).collect();
        match columns?[..] {
            [table_bytes, index_bytes, live, dead, vacuums, hot_updates, updates] => {
                Ok(Self { claims, table_bytes, index_bytes, live, dead, vacuums, hot_updates, updates })
            }
            _ => Err(Failure::new(format!("the server says of its table: {answer}"))),
        }
    }
}
