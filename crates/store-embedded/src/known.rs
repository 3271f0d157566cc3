//! Which records there may be: a key that nobody has used is told from the others without a search.
//!
//! A filter in memory (a Bloom filter, each id within one cache line) with the id of every row: those that opening has
//! found, readable or not, and those that were written since. It answers *certainly not* or *perhaps*.
//!
//! Invariant: an id is in it before its row is committed, and none is ever taken out. So *certainly not* is true, as far as
//! whoever asks could know, and for the writer, which alone writes, it is true at that moment. Builds with debug
//! assertions search nonetheless, and stop if a row is found.
//!
//! It grows with the records until [`PLANNED`] are in it, 42 MiB; with more of them *perhaps* becomes the usual answer, and a
//! search is made as without it. What has expired stays in it until the ledger is opened anew.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use onlyonce_core::RecordId;

/// How many ids each layer is made for; a layer is made when it is needed, and asked from then on.
const LAYERS: [u64; 3] = [1 << 20, 1 << 22, 1 << 24];
/// How many ids all of them are made for.
const PLANNED: u64 = LAYERS[0] + LAYERS[1] + LAYERS[2];
/// With 16 bits for each id, one of 600 is taken for known in a layer that is full.
const BITS: u64 = 16;
const WORDS: usize = 8;
const BLOCK_BITS: u64 = 64 * WORDS as u64;

/// The ids of all rows.
#[derive(Debug, Default)]
pub(crate) struct Known {
    ids: AtomicU64,
    layers: [OnceLock<Layer>; LAYERS.len()],
}

#[derive(Debug)]
struct Layer(Vec<Block>);

/// A cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Block([AtomicU64; WORDS]);

impl Known {
    /// Whether there may be a row of this id.
    pub(crate) fn may_have(&self, id: RecordId) -> bool {
        self.layers.iter().filter_map(OnceLock::get).any(|layer| layer.has(id))
    }

    /// To be called before the row can be read.
    pub(crate) fn add(&self, id: RecordId) {
        if self.may_have(id) {
            return;
        }
        let before = self.ids.fetch_add(1, Ordering::Relaxed);
        let mut full = 0;
        for (layer, ids) in self.layers.iter().zip(LAYERS) {
            full += ids;
            // The last one takes the rest.
            if before < full || full == PLANNED {
                return layer.get_or_init(|| Layer::of(ids)).add(id);
            }
        }
    }
}

impl Layer {
    fn of(ids: u64) -> Self {
        Self((0..ids * BITS / BLOCK_BITS).map(|_| Block::default()).collect())
    }

    fn has(&self, id: RecordId) -> bool {
        let (block, bits) = self.place(id);
        block.0.iter().zip(bits).all(|(word, bit)| word.load(Ordering::Acquire) & bit != 0)
    }

    fn add(&self, id: RecordId) {
        let (block, bits) = self.place(id);
        for (word, bit) in block.0.iter().zip(bits) {
            word.fetch_or(bit, Ordering::Release);
        }
    }

    /// An id's block, and its bit in each of the block's words. Ids are hashes: their first half says which block, and six
    /// bits of the other half which bit.
    fn place(&self, id: RecordId) -> (&Block, [u64; WORDS]) {
        let [first, second] = [0, 8].map(|at| {
            let half = id.0.get(at..at + 8).and_then(<[u8]>::first_chunk);
            u64::from_be_bytes(*half.expect("an id has sixteen bytes"))
        });
        let scaled = (u128::from(first) * self.0.len() as u128) >> 64;
        let block = usize::try_from(scaled).ok().and_then(|block| self.0.get(block));
        let bits = [0, 1, 2, 3, 4, 5, 6, 7].map(|word| 1 << ((second >> (6 * word)) & 63));
        (block.expect("a fraction of the blocks is one of them"), bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As good as a hash: a step of splitmix64.
    fn id(number: u64) -> RecordId {
        let mix = |number: u64| {
            let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (mixed ^ (mixed >> 31)).to_be_bytes()
        };
        let (mut id, second) = ([0; 16], mix(!number));
        id[..8].copy_from_slice(&mix(number));
        id[8..].copy_from_slice(&second);
        RecordId(id)
    }

    #[test]
    fn whatever_was_added_may_be_there_and_hardly_anything_else() {
        let known = Known::default();
        let added = LAYERS[0] + 100_000;
        assert!(!known.may_have(id(0)));
        (0..added).for_each(|number| known.add(id(number)));
        assert!((0..added).all(|number| known.may_have(id(number))));
        assert!(known.layers[1].get().is_some() && known.layers[2].get().is_none());
        let taken_for_known = (added..added + 100_000).filter(|number| known.may_have(id(*number))).count();
        assert!(taken_for_known < 1_000, "{taken_for_known} of 100 000");
    }

    #[test]
    fn what_comes_when_all_layers_are_full_may_be_there_too() {
        let known = Known { ids: AtomicU64::new(PLANNED + 7), ..Known::default() };
        known.add(id(1));
        assert!(known.may_have(id(1)) && !known.may_have(id(2)));
        assert!(known.layers[2].get().is_some(), "in the last layer");
    }
}
