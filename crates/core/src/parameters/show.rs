//! A JSON body as it may be seen again: hidden values masked, numbers and order as the client wrote them.

use super::redaction::{MASK, Redaction};
use crate::json::{Value, write_string};

/// How deep a shown body may nest: less than the limit of every JSON reader that may take the document.
const MAX_SHOWN_DEPTH: usize = 32;

/// The body without white space; `None` if that would take more than `limit` bytes or nests too deep.
pub(super) fn redacted(value: &Value<'_>, redaction: &Redaction, limit: usize) -> Option<Vec<u8>> {
    let mut writer = Writer { redaction, limit, out: Vec::with_capacity(256) };
    writer.value(value, 0)?;
    Some(writer.out)
}

/// Each step gives `None` once the limit is crossed, so a large body costs little more than the limit.
struct Writer<'a> {
    redaction: &'a Redaction,
    limit: usize,
    out: Vec<u8>,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value<'_>, depth: usize) -> Option<()> {
        match value {
            Value::Null => self.raw("null"),
            Value::Bool(true) => self.raw("true"),
            Value::Bool(false) => self.raw("false"),
            Value::Number(number) => self.raw(number.as_written()),
            Value::String(text) => self.string(text),
            Value::Array(items) => {
                self.list(["[", "]"], items, depth, |writer, item, depth| writer.value(item, depth))
            }
            Value::Object(object) => {
                self.list(["{", "}"], &object.as_written(), depth, |writer, member, depth| {
                    writer.string(&member.name)?;
                    writer.raw(":")?;
                    match writer.redaction.hides(&member.name) {
                        true => writer.string(MASK),
                        false => writer.value(&member.value, depth),
                    }
                })
            }
        }
    }

    fn list<T>(
        &mut self,
        [open, close]: [&str; 2],
        items: &[T],
        depth: usize,
        write: impl Fn(&mut Self, &T, usize) -> Option<()>,
    ) -> Option<()> {
        if depth == MAX_SHOWN_DEPTH {
            return None;
        }
        self.raw(open)?;
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.raw(",")?;
            }
            write(self, item, depth + 1)?;
        }
        self.raw(close)
    }

    fn string(&mut self, text: &str) -> Option<()> {
        self.room(text.len())?;
        write_string(text, &mut self.out);
        self.room(0)
    }

    fn raw(&mut self, text: &str) -> Option<()> {
        self.room(text.len())?;
        self.out.extend_from_slice(text.as_bytes());
        Some(())
    }

    fn room(&self, len: usize) -> Option<()> {
        (self.out.len() + len <= self.limit).then_some(())
    }
}
