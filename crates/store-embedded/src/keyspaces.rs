//! What lies where: fjall's keyspaces and how they are tuned.
//!
//! | keyspace  | key             | value                                          |
//! |-----------|-----------------|------------------------------------------------|
//! | `records` | record id       | the row, `onlyonce_core::codec`                |
//! | `results` | record id       | end of retention, ms, 8 bytes; then the bytes  |
//! | `audit`   | number, 8 bytes | the entry                                      |
//! | `meta`    | a name          | `identity`, `clock`                            |
//!
//! All integers are big-endian. A keyspace's tuning is stored by fjall when it is made.
//!
//! Where slow writes come from: a full memtable is written out by a background thread, and while that file is synced,
//! an `fdatasync` of the journal waits behind it in the file system's own journal; and four sealed memtables or
//! twenty runs in level 0 make fjall hold writes back. [`MEMTABLE`] sets how large one such burst is.

use std::{ops::Bound, path::Path, sync::Arc};

use bytes::Bytes;
use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, Slice,
    compaction::filter::Factory,
    config::{BlockSizePolicy, CompressionPolicy},
};
use onlyonce_core::{RecordId, Timestamp};
use onlyonce_ledger::store::{AuditPage, Row};

use crate::{OpenError, Options};

pub(crate) const RECORDS: &str = "records";
pub(crate) const RESULTS: &str = "results";
const AUDIT: &str = "audit";
const META: &str = "meta";
const ALL: [&str; 4] = [RECORDS, RESULTS, AUDIT, META];

pub(crate) const IDENTITY: &str = "identity";
pub(crate) const CLOCK: &str = "clock";

const UNTIL_LEN: usize = 8;
/// Bytes in memory before a keyspace is written out.
const MEMTABLE: u64 = 32 * 1024 * 1024;
/// Bytes of journal that may wait for their memtables to be written out; opening after a crash reads them again.
const JOURNALS: u64 = 128 * 1024 * 1024;
/// A row's policy, route, owner and times are much like its neighbours'; what was just written out is merged soon, and not
/// worth it.
const ROW_COMPRESSION: [CompressionType; 2] = [CompressionType::None, CompressionType::Lz4];
/// Results are large and sealed: fewer, larger blocks, and nothing to gain by compression.
const RESULT_BLOCK: u32 = 16 * 1024;

/// The database and its keyspaces.
#[derive(Clone)]
pub(crate) struct Keyspaces {
    pub(crate) db: Database,
    pub(crate) records: Keyspace,
    pub(crate) results: Keyspace,
    pub(crate) audit: Keyspace,
    pub(crate) meta: Keyspace,
}

/// Which filter a keyspace's compactions get, by its name.
pub(crate) type Filters = Arc<dyn Fn(&str) -> Option<Arc<dyn Factory>> + Send + Sync>;

impl Keyspaces {
    /// Makes a database in the empty directory `path`.
    pub(crate) fn create(path: &Path, options: &Options) -> Result<Self, fjall::Error> {
        Self::of(builder(path, options).open()?)
    }

    /// Opens the database in `path`. A keyspace that is missing is damage: making it anew would forget its rows.
    pub(crate) fn open(path: &Path, options: &Options, filters: Filters) -> Result<Self, OpenError> {
        let db = builder(path, options)
            .with_compaction_filter_factories(filters)
            .open()
            .map_err(|error| OpenError::engine(path, error))?;
        let found = db.list_keyspace_names();
        if let Some(missing) = ALL.iter().find(|name| !found.iter().any(|found| &**found == **name)) {
            return Err(OpenError::damaged(path, format_args!("its part `{missing}` is missing")));
        }
        Self::of(db).map_err(|error| OpenError::engine(path, error))
    }

