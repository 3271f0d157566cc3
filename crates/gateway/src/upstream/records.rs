//! Where TLS records begin and end in what was received, without looking into them.

use std::io;

/// Type, version and length (RFC 8446, section 5.1).
const HEADER: usize = 5;

/// How far the record that is being received has come.
#[derive(Debug, Default)]
pub(super) struct Records {
    header: [u8; HEADER],
    /// How many bytes of the header are there.
    begun: usize,
    /// How many bytes of its content are still to come.
    left: usize,
}

impl Records {
    /// Whether a part of a record was received, and the rest of it was not.
    pub(super) fn within(&self) -> bool {
        self.begun > 0 || self.left > 0
    }

    fn received(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let skipped = self.left.min(bytes.len());
                self.left -= skipped;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            if let Some(next) = self.header.get_mut(self.begun) {
                *next = *first;
            }
            self.begun += 1;
            bytes = rest;
            if self.begun == HEADER {
                let [_, _, _, high, low] = self.header;
                self.left = usize::from(u16::from_be_bytes([high, low]));
                self.begun = 0;
            }
        }
    }
}

/// A reader whose bytes are followed.
pub(super) struct Followed<'r, R> {
    pub(super) records: &'r mut Records,
    pub(super) read: R,
}

impl<R: FnMut(&mut [u8]) -> io::Result<usize>> io::Read for Followed<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = (self.read)(bytes)?;
        self.records.received(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_record_is_found_wherever_it_is_cut() {
        let stream = [&[23, 3, 3, 0, 2, 7, 7][..], &[22, 3, 3, 1, 0], &[9; 256], &[21, 3, 3, 0, 0]].concat();
        let ends = [0, 7, 7 + 5 + 256, stream.len()];
        for cut in 0..=stream.len() {
            let mut records = Records::default();
            let (one, other) = stream.split_at(cut);
            records.received(one);
            assert_eq!(records.within(), !ends.contains(&cut), "cut at {cut}");
            other.iter().for_each(|byte| records.received(&[*byte]));
            assert!(!records.within(), "cut at {cut}");
        }
    }
}
