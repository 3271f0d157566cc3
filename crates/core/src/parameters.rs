//! What a key stands for, in a form that its owner may see again: redacted, at most [`MAX_LEN`] bytes.
//!
//! Stored (sealed) with the claim and shown in the answer to a mismatch. Invariant: what [`Redaction`] names never
//! leaves this module, neither as it is nor as a digest that could be guessed without the ledger's key. What cannot be
//! redacted by name (a body that is not JSON by value) or is too long is shown as length and keyed digest.
//!
//! The document is JSON. Its fields come in this order, the last two only where the request has them:
//!
//! ```json
//! { "method": "POST", "path": "/transfers", "query": "dry=1&token=•••", "body": { "amount": 100, "pin": "•••" } }
//! ```
//!
//! In the place of a field that cannot be shown stands its digest:
//! `"body_digest": { "length": 5, "digest": "0123456789abcdef" }`, and `path_digest`, `query_digest`, `method_digest`
//! likewise. It is meant for people: authority, content type and named headers are in the fingerprint, not here.

mod differs;
mod redaction;
mod show;

pub use differs::{MAX_DIFFERENCES, differs};
pub use redaction::Redaction;

use crate::{
    canonical::Content,
    fingerprint::{Request, fields::Fields},
    json::{Value, write_string},
};

/// The longest document, in bytes.
pub const MAX_LEN: usize = 4096;

// Each field has a bound of its own, so that whether one is shown never depends on another: two requests with equal
// bodies show both of them or neither.
const MAX_METHOD: usize = 64;
const MAX_PATH: usize = 448;
const MAX_QUERY: usize = 448;
const MAX_BODY: usize = 3072;
/// Names and punctuation around the fields, for the longest choice of them.
const FRAME: usize = r#"{"method":,"path":,"query":,"body":}"#.len();
const _: () = assert!(FRAME + MAX_METHOD + MAX_PATH + MAX_QUERY + MAX_BODY <= MAX_LEN);

const DIGEST_DIGITS: usize = 16;

/// The parameters of a request, redacted. Of its body, that which counts; `length` is that of the body as it was sent.
pub fn parameters(redaction: &Redaction, request: &Request<'_>, length: usize) -> Vec<u8> {
    let Request { method, path, query, content, .. } = *request;
    let mut document = Document { redaction, out: Vec::with_capacity(256) };
    document.text("method", method, MAX_METHOD);
    document.text("path", path, MAX_PATH);
    if let Some(query) = query {
        document.text("query", &redaction.query(query), MAX_QUERY);
    }
    match content {
        Content::Json(value) => document.json(value, length),
        Content::Raw([]) => {}
        content => document.digest("body", length, |fields| content.write(fields)),
    }
    document.finish()
}

struct Document<'a> {
    redaction: &'a Redaction,
    out: Vec<u8>,
}

impl Document<'_> {
    fn text(&mut self, name: &str, text: &str, limit: usize) {
        let before = self.out.len();
        self.name(name);
        let begin = self.out.len();
        write_string(text, &mut self.out);
        if self.out.len() - begin > limit {
            self.out.truncate(before);
            self.digest(name, text.len(), |fields| fields.text(text));
        }
    }

    fn json(&mut self, value: &Value<'_>, length: usize) {
        match show::redacted(value, self.redaction, MAX_BODY) {
            Some(shown) => self.member("body", &shown),
            None => self.digest("body", length, |fields| fields.bytes(&value.to_canonical())),
        }
    }

    /// `length` is that of the field as it was sent (of a query: as it would be shown), `write` what of it counts.
    fn digest(&mut self, name: &str, length: usize, write: impl FnOnce(&mut Fields)) {
        let mut fields = Fields::new(self.redaction.digest_key());
        fields.text(name);
        write(&mut fields);
        let hash = blake3::Hash::from_bytes(fields.finish()).to_hex();
        let digits: String = hash.chars().take(DIGEST_DIGITS).collect();
        let shown = format!(r#"{{"length":{length},"digest":"{digits}"}}"#);
        self.member(&format!("{name}_digest"), shown.as_bytes());
    }

    fn member(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        self.out.extend_from_slice(value);
    }

    fn name(&mut self, name: &str) {
        self.out.push(if self.out.is_empty() { b'{' } else { b',' });
        write_string(name, &mut self.out);
        self.out.push(b':');
    }

    fn finish(mut self) -> Vec<u8> {
        self.out.push(b'}');
        self.out
    }
}

#[cfg(test)]
mod tests;
