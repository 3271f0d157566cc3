//! Rows that requests look up, many with one question.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use onlyonce_core::{HashIds, RecordId};
use onlyonce_ledger::{clock::RemoteClock, store::Error};
use sqlx::postgres::PgBindIterExt;

use crate::{
    error::unread,
    store::{Shared, column},
};

impl Shared {
    /// The rows of these records, in their order.
    pub(crate) async fn heads(self: Arc<Self>, ids: Vec<RecordId>) -> Result<Vec<Option<Bytes>>, Error> {
        let found = self.find(ids.clone()).await?;
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }

    async fn find(&self, mut ids: Vec<RecordId>) -> Result<HashMap<RecordId, Bytes, HashIds>, Error> {
        // One after the other through the index, and none twice.
        ids.sort_unstable();
        ids.dedup();
        let query = || sqlx::query(&self.sql.heads).bind(ids.iter().map(|id| &id.0[..]).bind_iter());
        let asked = RemoteClock::ask();
        let rows = self.reads.read(query).await.map_err(unread)?;
        self.heard(asked, &rows);
        let mut found = HashMap::default();
        for row in &rows {
            // The first row is the time.
            if let Some(id) = column::<Option<Vec<u8>>>(row, "id")?.and_then(|id| id.try_into().ok()) {
                found.insert(RecordId(id), column::<Vec<u8>>(row, "head")?.into());
            }
        }
        Ok(found)
    }
}
