//! The idempotency key as clients write it, and what it means.
//!
//! Two forms mean the same key: the quoted one, an Item String of RFC 9651 whose parameters are cut off, and the bare
//! one that most clients send. Invariant: a [`Key`] is 1 to 255 characters of %x20–7E, and neither its debug text nor
//! any error shows a character of it. Which carrier a key came by is none of its business (see [`crate::scope`]).

mod birth;

use std::fmt;

use sfv::{BareItem, FieldType, Item};

/// The longest key, in characters.
pub const MAX_LEN: usize = 255;

/// What a client names an intent by: the meaning of the field, not its spelling.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key(Box<str>);

/// Which spellings of a key a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// The quoted and the bare form.
    Lenient,
    /// The quoted form only.
    Strict,
}

/// A field that holds no key. Its text says what is wrong and what to send; it never repeats what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid {
    kind: InvalidKind,
}

/// What is wrong with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidKind {
    /// No character at all.
    Empty,
    /// More than [`MAX_LEN`] characters.
    TooLong,
    /// A character that a key cannot hold, or that has no place where it stands.
    Character,
    /// More than one value.
    List,
    /// A double quote that is never closed.
    Unterminated,
    /// A backslash before something else than `"` or `\`.
    Escape,
    /// Another structured type than a string; in strict syntax also the bare form.
    Type,
    /// A character that is not printable ASCII, where the text itself is the key.
    Unprintable,
}

impl Key {
    /// Reads one field line's value; spaces and tabs around it do not count.
    ///
    /// # Errors
    /// [`Invalid`], whose kind says which rule was broken first.
    pub fn parse(field_value: &[u8], syntax: Syntax) -> Result<Self, Invalid> {
        let value = trim(field_value);
        let meaning = match (value.first(), syntax) {
            (None, _) => Err(InvalidKind::Empty),
            (Some(b'"'), _) => quoted(value),
            (Some(_), Syntax::Strict) => Err(InvalidKind::Type),
            (Some(_), Syntax::Lenient) => bare(value),
        };
        meaning.and_then(within_length).map(Self).map_err(|kind| Invalid { kind })
    }

    /// Takes a text that is the key itself, character for character: a member of a body, a field of a form, a segment of
    /// a path.
    ///
    /// # Errors
    /// [`Invalid`], whose kind says which rule was broken.
    pub fn literal(text: &str) -> Result<Self, Invalid> {
        let printable = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
        let meaning = if printable { within_length(text.to_owned()) } else { Err(InvalidKind::Unprintable) };
        meaning.map(Self).map_err(|kind| Invalid { kind })
    }

    /// The key's characters, unquoted.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The quoted form, an Item String: what goes upstream, whatever form came in.
    pub fn to_item(&self) -> String {
        let mut item = String::with_capacity(self.0.len() + 2);
        item.push('"');
        if self.0.bytes().any(|byte| matches!(byte, b'"' | b'\\')) {
            for character in self.0.chars() {
                // RFC 9651, section 4.1.6.
                item.extend(matches!(character, '"' | '\\').then_some('\\'));
                item.push(character);
            }
        } else {
            item.push_str(&self.0);
        }
        item.push('"');
        item
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Invalid {
    /// Which rule was broken.
    pub const fn kind(self) -> InvalidKind {
        self.kind
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            InvalidKind::Empty => "the key is empty: send 1 to 255 characters, such as a UUID",
            InvalidKind::TooLong => "the key is longer than 255 characters: a UUID is enough",
            InvalidKind::Character => {
                "the key holds a character that is not allowed where it stands: send printable ASCII in double \
                 quotes, with nothing after the closing quote but parameters"
            }
            InvalidKind::List => "the field holds more than one value: send exactly one key",
            InvalidKind::Unterminated => "the key's double quote is never closed: end the key with a double quote",
            InvalidKind::Escape => {
                "the key holds a backslash that escapes nothing: between double quotes, write \\\" for a quote and \
                 \\\\ for a backslash"
            }
            InvalidKind::Unprintable => {
                "the key holds a character that is not printable ASCII: a UUID is enough"
            }
            InvalidKind::Type => "the field's value is not a string: send the key in double quotes",
        })
    }
}

impl std::error::Error for Invalid {}

