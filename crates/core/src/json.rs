//! JSON (RFC 8259) compared by value: exact decimals, members in any order, strings unescaped.
//!
//! Own, because no parser at hand keeps numbers exact *and* refuses what two parsers may read differently: duplicate
//! member names, lone surrogates, a byte order mark, nesting over [`MAX_DEPTH`], exponents beyond [`MAX_EXPONENT`].
//! Invariant: time and space are at most n log n in the input, and nothing is ever expanded: `1e999999` stays six
//! digits and an exponent. No Unicode normalisation.

mod canonical;
mod number;
mod object;
mod parse;
mod pointer;
mod string;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use canonical::canonical;
pub use number::{MAX_EXPONENT, Number};
pub use object::{Member, Object};
pub use parse::{MAX_DEPTH, parse};
pub use pointer::Pointer;
pub(crate) use string::write as write_string;

/// A JSON value. Equality is by value: `1.0` equals `1`, and members may come in any order.
///
/// It holds what a client sent, so it has no debug text.
#[derive(Clone, PartialEq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it was written.
    Number(Number<'a>),
    /// A string, unescaped.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Value<'a>>),
    /// An object without duplicate member names.
    Object(Object<'a>),
}
