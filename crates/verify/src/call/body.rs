//! An answer's body: whole, or as much of it as a report shows.
//!
//! Invariant: two bodies are equal if and only if what was read was, however much of either is kept.

use std::{fmt, ops::Deref};

use bytes::Bytes;

/// How much is kept of every body: more than any report shows.
pub(crate) const BEGINNING: usize = 16 * 1024;

/// A body that was read to its end.
///
/// It stands for the bytes that are kept of it; [`len`](Body::len) and comparisons are about all of it.
#[derive(Clone)]
pub struct Body {
    kept: Bytes,
    /// `None`: all of it is kept.
    whole: Option<Whole>,
}

/// What is known of a body of which no more than the beginning is kept.
#[derive(Clone, Copy)]
pub(super) struct Whole {
    pub(super) length: usize,
    pub(super) hash: blake3::Hash,
}

impl Body {
    /// The beginning of one that was longer.
    pub(super) const fn beginning(kept: Bytes, whole: Whole) -> Self {
        Self { kept, whole: Some(whole) }
    }

    /// How long it was.
    #[must_use]
    pub fn len(&self) -> usize {
        self.whole.map_or(self.kept.len(), |whole| whole.length)
    }

    /// Whether there was none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it, if it is kept.
    #[must_use]
    pub const fn whole(&self) -> Option<&Bytes> {
        match self.whole {
            None => Some(&self.kept),
            Some(_) => None,
        }
    }

    /// Lets go of what no report shows.
    pub(crate) fn shorten(&mut self) {
        if self.whole.is_none() && self.kept.len() > BEGINNING {
            self.whole = Some(Whole { length: self.kept.len(), hash: self.hash() });
            // A copy: a slice would keep all of it.
            self.kept = Bytes::copy_from_slice(self.kept.get(..BEGINNING).unwrap_or_default());
        }
    }

    fn hash(&self) -> blake3::Hash {
        self.whole.map_or_else(|| blake3::hash(&self.kept), |whole| whole.hash)
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(whole: T) -> Self {
        Self { kept: whole.into(), whole: None }
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.kept
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        match (self.whole(), other.whole()) {
            (Some(one), Some(other)) => one == other,
            _ => self.len() == other.len() && self.hash() == other.hash(),
        }
    }
}

impl Eq for Body {}

impl PartialEq<[u8]> for Body {
    fn eq(&self, other: &[u8]) -> bool {
        match self.whole {
            None => *self.kept == *other,
            Some(whole) => whole.length == other.len() && whole.hash == blake3::hash(other),
        }
    }
}

impl PartialEq<&[u8]> for Body {
    fn eq(&self, other: &&[u8]) -> bool {
        *self == **other
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes: {:?}", self.len(), String::from_utf8_lossy(&self.kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_let_go_of_still_counts_in_a_comparison() {
        let long = |end: u8| [vec![b'x'; BEGINNING], vec![end]].concat();
        let (mut one, two, mut other) = (Body::from(long(1)), Body::from(long(1)), Body::from(long(2)));
        one.shorten();
        assert_eq!((one.len(), &*one), (BEGINNING + 1, &long(1)[..BEGINNING]));
        assert_eq!(one.whole(), None);
        assert_eq!(one, two);
        assert_ne!(one, other, "they differ after what is kept");
        other.shorten();
        assert_ne!(one, other, "they differ after what is kept");
        assert!(one == *long(1) && one != *long(2));
        let mut short = Body::from("short");
        short.shorten();
        assert_eq!(short.whole(), Some(&Bytes::from_static(b"short")));
    }
}