/// Optional white space of RFC 9110, section 5.6.3; no other, so that a stray line break is refused.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn quoted(value: &[u8]) -> Result<String, InvalidKind> {
    // The usual one has nothing but its characters between its quotes, and needs no parser.
    if let [b'"', text @ .., b'"'] = value
        && text.iter().all(|byte| matches!(byte, b' ' | b'!' | 0x23..=0x5b | 0x5d..=0x7e))
        && let Ok(text) = str::from_utf8(text)
    {
        return Ok(text.to_owned());
    }
    match Item::parse(sfv::Parser::new(value)) {
        Ok(Item { bare_item: BareItem::String(text), .. }) => Ok(text.into()),
        Ok(_) => Err(InvalidKind::Type),
        Err(error) => Err(why_not_a_string(value, error.index())),
    }
}

/// Which rule a field broke that begins with a quote and that `sfv` refused at `index`.
fn why_not_a_string(value: &[u8], index: Option<usize>) -> InvalidKind {
    let mut inside = value.iter().skip(1);
    loop {
        match inside.next() {
            None => return InvalidKind::Unterminated,
            Some(b'"') => break,
            Some(b'\\') if !matches!(inside.next(), Some(b'"' | b'\\')) => return InvalidKind::Escape,
            Some(0x20..=0x7e) => {}
            Some(_) => return InvalidKind::Character,
        }
    }
    // The string itself is sound: something follows it, or its parameters, that may not.
    match trim(index.and_then(|index| value.get(index..)).unwrap_or_default()).first() {
        Some(b',') => InvalidKind::List,
        _ => InvalidKind::Character,
    }
}

/// %x21–7E without `"` `,` `;` `\`. In it `;` is refused and not cut off: `a;1` and `a;2` would be one key.
fn bare(value: &[u8]) -> Result<String, InvalidKind> {
    if let [b'\'' | b':' | b'?' | b'@' | b'(', ..] | [b'%', b'"', ..] = value {
        return Err(InvalidKind::Type);
    }
    let refused =
        value.iter().find(|byte| matches!(byte, b'"' | b',' | b';' | b'\\') || !byte.is_ascii_graphic());
    match refused {
        None => str::from_utf8(value).map(ToOwned::to_owned).map_err(|_| InvalidKind::Character),
        Some(b',') => Err(InvalidKind::List),
        Some(_) => Err(InvalidKind::Character),
    }
}