    fn of(db: Database) -> Result<Self, fjall::Error> {
        let tuned = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE);
        let rows = || tuned().data_block_compression_policy(CompressionPolicy::new(ROW_COMPRESSION));
        let large = || {
            tuned()
                .data_block_size_policy(BlockSizePolicy::all(RESULT_BLOCK))
                .data_block_compression_policy(CompressionPolicy::disabled())
        };
        Ok(Self {
            records: db.keyspace(RECORDS, rows)?,
            results: db.keyspace(RESULTS, large)?,
            audit: db.keyspace(AUDIT, tuned)?,
            meta: db.keyspace(META, tuned)?,
            db,
        })
    }

    pub(crate) fn record(&self, id: RecordId) -> Result<Option<Bytes>, fjall::Error> {
        // Copied: a slice would keep its whole block in memory for as long as somebody holds the row.
        Ok(self.records.get(id.0)?.map(|row| Bytes::copy_from_slice(&row)))
    }

    /// Rows in the order of their ids. What lies under no id was not written by this program and is passed over.
    pub(crate) fn rows_after(&self, after: Option<RecordId>, limit: usize) -> Result<Vec<Row>, fjall::Error> {
        let from = after.map_or(Bound::Unbounded, |id| Bound::Excluded(id.0));
        let mut rows = Vec::new();
        for row in self.records.range((from, Bound::Unbounded)) {
            if rows.len() == limit {
                break;
            }
            let (key, row) = row.into_inner()?;
            let id = key.as_ref().try_into().map(RecordId);
            rows.extend(id.map(|id| (id, Bytes::copy_from_slice(&row))));
        }
        Ok(rows)
    }

    /// A result's bytes. `None` also if they are shorter than what is always before them: a result that cannot be
    /// read is missing to the engine, which then says `result-unavailable`.
    pub(crate) fn result(&self, id: RecordId) -> Result<Option<Bytes>, fjall::Error> {
        let stored = self.results.get(id.0)?.map(Bytes::from_owner);
        Ok(stored.filter(|stored| stored.len() >= UNTIL_LEN).map(|stored| stored.slice(UNTIL_LEN..)))
    }

    /// Bytes in files but the journals.
    pub(crate) fn table_bytes(&self) -> u64 {
        [&self.records, &self.results, &self.audit, &self.meta]
            .map(|keyspace| keyspace.disk_space())
            .iter()
            .sum()
    }

    pub(crate) fn identity(&self) -> Result<Option<Bytes>, fjall::Error> {
        Ok(self.meta.get(IDENTITY)?.map(|row| Bytes::copy_from_slice(&row)))
    }

    /// Audit entries below number `before`, newest first.
    pub(crate) fn audit_before(&self, before: Option<u64>, limit: usize) -> Result<AuditPage, fjall::Error> {
        let before = before.unwrap_or(u64::MAX).to_be_bytes();
        self.audit
            .range(..before)
            .rev()
            .take(limit)
            .map(|entry| {
                let (number, entry) = entry.into_inner()?;
                let number = number.as_ref().try_into().map_or(0, u64::from_be_bytes);
                Ok((number, Bytes::copy_from_slice(&entry)))
            })
            .collect()
    }
}

fn builder(path: &Path, options: &Options) -> fjall::DatabaseBuilder<Database> {
    Database::builder(path)
        .cache_size(options.block_cache)
        .max_journaling_size(JOURNALS)
        .journal_compression(CompressionType::None)
}

/// A result as it is stored.
pub(crate) fn with_until(until: Timestamp, bytes: &[u8]) -> Slice {
    let prefix = until.as_ms().to_be_bytes();
    let mut parts = std::io::Read::chain(&prefix[..], bytes);
    Slice::from_reader(&mut parts, UNTIL_LEN + bytes.len()).expect("the parts are as long as the whole")
}

/// When a stored result may go; `None` if that cannot be read.
pub(crate) fn until(stored: &[u8]) -> Option<Timestamp> {
    stored.first_chunk::<UNTIL_LEN>().map(|ms| Timestamp::from_ms(u64::from_be_bytes(*ms)))
}
