//! One suite that every store passes, from one entry: [`check`].
//!
//! Each [`Case`] is named as the claim that it tests, and begins with a store of its own. A backend says where its
//! rows are kept by implementing [`Place`], so that the suite can open it again, and put a row there that no store
//! would write; its own test file is the [`Place`] and one call.
//!
//! A check that cannot fail is a defect: [`broken`] holds stores that each break one rule, and a test here holds that
//! every case is failed by at least one of them.
//!
//! It knows the seam and nothing behind it: no backend, no engine. It injects no faults into a disk or a network; a
//! backend's own tests do that. Beside it stands [`assert_answers_survive_a_move`], which opens ledgers on two stores.

pub mod broken;
mod cases;
pub mod memory;
mod moved;
mod page;
mod place;
mod report;
pub mod rows;

pub use cases::{CASES, Case, check};
pub use moved::assert_answers_survive_a_move;
pub use page::page;
pub use place::{BoxFuture, Place, Subject};
pub use report::{Outcome, Report};