fn within_length(meaning: String) -> Result<Box<str>, InvalidKind> {
    match meaning.len() {
        0 => Err(InvalidKind::Empty),
        1..=MAX_LEN => Ok(meaning.into_boxed_str()),
        _ => Err(InvalidKind::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        InvalidKind::{Character, Empty, Escape, List, TooLong, Type, Unterminated},
        *,
    };

    fn parse(value: &str, syntax: Syntax) -> Result<String, InvalidKind> {
        Key::parse(value.as_bytes(), syntax).map(|key| key.as_str().to_owned()).map_err(Invalid::kind)
    }

    #[test]
    fn a_field_means_one_key_or_is_refused_for_one_reason() {
        /// The field · what it means leniently · what it means strictly.
        type Row<'a> = (&'a str, Result<&'a str, InvalidKind>, Result<&'a str, InvalidKind>);
        let uuid = "8e03978e-40d5-43e8-bc93-6894a57f9324";
        let quoted_uuid = format!("\"{uuid}\"");
        let table: &[Row<'_>] = &[
            // Both forms mean the same.
            (&quoted_uuid, Ok(uuid), Ok(uuid)),
            (uuid, Ok(uuid), Err(Type)),
            ("42", Ok("42"), Err(Type)),
            ("token", Ok("token"), Err(Type)),
            ("*/a:b?c@d(e)'f%g", Ok("*/a:b?c@d(e)'f%g"), Err(Type)),
            ("!~", Ok("!~"), Err(Type)),
            // White space around the value does not count, inside it does.
            (" \t\"a\"\t ", Ok("a"), Ok("a")),
            (" \ta\t ", Ok("a"), Err(Type)),
            ("\" a \"", Ok(" a "), Ok(" a ")),
            ("\" \"", Ok(" "), Ok(" ")),
            ("a b", Err(Character), Err(Type)),
            ("a\r", Err(Character), Err(Type)),
            // Escapes.
            (r#""a\"b\\c""#, Ok(r#"a"b\c"#), Ok(r#"a"b\c"#)),
            (r#""\"""#, Ok("\""), Ok("\"")),
            (r#""a\b""#, Err(Escape), Err(Escape)),
            (r#""a\"#, Err(Escape), Err(Escape)),
            (r"a\b", Err(Character), Err(Type)),
            // Parameters exist after a closing quote only.
            ("\"a\";p=1", Ok("a"), Ok("a")),
            ("\"a\"; p; q=\"x,y\"", Ok("a"), Ok("a")),
            ("\"a\";", Err(Character), Err(Character)),
            ("\"a\" ;p=1", Err(Character), Err(Character)),
            ("\"a\";P=1", Err(Character), Err(Character)),
            ("a;1", Err(Character), Err(Type)),
            ("a;p=1", Err(Character), Err(Type)),
            // Nothing.
            ("", Err(Empty), Err(Empty)),
            (" \t ", Err(Empty), Err(Empty)),
            ("\"\"", Err(Empty), Err(Empty)),
            ("\"\";p=1", Err(Empty), Err(Empty)),
            // More than one.
            ("\"a\", \"b\"", Err(List), Err(List)),
            ("\"a\"\t,\"b\"", Err(List), Err(List)),
            ("\"a\";p=1, \"b\"", Err(List), Err(List)),
            ("\"a\",", Err(List), Err(List)),
            ("\"a, b\"", Ok("a, b"), Ok("a, b")),
            ("a,b", Err(List), Err(Type)),
            // Quotes that do not match up.
            ("\"a", Err(Unterminated), Err(Unterminated)),
            ("\"", Err(Unterminated), Err(Unterminated)),
            ("\"a\"b", Err(Character), Err(Character)),
            ("\"a\"\"b\"", Err(Character), Err(Character)),
            ("a\"", Err(Character), Err(Type)),
            // Characters.
            ("\"é\"", Err(Character), Err(Character)),
            ("é", Err(Character), Err(Type)),
            ("\"a\u{0}\"", Err(Character), Err(Character)),
            ("\"a\tb\"", Err(Character), Err(Character)),
            ("\"a\u{7f}\"", Err(Character), Err(Character)),
            ("a\u{7f}", Err(Character), Err(Type)),
            // Other structured types.
            (":Zm9v:", Err(Type), Err(Type)),
            ("?1", Err(Type), Err(Type)),
            ("@123", Err(Type), Err(Type)),
            ("(\"a\" \"b\")", Err(Type), Err(Type)),
            ("%\"a%20b\"", Err(Type), Err(Type)),
            ("'a'", Err(Type), Err(Type)),
        ];
        for (field, lenient, strict) in table {
            assert_eq!(parse(field, Syntax::Lenient), lenient.map(str::to_owned), "lenient: {field:?}");
            assert_eq!(parse(field, Syntax::Strict), strict.map(str::to_owned), "strict: {field:?}");
        }
    }

    #[test]
    fn length_is_counted_in_characters_of_the_meaning() {
        let longest = "a".repeat(255);
        for field in [longest.clone(), format!("\"{longest}\""), format!("\"{longest}\";p=1")] {
            assert_eq!(parse(&field, Syntax::Lenient), Ok(longest.clone()));
        }
        assert_eq!(parse(&format!("\"{}\"", "\\\\".repeat(255)), Syntax::Strict), Ok("\\".repeat(255)));
        let longer = "a".repeat(256);
        for field in [longer.clone(), format!("\"{longer}\""), format!("\"{}\"", "\\\"".repeat(256))] {
            assert_eq!(parse(&field, Syntax::Lenient), Err(TooLong));
        }
    }

    #[test]
    fn neither_debug_text_nor_errors_show_the_key() {
        let key = Key::parse(b"secret", Syntax::Lenient).unwrap();
        assert_eq!(format!("{key:?}"), "Key(…)");
        for field in
            ["secret,", "\"secret", "\"sec\\ret\"", "secret;1", "'secret'", "sécret", &"secret".repeat(50)]
        {
            let error = Key::parse(field.as_bytes(), Syntax::Lenient).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("sec"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn the_quoted_form_reads_back_as_the_same_key(meaning in "[ -~]{1,255}") {
            let quoted = format!("\"{}\"", meaning.replace('\\', "\\\\").replace('"', "\\\""));
            let key = Key::parse(quoted.as_bytes(), Syntax::Strict).unwrap();
            prop_assert_eq!(key.as_str(), &meaning);
            prop_assert_eq!(key.to_item(), quoted);
        }

        #[test]
        fn a_bare_key_means_what_it_does_between_quotes(field in "[!-~]{1,20}") {
            if let Ok(key) = Key::parse(field.as_bytes(), Syntax::Lenient)
                && !field.starts_with('"')
            {
                prop_assert_eq!(Key::parse(format!("\"{field}\"").as_bytes(), Syntax::Strict), Ok(key));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(field: Vec<u8>) {
            if let Ok(key) = Key::parse(&field, Syntax::Lenient) {
                prop_assert!((1..=MAX_LEN).contains(&key.as_str().len()));
                prop_assert!(key.as_str().bytes().all(|byte| (0x20..=0x7e).contains(&byte)));
            }
        }
    }
}
