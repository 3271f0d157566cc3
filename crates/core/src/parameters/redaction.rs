//! Which names hide their values.
//!
//! A name is compared without case, `-` and `_`: `api_key` also hides `apiKey` and `API-Key`. `card[pin]` and
//! `card.pin` name `pin`. Only whole names count: `pin` does not hide `shipping`.

use std::{borrow::Cow, fmt};

use crate::{LedgerKey, ledger_key::Purpose, percent};

/// What stands in the place of a hidden value.
pub(super) const MASK: &str = "•••";

const BUILT_IN: [&str; 11] = [
    "password",
    "passwd",
    "secret",
    "token",
    "authorization",
    "api_key",
    "pan",
    "card_number",
    "cvv",
    "cvc",
    "pin",
];

/// The names whose values are hidden, and the key of the digests.
#[derive(Clone)]
pub struct Redaction {
    /// In the form in which they are compared.
    names: Vec<String>,
    digest_key: [u8; 32],
}

impl Redaction {
    /// The built-in names and `extra` ones; made once per route, not per request.
    ///
    /// The ledger's key is for the digests: without it, a short secret in a body could be guessed from its digest.
    pub fn new(key: &LedgerKey, extra: &[String]) -> Self {
        let names = BUILT_IN.into_iter().chain(extra.iter().map(String::as_str));
        Self {
            names: names.map(|name| comparable(name).collect()).collect(),
            digest_key: blake3::derive_key(
                "onlyonce 2026-11 parameters: digests",
                &key.derive(Purpose::Fingerprint),
            ),
        }
    }

    /// Whether a member of that name is hidden.
    pub(super) fn hides(&self, name: &str) -> bool {
        name.split(['[', ']', '.']).any(|part| {
            // Most names are told apart by their first letter.
            let first = comparable(part).next();
            let is_this =
                |hidden: &String| hidden.chars().next() == first && hidden.chars().eq(comparable(part));
            self.names.iter().any(is_this)
        })
    }

    /// A query with the values of hidden names masked. Some servers separate by `;` as well, so both separate here.
    pub(super) fn query(&self, query: &str) -> String {
        let mut out = String::with_capacity(query.len());
        for pair in query.split_inclusive(['&', ';']) {
            match pair.split_once('=') {
                Some((name, value)) if self.hides(&percent_decoded(name)) => {
                    out.extend([name, "=", MASK]);
                    out.extend(value.chars().next_back().filter(|last| matches!(last, '&' | ';')));
                }
                _ => out.push_str(pair),
            }
        }
        out
    }

    pub(super) fn digest_key(&self) -> &[u8; 32] {
        &self.digest_key
    }
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redaction").field("names", &self.names).finish_non_exhaustive()
    }
}

fn comparable(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|character| !matches!(character, '-' | '_')).flat_map(char::to_lowercase)
}

/// A name as a server reads it: `p%61ssword` hides like `password`.
fn percent_decoded(name: &str) -> Cow<'_, str> {
    if !name.contains('%') {
        return Cow::Borrowed(name);
    }
    let out: Vec<_> = percent::decoded(name).map(|(byte, _)| byte).collect();
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}
