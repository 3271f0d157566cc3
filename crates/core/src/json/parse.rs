//! Text to [`Value`]: recursive descent over the grammar of RFC 8259, no deeper than [`MAX_DEPTH`].

use super::{Member, Number, Object, Value, string};

/// How many arrays and objects may stand inside each other.
pub const MAX_DEPTH: usize = 128;

/// Reads one JSON text.
///
/// `None` if it is not valid, or if two parsers may read it differently (see [the module](super)).
pub fn parse(body: &[u8]) -> Option<Value<'_>> {
    let mut parser = Parser { rest: std::str::from_utf8(body).ok()? };
    let value = parser.value(0)?;
    parser.skip_whitespace();
    parser.rest.is_empty().then_some(value)
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        self.skip_whitespace();
        match self.peek()? {
            b'{' => self.object(depth).map(Value::Object),
            b'[' => self.array(depth).map(Value::Array),
            b'"' => self.with(string::read).map(Value::String),
            b'-' | b'0'..=b'9' => self.with(Number::read).map(Value::Number),
            b't' => self.literal("true", Value::Bool(true)),
            b'f' => self.literal("false", Value::Bool(false)),
            b'n' => self.literal("null", Value::Null),
            _ => None,
        }
    }

    fn array(&mut self, depth: usize) -> Option<Vec<Value<'a>>> {
        let depth = deeper(depth)?;
        self.expect(b'[')?;
        let mut items = Vec::new();
        if self.next_is(b']') {
            return Some(items);
        }
        loop {
            items.push(self.value(depth)?);
            if self.next_is(b']') {
                return Some(items);
            }
            self.expect(b',')?;
        }
    }

    fn object(&mut self, depth: usize) -> Option<Object<'a>> {
        let depth = deeper(depth)?;
        self.expect(b'{')?;
        let mut members = Vec::new();
        if self.next_is(b'}') {
            return Object::new(members);
        }
        loop {
            self.skip_whitespace();
            let name = self.with(string::read)?;
            self.skip_whitespace();
            self.expect(b':')?;
            let value = self.value(depth)?;
            members.push(Member { name, value, place: members.len() });
            if self.next_is(b'}') {
                return Object::new(members);
            }
            self.expect(b',')?;
        }
    }

    fn literal(&mut self, text: &str, value: Value<'a>) -> Option<Value<'a>> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(value)
    }

    /// Runs a reader that takes a text and gives what it read and the rest.
    fn with<T>(&mut self, read: impl FnOnce(&'a str) -> Option<(T, &'a str)>) -> Option<T> {
        let (value, rest) = read(self.rest)?;
        self.rest = rest;
        Some(value)
    }

    fn peek(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(char::from(byte))?;
        Some(())
    }

    /// Skips white space, and `byte` if it comes next.
    fn next_is(&mut self, byte: u8) -> bool {
        self.skip_whitespace();
        self.expect(byte).is_some()
    }

    fn skip_whitespace(&mut self) {
        let other = |byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let end = self.rest.bytes().position(other).unwrap_or(self.rest.len());
        self.rest = self.rest.get(end..).expect("white space is whole characters");
    }
}

fn deeper(depth: usize) -> Option<usize> {
    (depth < MAX_DEPTH).then_some(depth + 1)
}
