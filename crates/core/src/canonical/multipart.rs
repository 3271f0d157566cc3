//! `multipart/form-data` (RFC 7578) by value: parts in order by name, filename, type and content; the boundary does not
//! count.
//!
//! Own, because parsers at hand are lenient, and a lenient one and an upstream's may find different parts in one body.
//! Invariant: what is read here has one reading. Anything in doubt is not read at all: a preamble, an epilogue, a
//! boundary inside of a part or with something behind it, a missing end, bare line feeds or folded lines in a part's
//! head, a header that comes twice or that nobody knows, a transfer encoding, escapes in a name, other than UTF-8.

use memchr::memmem;

use super::media::{is_token, parameters};
use crate::fingerprint::fields::Fields;

/// Most parts that are told apart; a body with more counts byte by byte.
pub const MAX_PARTS: usize = 1000;
/// The longest boundary (RFC 2046, section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// The parts of a form, in order.
#[derive(Clone)]
pub struct Parts<'a>(Vec<Part<'a>>);

#[derive(Clone)]
struct Part<'a> {
    name: &'a str,
    filename: Option<&'a str>,
    /// As it was written, but for white space around it.
    content_type: Option<&'a str>,
    content: &'a [u8],
}

/// A field, as a form's reader sees it.
pub(crate) struct Field<'a> {
    pub(crate) is_file: bool,
    pub(crate) content: &'a [u8],
}

/// Reads a form; `None` if two parsers may read it differently.
pub(super) fn parse<'a>(content_type: &str, body: &'a [u8]) -> Option<Parts<'a>> {
    let delimiter = format!("--{}", boundary(content_type)?);
    let mut rest = body.strip_prefix(delimiter.as_bytes())?;
    let finder = memmem::Finder::new(&delimiter);
    let mut parts = Vec::new();
    while let Some(after) = rest.strip_prefix(b"\r\n") {
        let (part, after) = after.split_at_checked(finder.find(after)?)?;
        if parts.len() == MAX_PARTS {
            return None;
        }
        parts.push(Part::read(part.strip_suffix(b"\r\n")?)?);
        rest = after.get(delimiter.len()..)?;
    }
    matches!(rest, b"--" | b"--\r\n").then_some(Parts(parts))
}

fn boundary(content_type: &str) -> Option<&str> {
    let (_, rest) = content_type.split_once(';')?;
    let found = parameters(rest)?;
    let known = |(name, value): &(String, &str)| match name.as_str() {
        "boundary" => true,
        "charset" => value.eq_ignore_ascii_case("utf-8"),
        _ => false,
    };
    let (_, boundary) = found.iter().find(|(name, _)| name == "boundary")?;
    let sound = (1..=MAX_BOUNDARY).contains(&boundary.len())
        && boundary.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte))
        && !boundary.ends_with(' ');
    (sound && found.iter().all(known)).then_some(boundary)
}

impl Parts<'_> {
    /// The fields of that name, in order.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = Field<'_>> {
        let named = self.0.iter().filter(move |part| part.name == name);
        named.map(|part| Field { is_file: part.filename.is_some(), content: part.content })
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|part| part.name != name);
    }

    pub(super) fn write(&self, fields: &mut Fields) {
        fields.count(self.0.len());
        for Part { name, filename, content_type, content } in &self.0 {
            fields.text(name);
            fields.optional(*filename);
            fields.optional(*content_type);
            fields.bytes(content);
        }
    }
}

impl<'a> Part<'a> {
    fn read(part: &'a [u8]) -> Option<Self> {
        // Without headers there is no name, so the blank line comes after at least one.
        let end = memmem::find(part, b"\r\n\r\n")?;
        let (head, content) = (part.get(..end)?, part.get(end + 4..)?);
        let head = std::str::from_utf8(head).ok()?;
        let (mut disposition, mut content_type, mut encoding, mut length) = (None, None, None, None);
        for line in head.split("\r\n") {
            let (name, value) = header(line)?;
            let known = match name.to_ascii_lowercase().as_str() {
                "content-disposition" => &mut disposition,
                "content-type" => &mut content_type,
                "content-transfer-encoding" => &mut encoding,
                "content-length" => &mut length,
                _ => return None,
            };
            if known.replace(value).is_some() {
                return None;
            }
        }
        let plain = |encoding: &str| {
            ["7bit", "8bit", "binary"].iter().any(|plain| encoding.eq_ignore_ascii_case(plain))
        };
        let sound =
            encoding.is_none_or(plain) && length.is_none_or(|length| length == content.len().to_string());
        let (name, filename) = disposition.filter(|_| sound).and_then(named)?;
        Some(Self { name, filename, content_type, content })
    }
}

/// Name and value of a line. Space before the colon or at the beginning, as of a folded line, is refused.
fn header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let sound = !name.is_empty() && name.bytes().all(is_token);
    let printable = value.chars().all(|character| character == '\t' || !character.is_control());
    (sound && printable).then_some((name, value.trim_matches([' ', '\t'])))
}

/// The name and the filename of a `form-data; name="a"; filename="b"`.
fn named(disposition: &str) -> Option<(&str, Option<&str>)> {
    let (kind, rest) = disposition.split_once(';')?;
    if !kind.trim_end_matches([' ', '\t']).eq_ignore_ascii_case("form-data") {
        return None;
    }
    let (mut name, mut filename) = (None, None);
    for (parameter, value) in parameters(rest)? {
        match parameter.as_str() {
            "name" => name = Some(value),
            "filename" => filename = Some(value),
            _ => return None,
        }
    }
    Some((name?, filename))
}
