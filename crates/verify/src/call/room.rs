//! Room for answers.
//!
//! Invariant: beyond the beginnings of bodies, which are no more than the run's requests, the answers of a run never take
//! more than [`KEPT_MAX`] at once. What finds no room is read to its end all the same, and counted and hashed.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;

use super::body::{BEGINNING, Body, Whole};

/// Most that is kept of answers at once, in bytes, beyond their beginnings: four of the largest that are read.
const KEPT_MAX: usize = 256 * 1024 * 1024;

/// What the answers of one run share.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<AtomicUsize>);

/// Taken from it; given back when dropped.
#[derive(Debug)]
struct Taken {
    room: Room,
    bytes: usize,
}

/// A body that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    kept: Vec<u8>,
    taken: Taken,
    /// Of a body that found no room: all that was read of it.
    passed: Option<(usize, blake3::Hasher)>,
}

/// A body that was kept whole, with the room that it takes.
struct Kept {
    bytes: Vec<u8>,
    _taken: Taken,
}

impl Default for Room {
    fn default() -> Self {
        Self::of(KEPT_MAX)
    }
}

impl Room {
    pub(super) fn of(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    pub(super) fn reading(&self) -> Reading {
        let taken = Taken { room: self.clone(), bytes: 0 };
        Reading { kept: Vec::new(), taken, passed: None }
    }
}

impl Taken {
    /// Takes more, so that it is `bytes`; `false`: there is not as much left.
    fn grow(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let left = |free: usize| free.checked_sub(more);
        let grown = self.room.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok();
        if grown {
            self.bytes += more;
        }
        grown
    }

    fn give_back(&mut self) {
        self.room.0.fetch_add(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl Reading {
    /// How much has been read.
    pub(super) fn length(&self) -> usize {
        self.passed.as_ref().map_or(self.kept.len(), |(length, _)| *length)
    }

    pub(super) fn read(&mut self, data: &[u8]) {
        if self.passed.is_none() && !self.has_room_for(data.len()) {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&self.kept);
            self.passed = Some((self.kept.len(), hasher));
            self.kept.truncate(BEGINNING);
            self.kept.shrink_to_fit();
            self.taken.give_back();
        }
        let kept = match &mut self.passed {
            None => data,
            Some((length, hasher)) => {
                hasher.update(data);
                *length += data.len();
                data.get(..BEGINNING.saturating_sub(self.kept.len()).min(data.len())).unwrap_or_default()
            }
        };
        self.kept.extend_from_slice(kept);
    }

    /// Makes room in the buffer, which is what is taken from the run's.
    fn has_room_for(&mut self, more: usize) -> bool {
        let needed = self.kept.len() + more;
        if needed <= self.kept.capacity() {
            return true;
        }
        let capacity = needed.max(self.kept.capacity() * 2);
        let has_room = self.taken.grow(capacity.saturating_sub(BEGINNING));
        if has_room {
            self.kept.reserve_exact(capacity - self.kept.len());
        }
        has_room
    }

    pub(super) fn body(self) -> Body {
        let Self { kept, taken, passed } = self;
        match passed {
            Some((length, hasher)) => Body::beginning(kept.into(), Whole { length, hash: hasher.finalize() }),
            None if taken.bytes == 0 => kept.into(),
            None => Bytes::from_owner(Kept { bytes: kept, _taken: taken }).into(),
        }
    }
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read in pieces that are no divisor of anything.
    fn read(room: &Room, bytes: &[u8]) -> Body {
        let mut reading = room.reading();
        bytes.chunks(1_001).for_each(|piece| reading.read(piece));
        assert_eq!(reading.length(), bytes.len());
        reading.body()
    }

    #[test]
    fn what_finds_no_room_is_known_by_its_beginning_its_length_and_its_hash() {
        let room = Room::of(4 * BEGINNING);
        let long: Vec<u8> =
            (0..).map(|n: u32| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).take(3 * BEGINNING).collect();
        let first = read(&room, &long);
        let second = read(&room, &long);
        assert_eq!(first.whole().map(|whole| whole.len()), Some(long.len()));
        assert_eq!((second.whole(), second.len(), &*second), (None, long.len(), &long[..BEGINNING]));
        assert_eq!(first, second);
        assert_ne!(second, Body::from(long[1..].to_vec()));
    }

    #[test]
    fn room_is_given_back_with_the_last_copy_and_with_what_is_let_go_of() {
        let room = Room::of(4 * BEGINNING);
        let free = || room.0.load(Ordering::Relaxed);
        let mut body = read(&room, &[7; 2 * BEGINNING]);
        let copy = body.clone();
        assert!(free() < 4 * BEGINNING);
        body.shorten();
        assert!(free() < 4 * BEGINNING, "the copy is whole");
        drop(copy);
        assert_eq!(free(), 4 * BEGINNING);
        drop(read(&room, &[7; 9 * BEGINNING]));
        assert_eq!(free(), 4 * BEGINNING);
    }
}
