//! How much of the buffered bytes is whose.
//!
//! Counted on every keyed request, and so without a lock, without memory that grows, and without a list of owners: an
//! owner's hash names one cell in each of two rows, and the smaller of his two cells is what he has. Invariant: nobody is
//! ever counted for less than he has. He is counted for more only where both of his cells are others' too: for a given
//! one of them that is once in sixteen million, and nobody can choose his cells without the ledger's key.

use std::sync::atomic::{AtomicUsize, Ordering};

use onlyonce_core::Owner;

/// Cells of a row.
const CELLS: u16 = 4096;

/// The bytes of all owners.
#[derive(Debug)]
pub(super) struct Shares {
    rows: [Box<[AtomicUsize]>; 2],
}

/// An owner's cell in each row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cells([u16; 2]);

impl Shares {
    pub(super) fn new() -> Self {
        let row = || (0..CELLS).map(|_| AtomicUsize::new(0)).collect();
        Self { rows: [row(), row()] }
    }

    /// Counts so many bytes more; says how many the owner has now.
    pub(super) fn add(&self, cells: Cells, bytes: usize) -> usize {
        let after = |cell: &AtomicUsize| cell.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        self.of(cells).map(after).min().unwrap_or_default()
    }

    /// How many the owner has.
    pub(super) fn taken(&self, cells: Cells) -> usize {
        self.of(cells).map(|cell| cell.load(Ordering::Relaxed)).min().unwrap_or_default()
    }

    pub(super) fn take_off(&self, cells: Cells, bytes: usize) {
        self.of(cells).for_each(|cell| _ = cell.fetch_sub(bytes, Ordering::Relaxed));
    }

    fn of(&self, cells: Cells) -> impl Iterator<Item = &AtomicUsize> {
        self.rows.iter().zip(cells.0).filter_map(|(row, cell)| row.get(usize::from(cell)))
    }
}

impl From<Owner> for Cells {
    fn from(owner: Owner) -> Self {
        let [a, b, c, d, ..] = owner.0;
        Self([[a, b], [c, d]].map(|bytes| u16::from_be_bytes(bytes) % CELLS))
    }
}
