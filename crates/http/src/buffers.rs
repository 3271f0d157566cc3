//! One bound for all the bytes that requests have buffered: bodies of keyed requests, also of those that wait, answers
//! while they are captured, and results while they are given.
//!
//! Bytes are counted as they arrive, not as they are announced, and until the last holder has let go of them: a client
//! that reads slowly is counted for as long as it takes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;

/// Most bytes that are buffered at a time, unless the layers are told otherwise.
pub(crate) const BUFFERED_BYTES: usize = 256 * 1024 * 1024;

/// The bytes that are buffered.
#[derive(Debug)]
pub(crate) struct Buffers {
    used: AtomicUsize,
    most: usize,
}

/// Room for bytes; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Reserved {
    buffers: Arc<Buffers>,
    bytes: usize,
}

/// Bytes and their room.
struct Held {
    bytes: Bytes,
    _room: Reserved,
}

impl Buffers {
    pub(crate) const fn new(most: usize) -> Self {
        Self { used: AtomicUsize::new(0), most }
    }

    /// Room for nothing yet.
    pub(crate) fn reserve(self: &Arc<Self>) -> Reserved {
        Reserved { buffers: Arc::clone(self), bytes: 0 }
    }

    /// How many bytes are buffered.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Reserved {
    /// Room for so many bytes more; `false` if there is none.
    #[must_use]
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        // Counted before it is compared, so that two who come at once cannot both take the last room.
        let before = self.buffers.used.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.buffers.most;
        if fits {
            self.bytes += bytes;
        } else {
            self.buffers.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }

    /// The room is taken until nobody holds `bytes` any more.
    pub(crate) fn hold(self, bytes: Bytes) -> Bytes {
        if self.bytes == 0 { bytes } else { Bytes::from_owner(Held { bytes, _room: self }) }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.buffers.used.fetch_sub(self.bytes, Ordering::Relaxed);
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

    #[test]
    fn the_bound_is_the_contracts() {
        assert_eq!(BUFFERED_BYTES, 256 << 20);
    }

    #[test]
    fn what_does_not_fit_takes_nothing_and_what_is_let_go_is_free_again() {
        let buffers = Arc::new(Buffers::new(10));
        let (mut first, mut second) = (buffers.reserve(), buffers.reserve());
        assert!(first.grow(4) && first.grow(2) && second.grow(4));
        assert!(!second.grow(1) && !second.grow(usize::MAX));
        assert_eq!(buffers.used(), 10);
        drop(first);
        assert!(second.grow(6));
        drop(second);
        assert_eq!(buffers.used(), 0);
    }

    #[test]
    fn held_bytes_are_counted_until_the_last_holder_is_gone() {
        let buffers = Arc::new(Buffers::new(10));
        let mut room = buffers.reserve();
        assert!(room.grow(4));
        let held = room.hold(Bytes::from_static(b"body"));
        let slice = held.slice(1..2);
        drop(held);
        assert_eq!((buffers.used(), &slice[..]), (4, &b"o"[..]));
        drop(slice);
        assert_eq!(buffers.used(), 0);
    }
}
