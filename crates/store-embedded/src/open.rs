//! Opening: everything that can be checked is checked before anything is written.
//!
//! In this order: where the directory lies, whose it is, whether this version knows its layout, whether its journals
//! are whole; then the clock, and one look at every row to know which there are, and which are open.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write,
    ops::Bound,
    path::Path,
    sync::{Arc, OnceLock},
    thread,
};

use onlyonce_core::{RecordId, Version, codec};

use crate::{
    OpenError, OpenErrorKind,
    clock::Clock,
    directory::Directory,
    expiry, journal,
    keyspaces::{CLOCK, Keyspaces},
    known::Known,
};

/// The file that says how a ledger is laid out, see [`crate::keyspaces`]; fjall does not look at it.
const LAYOUT_FILE: &str = "layout";
/// The layout that this version writes.
const LAYOUT: u32 = 1;
/// Most threads that look for open rows.
const SCANNERS: usize = 8;

/// How an embedded ledger is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// Names of network file systems on which it may lie, such as `nfs`. Only if no second process can ever open it.
    pub allow_network_fs: Vec<String>,
    /// Bytes of the disk that claims leave free, besides what attempts under way may still write.
    pub reserve: u64,
    /// Most bytes that the ledger may take; `None`: until the disk says no.
    pub max_bytes: Option<u64>,
    /// Bytes of memory for blocks that were read. Random look-ups of old records are several times slower once the
    /// records do not fit.
    pub block_cache: u64,
    /// Bytes of memory for what was replayed: rows and results that are found without a search while they are there.
    pub replay_cache: u64,
    /// Most audit entries that are kept, 512 or more; the oldest go first.
    pub audit_entries: u64,
}

impl Default for Options {
    /// Local disks only, 64 MiB reserve, no other limit, 192 MiB of cache for blocks and 64 for replays, 10 000 audit entries.
    fn default() -> Self {
        Self {
            allow_network_fs: Vec::new(),
            reserve: 64 * 1024 * 1024,
            max_bytes: None,
            block_cache: 192 * 1024 * 1024,
            replay_cache: 64 * 1024 * 1024,
            audit_entries: 10_000,
        }
    }
}

/// A directory that has been opened. Its lock goes last.
pub(crate) struct Opened {
    pub(crate) spaces: Keyspaces,
    pub(crate) clock: Arc<Clock>,
    pub(crate) open: BTreeMap<RecordId, Version>,
    pub(crate) known: Arc<Known>,
    pub(crate) directory: Directory,
}

pub(crate) fn open(path: &Path, options: &Options) -> Result<Opened, OpenError> {
    let directory = Directory::take(path, options)?;
    directory.ensure(|data| create(data, options))?;
    let data = directory.data();
    check_layout(&data)?;
    check_names(&data)?;
    journal::check(&data)?;
    let known = Arc::default();
    let (spaces, clock, open) = read(&data, options, &known)?;
    Ok(Opened { spaces, clock, open, known, directory })
}

type Read = (Keyspaces, Arc<Clock>, BTreeMap<RecordId, Version>);

fn read(data: &Path, options: &Options, known: &Known) -> Result<Read, OpenError> {
    // fjall may begin to merge files as soon as it is open; until the clock is known, nothing expires.
    let time = Arc::new(OnceLock::new());
    let spaces = Keyspaces::open(data, options, expiry::filters(&time))?;
    let failed = |error| OpenError::engine(data, error);
    let row = spaces.meta.get(CLOCK).map_err(failed)?;
    let clock = Arc::clone(time.get_or_init(|| Arc::new(Clock::start(row.as_deref()))));
    let open = open_rows(&spaces, known).map_err(failed)?;
    Ok((spaces, clock, open))
}

fn create(data: &Path, options: &Options) -> Result<(), OpenError> {
    Keyspaces::create(data, options).map_err(|error| OpenError::engine(data, error))?;
    File::create_new(data.join(LAYOUT_FILE))
        .and_then(|mut file| {
            writeln!(file, "onlyonce embedded ledger, layout {LAYOUT}")?;
            file.sync_all()
        })
        .map_err(|error| OpenError::io(data, "its layout could not be written", error))
}

fn check_layout(data: &Path) -> Result<(), OpenError> {
    let text = match std::fs::read_to_string(data.join(LAYOUT_FILE)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(OpenError::io(data, "its layout could not be read", error)),
        Ok(text) => text,
    };
    match text.trim_end().rsplit(' ').next().and_then(|number| number.parse::<u32>().ok()) {
        Some(LAYOUT) => Ok(()),
        Some(newer) if newer > LAYOUT => Err(OpenError::new(
            OpenErrorKind::Newer,
            data,
            format_args!(
                "it has layout {newer}, and this version knows up to {LAYOUT}; use the version of Onlyonce that wrote it"
            ),
        )),
        _ => Err(OpenError::damaged(data, format_args!("`{LAYOUT_FILE}` is missing or unreadable"))),
    }
}

/// fjall panics over a folder of a keyspace whose name is no number, with its locks held.
fn check_names(data: &Path) -> Result<(), OpenError> {
    let folder = data.join("keyspaces");
    let failed = |error| OpenError::io(&folder, "it could not be read", error);
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let number = entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok());
        if number.is_none() && entry.file_type().map_err(failed)?.is_dir() {
            return Err(OpenError::damaged(&entry.path(), "nothing of this name belongs here"));
        }
    }
    Ok(())
}

/// All open rows with their versions, and which ids there are. Ids are hashes, so each thread takes an equal part of them by their first byte.
fn open_rows(spaces: &Keyspaces, known: &Known) -> Result<BTreeMap<RecordId, Version>, fjall::Error> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(SCANNERS);
    let parts = thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|part| (first_byte(part, threads), first_byte(part + 1, threads)))
            .map(|(from, to)| scope.spawn(move || Part::scan(spaces, known, from, to)))
            .collect();
        parts.into_iter().map(|part| part.join().expect("the scan does not panic")).collect::<Vec<_>>()
    });
    let mut open = BTreeMap::new();
    let mut unreadable = 0_usize;
    for part in parts {
        let mut part = part?;
        unreadable += part.unreadable;
        open.append(&mut part.open);
    }
    if unreadable > 0 {
        tracing::error!(unreadable, "rows of the ledger cannot be read; their keys are refused");
    }
    Ok(open)
}

/// Where part `part` of `parts` begins; `None` after the last.
fn first_byte(part: usize, parts: usize) -> Option<u8> {
    u8::try_from(part * 256 / parts).ok()
}

#[derive(Default)]
struct Part {
    open: BTreeMap<RecordId, Version>,
    unreadable: usize,
}

impl Part {
    fn scan(
        spaces: &Keyspaces,
        known: &Known,
        from: Option<u8>,
        to: Option<u8>,
    ) -> Result<Self, fjall::Error> {
        let from = from.map_or(Bound::Unbounded, |byte| Bound::Included([byte]));
        let to = to.map_or(Bound::Unbounded, |byte| Bound::Excluded([byte]));
        let mut part = Self::default();
        for row in spaces.records.range((from, to)) {
            let (key, row) = row.into_inner()?;
            let id = key.as_ref().try_into().map(RecordId);
            if let Ok(id) = id {
                known.add(id);
            }
            match (id, codec::peek(&row)) {
                (Ok(id), Ok(peek)) if peek.open => _ = part.open.insert(id, peek.version),
                (Ok(_), Ok(_)) => {}
                _ => part.unreadable += 1,
            }
        }
        Ok(part)
    }
}
