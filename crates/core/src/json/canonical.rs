//! [`Value`] to bytes that are equal exactly if the values are.
//!
//! The canonical form is itself JSON: no white space, members sorted by name, strings escaped in one way, numbers in
//! normal form. That makes it unambiguous without a second grammar: it reads back as the same value, so two values
//! cannot share it.

use std::io::Write as _;

use super::{Value, parse, string};

/// Bytes of a usual body.
const USUAL_LEN: usize = 256;

/// The canonical form of a JSON text: equal bytes for equal values, other bytes for others.
///
/// `None` if the text must be taken as raw bytes: it is not valid JSON, or two parsers may read it differently.
pub fn canonical(body: &[u8]) -> Option<Vec<u8>> {
    parse(body).map(|value| value.to_canonical())
}

impl Value<'_> {
    /// The canonical form: equal bytes for equal values, other bytes for others.
    pub fn to_canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(USUAL_LEN);
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Number(number) => write!(out, "{number}").expect("a Vec takes every write"),
            Self::String(text) => string::write(text, out),
            Self::Array(items) => list(out, [b'[', b']'], items, |item, out| item.write(out)),
            Self::Object(object) => list(out, [b'{', b'}'], object.sorted(), |member, out| {
                string::write(&member.name, out);
                out.push(b':');
                member.value.write(out);
            }),
        }
    }
}

fn list<T>(out: &mut Vec<u8>, [open, close]: [u8; 2], items: &[T], write: impl Fn(&T, &mut Vec<u8>)) {
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(close);
}
