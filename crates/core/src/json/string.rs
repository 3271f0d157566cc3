//! Strings: unescaped when they are read, escaped in one way only when they are written.

use std::borrow::Cow;

/// Reads a string from its opening quote; gives its characters and what follows the closing quote.
///
/// `None` for control characters, unknown escapes and lone surrogates. Borrows where nothing is escaped.
pub(super) fn read(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let (plain, mut rest) = plain(text.strip_prefix('"')?)?;
    if let Some(rest) = rest.strip_prefix('"') {
        return Some((Cow::Borrowed(plain), rest));
    }
    let mut out = plain.to_owned();
    loop {
        if let Some(rest) = rest.strip_prefix('"') {
            return Some((Cow::Owned(out), rest));
        }
        let (character, after) = escape(rest.strip_prefix('\\')?)?;
        out.push(character);
        let (more, after) = self::plain(after)?;
        out.push_str(more);
        rest = after;
    }
}

/// What stands as it is, up to a quote, a backslash or a control character.
fn plain(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(is_special)?;
    text.split_at_checked(end)
}

const fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0x00..=0x1f)
}

/// The character of the escape whose backslash was read.
fn escape(text: &str) -> Option<(char, &str)> {
    let mut rest = text.chars();
    let character = match rest.next()? {
        same @ ('"' | '\\' | '/') => same,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return unicode(rest.as_str()),
        _ => return None,
    };
    Some((character, rest.as_str()))
}

/// `\uXXXX`, or two of them where the first is a high surrogate.
fn unicode(text: &str) -> Option<(char, &str)> {
    let (first, rest) = hex4(text)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, rest));
    }
    let (second, rest) = hex4(rest.strip_prefix("\\u")?)?;
    match (first, second) {
        (0xd800..=0xdbff, 0xdc00..=0xdfff) => {
            Some((char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))?, rest))
        }
        _ => None,
    }
}

fn hex4(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    // `from_str_radix` alone would take a sign.
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

/// Writes a string as JSON, escaping only what must be: quote, backslash and control characters.
pub(crate) fn write(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    // Looked at as a whole: that is many bytes at a time, where a search for the first one takes them one by one.
    let any = text.bytes().fold(false, |any, byte| any | is_special(byte));
    while any && let Some((plain, after)) = plain(rest) {
        out.extend_from_slice(plain.as_bytes());
        let mut characters = after.chars();
        characters.next().into_iter().for_each(|special| write_escape(special, out));
        rest = characters.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

fn write_escape(character: char, out: &mut Vec<u8>) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        control => out.extend_from_slice(format!("\\u{:04x}", u32::from(control)).as_bytes()),
    }
}
