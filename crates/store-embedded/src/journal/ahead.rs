//! Room in the journal, made before it is needed.
//!
//! fjall makes a journal as one hole. The file system finds blocks for a hole when rows go there, and then a sync of the
//! rows has to write where those blocks are as well: it waits for the disk once more, in every batch. Where zeros were
//! written before, a sync writes the rows and nothing else. So zeros are written a piece ahead of the rows.
//!
//! Invariant: no byte of a journal changes, and none is added. A piece is written back as it was read, by the thread
//! that alone writes rows, so nothing comes between; and never behind the end of the file: to the journal that an
//! earlier process began fjall appends, and zeros there would come before the rows, where a journal is taken to end.
//!
//! Whether there is room ahead is a matter of speed alone, so what fails here is left to the write that meets it.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::PathBuf,
};

use rustix::fs::{SeekFrom, seek};

use super::{PAGE, journals};

/// How much room is made at once: more is a longer wait for the batch that comes next, less is more of them.
const PIECE: usize = 512 * 1024;
/// Most pieces that are looked at at once. More rows than were told may have been written.
const LOOKS_AT: usize = 8;

/// The room ahead in the journal that is being written. For the writer's thread alone.
#[derive(Debug)]
pub(crate) struct Ahead {
    data: PathBuf,
    journal: Option<Journal>,
    /// Bytes that were written since room was made.
    written: usize,
    piece: Box<[u8]>,
}

/// Opened anew each time: a journal that is held open keeps its room on the disk when fjall has removed it.
#[derive(Debug)]
struct Journal {
    number: u64,
    /// Where the next room is made.
    next: u64,
}

impl Ahead {
    pub(crate) fn new(data: PathBuf) -> Self {
        Self { data, journal: None, written: 0, piece: vec![0; PIECE].into() }
    }

    /// To be called before so many bytes are written.
    pub(crate) fn of(&mut self, bytes: usize) {
        self.written = self.written.saturating_add(bytes);
        if self.written < PIECE {
            return;
        }
        self.written = 0;
        if let Err(error) = self.make() {
            tracing::debug!(%error, "no room was made in the journal");
            self.journal = None;
        }
    }

    fn make(&mut self) -> io::Result<()> {
        let Some((number, path)) = journals(&self.data)?.into_iter().max() else { return Ok(()) };
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        if self.journal.as_ref().is_none_or(|journal| journal.number != number) {
            self.journal = Some(Journal { number, next: end_of_rows(&file)? });
        }
        match &mut self.journal {
            Some(journal) => journal.make(&file, &mut self.piece),
            None => Ok(()),
        }
    }
}

impl Journal {
    fn make(&mut self, file: &File, piece: &mut [u8]) -> io::Result<()> {
        let len = file.metadata()?.len();
        for _ in 0..LOOKS_AT {
            let (at, end) = (self.next, self.next + PIECE as u64);
            if end > len {
                return Ok(());
            }
            file.read_exact_at(piece, at)?;
            self.next = end;
            if is_unused(piece) {
                return file.write_all_at(piece, at);
            }
        }
        Ok(())
    }
}

/// The first piece's begin behind the rows, as far as the file system says.
fn end_of_rows(file: &File) -> io::Result<u64> {
    Ok(seek(file, SeekFrom::Hole(0))?.next_multiple_of(PIECE as u64))
}

fn is_unused(piece: &[u8]) -> bool {
    piece.as_chunks::<PAGE>().0.iter().all(|page| *page == [0; PAGE])
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::used, *};

    /// A directory with one journal of so many pieces, and the bytes at these places in it.
    fn journal(pieces: usize, rows: &[(usize, usize)]) -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("7.jnl");
        let file = File::create_new(&path).unwrap();
        file.set_len((pieces * PIECE) as u64).unwrap();
        for (at, len) in rows {
            file.write_all_at(&vec![1; *len], *at as u64).unwrap();
        }
        (place, path)
    }

    #[test]
    fn room_is_made_a_piece_at_a_time_and_changes_no_byte() {
        let rows = [(0, 100_000), (2 * PIECE + 5, 1), (6 * PIECE - 1, 2)];
        let (place, path) = journal(8, &rows);
        let (before, blocks) = (fs::read(&path).unwrap(), used(place.path()).unwrap());
        let mut ahead = Ahead::new(place.path().to_owned());
        let made = |ahead: &mut Ahead| {
            ahead.of(PIECE);
            (used(place.path()).unwrap() - blocks) / PIECE as u64
        };
        // The first, third, sixth and seventh have rows in them.
        assert_eq!([(); 5].map(|()| made(&mut ahead)), [1, 2, 3, 4, 4]);
        assert!(fs::read(&path).unwrap() == before, "a journal has other bytes than before");
    }

    #[test]
    fn no_room_is_made_until_a_piece_was_written() {
        let (place, _) = journal(8, &[(0, 1)]);
        let mut ahead = Ahead::new(place.path().to_owned());
        ahead.of(PIECE - 1);
        assert!(ahead.journal.is_none());
        ahead.of(1);
        assert!(ahead.journal.is_some_and(|journal| journal.next == 2 * PIECE as u64));
    }

    /// fjall appends to a journal that an earlier process began. Zeros behind its end would be where its next rows
    /// should be.
    #[test]
    fn a_journal_is_never_made_longer() {
        for extra in [0, 1, PIECE - 1] {
            let (place, path) = journal(1, &[]);
            OpenOptions::new().write(true).open(&path).unwrap().set_len((PIECE + extra) as u64).unwrap();
            let mut ahead = Ahead::new(place.path().to_owned());
            for _ in 0..4 {
                ahead.of(PIECE);
            }
            assert_eq!(fs::metadata(&path).unwrap().len(), (PIECE + extra) as u64);
        }
    }

    /// Or a disk that is nearly full would get nothing back when fjall removes it.
    #[test]
    fn a_journal_is_not_held_open() {
        let (place, path) = journal(4, &[]);
        let mut ahead = Ahead::new(place.path().to_owned());
        ahead.of(PIECE);
        assert!(ahead.journal.is_some());
        let handles = fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        assert_eq!(handles.filter(|file| *file == path).count(), 0);
    }

    #[test]
    fn the_newest_journal_is_the_one_that_is_written() {
        let (place, _) = journal(4, &[]);
        let mut ahead = Ahead::new(place.path().to_owned());
        ahead.of(PIECE);
        fs::copy(place.path().join("7.jnl"), place.path().join("10.jnl")).unwrap();
        ahead.of(PIECE);
        assert_eq!(ahead.journal.map(|journal| journal.number), Some(10));
    }
}
