//! Tells a torn tail from a damaged middle, before fjall opens its journals.
//!
//! A machine that loses power leaves the last batch half written: it was never acknowledged and goes. But fjall ends
//! a journal at the first entry that it cannot parse and drops whatever follows, so one flipped bit would silently
//! take acknowledged batches with it; and where only the checksum is wrong (a page of a large value that never got to
//! the disk) it refuses to open at all. The rule here: **a batch was synced before the next one was begun.** So a bad
//! batch with nothing whole behind it is a torn tail, which is cut off; with a whole batch behind it, or in a journal
//! that another one has followed, it is damage, and the ledger is not opened.
//!
//! A batch's sequence number is the one thing that no checksum of fjall's covers.
//!
//! Where there is no journal at all, fjall would begin one, and number its rows from zero: at the next start it would take
//! them for older than what lies in files, and drop them all. There always is one, so its absence is damage.
//!
//! Layout (`fjall/src/journal/entry.rs`), little-endian: start = 1, count u32, seqno u64; item = 2, value type,
//! compression, keyspace u64, key length u16, value length u32, stored length u32, key, value; clear = 4, keyspace
//! u64; end = 3, xxh3 of all between start and end, `FJL` 3.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_64;

use crate::OpenError;

mod ahead;

pub(crate) use ahead::Ahead;

const EXTENSION: &str = "jnl";
const PAGE: usize = 4096;
/// What the system counts a file's blocks in, whatever their size (stat(2)).
const BLOCK: u64 = 512;
const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const TRAILER: [u8; 4] = *b"FJL\x03";

/// Looks at every journal in `data`, and cuts a torn tail off the last.
pub(crate) fn check(data: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::io(data, "its journals could not be read", error);
    let mut journals = journals(data).map_err(failed)?;
    journals.sort();
    let Some(last) = journals.last().map(|(number, _)| *number) else {
        return Err(OpenError::damaged(data, "it has no journal"));
    };
    for (number, path) in journals {
        let bytes = fs::read(&path).map_err(failed)?;
        let written = without_unused(&bytes);
        let Some(at) = first_bad(written) else { continue };
        let rest = written.get(at..).unwrap_or_default();
        if number != last || whole_batch_within(rest) {
            return Err(OpenError::damaged(&path, format_args!("the journal is damaged at byte {at}")));
        }
        cut(&path, at as u64).map_err(failed)?;
        tracing::warn!(path = %path.display(), at, "the last write before the crash was not finished; it is dropped");
    }
    Ok(())
}

/// Bytes that the journals in `data` take on the disk; a new one is longer than that.
pub(crate) fn used(data: &Path) -> std::io::Result<u64> {
    let mut used = 0;
    for (_, path) in journals(data)? {
        match fs::metadata(path) {
            Ok(metadata) => used += metadata.blocks() * BLOCK,
            // Its rows are in other files now.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(used)
}

/// The journals by their numbers. Names that are no numbers are left to fjall, which refuses them.
fn journals(data: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(number) = number.filter(|_| path.extension().is_some_and(|ext| ext == EXTENSION)) {
            found.push((number, path));
        }
    }
    Ok(found)
}

fn cut(path: &Path, len: u64) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(len)?;
    file.sync_all()
}

/// What lies before the zeros that a journal is made with.
fn without_unused(journal: &[u8]) -> &[u8] {
    let mut rest = journal;
    // Page by page: byte by byte is slow without optimisation, and most of a new journal is unused.
    while let Some((before, _)) = rest.split_last_chunk::<PAGE>().filter(|(_, page)| **page == [0; PAGE]) {
        rest = before;
    }
    let zeros = rest.iter().rev().take_while(|byte| **byte == 0).count();
    rest.get(..rest.len() - zeros).unwrap_or_default()
}

/// Where the first batch begins that is not whole.
fn first_bad(written: &[u8]) -> Option<usize> {
    let mut rest = written;
    while let Some(len) = batch(rest) {
        rest = rest.get(len..).unwrap_or_default();
    }
    (!rest.is_empty()).then_some(written.len() - rest.len())
}

/// Whether a whole batch begins anywhere behind the first byte.
fn whole_batch_within(bytes: &[u8]) -> bool {
    (1..bytes.len()).any(|at| bytes.get(at..).is_some_and(|bytes| batch(bytes).is_some()))
}

/// The length of the batch at the beginning of `bytes`, if it is there and whole.
fn batch(bytes: &[u8]) -> Option<usize> {
    let mut input = Input(bytes);
    if input.u8()? != START {
        return None;
    }
    let count = input.u32()?;
    input.skip(8)?;
    let begin = bytes.len() - input.0.len();
    for _ in 0..count {
        input.entry()?;
    }
    let end = bytes.len() - input.0.len();
    if input.u8()? != END || input.u64()? != xxh3_64(bytes.get(begin..end)?) {
        return None;
    }
    (input.array()? == TRAILER).then(|| bytes.len() - input.0.len())
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn entry(&mut self) -> Option<()> {
        match self.u8()? {
            ITEM => {
                self.skip(2 + 8)?;
                let key = usize::from(u16::from_le_bytes(self.array()?));
                self.skip(4)?;
                let value = usize::try_from(self.u32()?).ok()?;
                self.skip(key.checked_add(value)?)
            }
            CLEAR => self.skip(8),
            _ => None,
        }
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn skip(&mut self, len: usize) -> Option<()> {
        self.0 = self.0.get(len..)?;
        Some(())
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests;
