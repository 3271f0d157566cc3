//! The bank: a real little JSON API over two accounts, in memory.
//!
//! Naive on purpose: it moves money each time it is asked, never looks at a key, and believes whoever calls
//! it. What keeps a repeat from paying twice has to stand in front of it.

mod api;
mod book;

pub(crate) use self::api::Bank;
pub(crate) use self::book::{Account, Book, OPENING_BALANCE, Transfer};
