//! Small pieces that go to a socket as one.
//!
//! A head and a small body lie in two pieces. To hand them over together costs the system more than to copy them and hand
//! over one.

use std::io::IoSlice;

/// Most bytes that are copied.
const MOST: usize = 1024;

/// Where they are put together.
pub(crate) struct Joined([u8; MOST]);

impl Joined {
    pub(crate) const fn new() -> Self {
        Self([0; MOST])
    }

    /// All of them in one; `None` if that is too much, and they should go as they are.
    pub(crate) fn of<'a>(&'a mut self, pieces: &'a [IoSlice<'_>]) -> Option<&'a [u8]> {
        if let [piece] = pieces {
            return Some(piece);
        }
        let mut end = 0;
        for piece in pieces {
            let begin = end;
            end += piece.len();
            self.0.get_mut(begin..end)?.copy_from_slice(piece);
        }
        self.0.get(..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(pieces: &[&[u8]]) -> Option<Vec<u8>> {
        let pieces: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        Joined::new().of(&pieces).map(ToOwned::to_owned)
    }

    #[test]
    fn pieces_are_one_in_their_order_or_left_as_they_are() {
        assert_eq!(joined(&[b"head", b"", b"body"]).unwrap(), b"headbody");
        assert_eq!(joined(&[&[1; MOST - 1], &[2]]).unwrap().len(), MOST);
        assert_eq!(joined(&[&[1; MOST], &[2]]), None);
        assert_eq!(joined(&[&[1; MOST + 1]]).unwrap().len(), MOST + 1, "one piece is one already");
        assert_eq!(joined(&[]).unwrap(), b"");
    }
}
