//! Header lines as they stood on the wire: ordered, repeated, raw bytes.
//!
//! No folding, no lower-casing, no judgement: what a test looks for may be exactly what a map would hide.

use std::fmt;

/// Header (or trailer) lines in the order in which they were written, names as written.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Vec<u8>, Vec<u8>)>);

impl Headers {
    /// No lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line after the others; an equal name stays a second line.
    pub fn push(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.0.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
    }

    /// The value of the first line of this name (any case), raw.
    pub fn get_bytes(&self, name: &str) -> Option<&[u8]> {
        self.all_bytes(name).next()
    }

    /// The value of the first line of this name (any case).
    ///
    /// # Panics
    /// If the value is not UTF-8: ask [`Headers::get_bytes`] then.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_bytes(name).map(text)
    }

    /// The values of all lines of this name (any case), in order. Panics as [`Headers::get`] does.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.all_bytes(name).map(text).collect()
    }

    /// Whether a line of this name (any case) is there.
    pub fn contains(&self, name: &str) -> bool {
        self.get_bytes(name).is_some()
    }

    /// All lines as (name, value), in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The `Idempotency-Key` as a bare string: the quoted form is unquoted, so that both forms count alike.
    pub fn idempotency_key(&self) -> Option<String> {
        self.get_bytes("idempotency-key").map(|value| bare(&String::from_utf8_lossy(value)))
    }

    /// The `Idempotency-Operation`, as a bare string.
    pub fn idempotency_operation(&self) -> Option<String> {
        self.get_bytes("idempotency-operation").map(|value| bare(&String::from_utf8_lossy(value)))
    }

    /// The lines as they are written on the wire, each with its CRLF.
    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        for (name, value) in self.iter() {
            out.extend_from_slice(name);
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
    }

    fn all_bytes(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.iter().map(|(n, v)| (String::from_utf8_lossy(n), String::from_utf8_lossy(v)));
        f.debug_map().entries(lines).finish()
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(lines: I) -> Self {
        let mut headers = Self::new();
        for (name, value) in lines {
            headers.push(name, value);
        }
        headers
    }
}

fn text(value: &[u8]) -> &str {
    std::str::from_utf8(value).expect("a header value asked for as text is UTF-8")
}

/// `"a\"b"` and `a"b` are the same key; parameters after the closing quote do not count.
fn bare(value: &str) -> String {
    let Some(quoted) = value.trim().strip_prefix('"') else { return value.trim().to_owned() };
    let mut out = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => out.extend(chars.next()),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_lines_stay_repeated_and_in_order() {
        let headers: Headers = [("Link", "a"), ("X", "1"), ("link", "b")].into_iter().collect();
        assert_eq!(headers.all("LINK"), ["a", "b"]);
        assert_eq!(headers.get("link"), Some("a"));
        assert_eq!(headers.len(), 3);
        let mut wire = Vec::new();
        headers.write_to(&mut wire);
        assert_eq!(wire, b"Link: a\r\nX: 1\r\nlink: b\r\n");
    }

    #[test]
    fn both_forms_of_a_key_count_as_the_same_key() {
        let key = |v: &str| [("Idempotency-Key", v)].into_iter().collect::<Headers>().idempotency_key();
        assert_eq!(key("k-1"), key(r#""k-1""#));
        assert_eq!(key(r#""a\"b\\c";p=1"#), Some(r#"a"b\c"#.to_owned()));
        assert_ne!(key("k-1"), key("k-2"));
        assert_eq!(Headers::new().idempotency_key(), None);
    }
}
