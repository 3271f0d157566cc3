//! One bound for all the bytes that requests have buffered: bodies of keyed requests, also of those that wait, answers
//! while they are captured, and results while they are given.
//!
//! Bytes are counted as they arrive, not as they are announced, and until the last holder has let go of them: a client
//! that reads slowly is counted for as long as it takes.
//!
//! Invariant: one owner never takes more than he leaves free, so there is room for others however much he wants. Alone
//! that is half of the bound, beside another who wants all a third, and so on: where many callers are made up, or one caller
//! is all there is, no fixed share would be right.
//!
//! What an attempt is bound to need for its end is [taken](Reserved::take) also where there is no room: a small answer, and
//! what a layer further in says. In return none begins while the bound is exceeded, or while its owner has twice what he
//! leaves free ([`Buffers::is_exceeded`]): otherwise one who reads none of his small answers would in time have all there
//! is. So it is exceeded by what the attempts of that moment may take at most: 4 096 in flight and 4 096 that listen, with
//! 32 KiB each (256 MiB), or twice that if each of them is answered with a problem document at its limit.

mod shares;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use onlyonce_core::Owner;

use self::shares::{Cells, Shares};

/// Most bytes that are buffered at a time, unless the layers are told otherwise.
pub(crate) const BUFFERED_BYTES: usize = 256 * 1024 * 1024;

/// The bytes that are buffered.
#[derive(Debug)]
pub(crate) struct Buffers {
    used: AtomicUsize,
    most: usize,
    shares: Shares,
}

/// Room for bytes; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Reserved {
    buffers: Arc<Buffers>,
    /// Whose share it is taken from.
    owner: Option<Cells>,
    bytes: usize,
}

/// Bytes and their room.
struct Held {
    bytes: Bytes,
    _room: Reserved,
}

impl Buffers {
    pub(crate) fn new(most: usize) -> Self {
        Self { used: AtomicUsize::new(0), most, shares: Shares::new() }
    }

    /// Room for nothing yet. `owner` is `None` where everybody is the same, and nobody could take more than his share.
    pub(crate) fn reserve(self: &Arc<Self>, owner: Option<Owner>) -> Reserved {
        Reserved { buffers: Arc::clone(self), owner: owner.map(Cells::from), bytes: 0 }
    }

    /// How many bytes are buffered.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether nothing of this owner's may begin: more has been [taken](Reserved::take) than there is room for, or he has
    /// twice as much as he leaves free. Twice, so that a body for which there was room does not come in vain.
    pub(crate) fn is_exceeded(&self, owner: Option<Owner>) -> bool {
        let own = owner.map_or(0, |owner| self.shares.taken(Cells::from(owner)));
        self.most.checked_sub(self.used()).is_none_or(|free| own / 2 > free)
    }
}

impl Reserved {
    /// Room for so many bytes more; `false` if there is none, or the owner would have more than he leaves free.
    #[must_use]
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        // Counted before it is compared, so that two who come at once cannot both take the last room.
        let (used, own) = self.count(bytes);
        let fits = bytes == 0 || self.buffers.most.checked_sub(used).is_some_and(|free| own <= free);
        if fits {
            self.bytes += bytes;
        } else {
            self.uncount(bytes);
        }
        fits
    }

    /// The same, also where there is none.
    pub(crate) fn take(&mut self, bytes: usize) {
        self.count(bytes);
        self.bytes += bytes;
    }

    /// The room is taken until nobody holds `bytes` any more.
    pub(crate) fn hold(self, bytes: Bytes) -> Bytes {
        if self.bytes == 0 { bytes } else { Bytes::from_owner(Held { bytes, _room: self }) }
    }

    /// Counts so many more; says how many are used now, and how many by this owner if he is one of many.
    fn count(&self, bytes: usize) -> (usize, usize) {
        let used = self.buffers.used.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        (used, self.owner.map_or(0, |cells| self.buffers.shares.add(cells, bytes)))
    }

    fn uncount(&self, bytes: usize) {
        self.buffers.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(cells) = self.owner {
            self.buffers.shares.take_off(cells, bytes);
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.uncount(self.bytes);
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Option<Owner> = Some(Owner([1; 16]));
    const BOB: Option<Owner> = Some(Owner([2; 16]));

    #[test]
    fn the_bound_is_the_contracts() {
        assert_eq!(BUFFERED_BYTES, 256 << 20);
    }

    #[test]
    fn what_does_not_fit_takes_nothing_and_what_is_let_go_is_free_again() {
        let buffers = Arc::new(Buffers::new(10));
        let (mut first, mut second) = (buffers.reserve(None), buffers.reserve(None));
        assert!(first.grow(4) && first.grow(2) && second.grow(4));
        assert!(!second.grow(1) && !second.grow(usize::MAX));
        assert_eq!(buffers.used(), 10);
        drop(first);
        assert!(second.grow(6));
        drop(second);
        assert_eq!(buffers.used(), 0);
    }

    #[test]
    fn an_owner_has_no_more_than_he_leaves_free() {
        let buffers = Arc::new(Buffers::new(12));
        let (mut one, mut other) = (buffers.reserve(ANN), buffers.reserve(ANN));
        assert!(one.grow(4) && other.grow(2), "half");
        assert!(!one.grow(1) && !other.grow(1), "however many requests he makes of it");
        let mut bobs = buffers.reserve(BOB);
        assert!(bobs.grow(3) && !bobs.grow(1), "half of the rest");
        assert!(buffers.reserve(None).grow(3), "who is not one of many has no share");
        assert_eq!(buffers.used(), 9);
        drop(one);
        assert!(other.grow(2) && !other.grow(1), "what he lets go is free for both");
        drop((other, bobs));
        assert!(buffers.reserve(ANN).grow(6) && buffers.reserve(BOB).grow(6));
        assert_eq!(buffers.used(), 0);
    }

    #[test]
    fn what_must_be_taken_counts_and_leaves_no_room_for_what_need_not() {
        let buffers = Arc::new(Buffers::new(10));
        let mut room = buffers.reserve(ANN);
        assert!(!buffers.is_exceeded(ANN));
        room.take(15);
        assert_eq!(
            (buffers.used(), buffers.is_exceeded(BOB), buffers.reserve(BOB).grow(1)),
            (15, true, false)
        );
        drop(room);
        assert_eq!(
            (buffers.used(), buffers.is_exceeded(ANN), buffers.reserve(ANN).grow(5)),
            (0, false, true)
        );
    }

    #[test]
    fn who_has_taken_twice_what_he_leaves_free_begins_nothing_and_others_do() {
        let buffers = Arc::new(Buffers::new(10));
        let mut room = buffers.reserve(ANN);
        room.take(6);
        assert!(!buffers.is_exceeded(ANN));
        room.take(2);
        assert!(buffers.is_exceeded(ANN) && !buffers.is_exceeded(BOB) && !buffers.is_exceeded(None));
    }

    #[test]
    fn held_bytes_are_counted_until_the_last_holder_is_gone() {
        let buffers = Arc::new(Buffers::new(10));
        let mut room = buffers.reserve(None);
        assert!(room.grow(4));
        let held = room.hold(Bytes::from_static(b"body"));
        let slice = held.slice(1..2);
        drop(held);
        assert_eq!((buffers.used(), &slice[..]), (4, &b"o"[..]));
        drop(slice);
        assert_eq!(buffers.used(), 0);
    }
}
