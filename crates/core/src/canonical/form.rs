//! `application/x-www-form-urlencoded` by value: pairs in order, `%41` is `A`, and `+` is `%20`.
//!
//! Source: the parser of the URL Standard, section 5.1, less what other parsers read otherwise. Invariant: a body with a
//! bad escape, an empty pair, a `;` or a character that had to be escaped is not read at all. A name without `=` is not
//! one with an empty value: some parsers drop the one or the other.

use std::borrow::Cow;

use crate::{fingerprint::fields::Fields, percent};

/// Most pairs that are told apart; a body with more counts byte by byte.
pub const MAX_PAIRS: usize = 10_000;

/// The pairs of a form, in order.
#[derive(Clone)]
pub struct Pairs<'a>(Vec<Pair<'a>>);

#[derive(Clone)]
struct Pair<'a> {
    name: Cow<'a, [u8]>,
    /// `None`: there was no `=`.
    value: Option<Cow<'a, [u8]>>,
}

/// Reads a form; `None` if two parsers may read it differently.
pub(super) fn parse(body: &[u8]) -> Option<Pairs<'_>> {
    let mut pairs = Vec::new();
    for text in body.split(|byte| *byte == b'&') {
        if text.is_empty() || pairs.len() == MAX_PAIRS {
            return None;
        }
        let mut sides = text.splitn(2, |byte| *byte == b'=');
        let name = sides.next().and_then(decoded)?;
        let value = match sides.next() {
            Some(value) => Some(decoded(value)?),
            None => None,
        };
        pairs.push(Pair { name, value });
    }
    Some(Pairs(pairs))
}

impl Pairs<'_> {
    /// The values of all fields of that name, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let named = self.0.iter().filter(move |pair| *pair.name == *name.as_bytes());
        named.map(|pair| pair.value.as_deref().unwrap_or_default())
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|pair| *pair.name != *name.as_bytes());
    }

    pub(super) fn write(&self, fields: &mut Fields) {
        fields.count(self.0.len());
        for Pair { name, value } in &self.0 {
            fields.bytes(name);
            fields.code(u8::from(value.is_some()));
            fields.bytes(value.as_deref().unwrap_or_default());
        }
    }
}

fn decoded(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !text.iter().all(|byte| byte.is_ascii_graphic() && *byte != b';') {
        return None;
    }
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'+' => out.push(b' '),
            b'%' => {
                let (digits, after) = after.split_first_chunk()?;
                out.push(percent::byte(*digits)?);
                rest = after;
            }
            plain => out.push(*plain),
        }
    }
    Some(Cow::Owned(out))
}
