//! Looking for a key in a body.
//!
//! Invariant: a key is found only where every reader of the body finds the same one. A key that stands in a body is the
//! text itself, character for character: quotes belong to a header's grammar, not to a member's.

use std::fmt;

use super::Carrier;
use crate::{
    Key,
    canonical::{Content, Parts, may_be_form, may_be_json},
    json::{Pointer, Value},
    key,
};

/// Why a body gives no key where a carrier keeps one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// A body of its media type has no such place.
    Foreign,
    /// It cannot be read, or two readers may find different keys in it.
    Unreadable,
    /// The key is there more than once.
    Twice,
    /// What is there is not a text.
    NotText,
    /// A member that the key is made of is missing, null, or not a single value.
    Missing,
    /// The text is no key.
    Invalid(key::Invalid),
}

impl Carrier {
    /// The key that this carrier has in a body; `None` where it keeps it elsewhere, or where there is none.
    ///
    /// # Errors
    /// [`Unfit`]: the body cannot be searched, or what was found is no key.
    pub fn find(&self, content_type: Option<&str>, content: &Content<'_>) -> Result<Option<Key>, Unfit> {
        match self {
            Self::Body(pointer) => member(pointer, content_type, content),
            Self::Form(name) => field(name, content_type, content),
            Self::Header(_) | Self::Path(_) | Self::Derive(_) => Ok(None),
        }
    }
}

fn member(
    pointer: &Pointer,
    content_type: Option<&str>,
    content: &Content<'_>,
) -> Result<Option<Key>, Unfit> {
    match content {
        Content::Raw([]) => Ok(None),
        content => match pointer.get(json(content_type, content)?) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => literal(text),
            // A number is no key: its readers may round it, and then two of them are one.
            Some(_) => Err(Unfit::NotText),
        },
    }
}

/// The value of a body, for whoever needs a member of it.
pub(crate) fn json<'v, 'a>(
    content_type: Option<&str>,
    content: &'v Content<'a>,
) -> Result<&'v Value<'a>, Unfit> {
    match content {
        Content::Json(value) => Ok(value),
        Content::Raw([]) => Err(Unfit::Missing),
        Content::Raw(_) if may_be_json(content_type) => Err(Unfit::Unreadable),
        Content::Raw(_) | Content::Form(_) | Content::Multipart(_) => Err(Unfit::Foreign),
    }
}

fn field(name: &str, content_type: Option<&str>, content: &Content<'_>) -> Result<Option<Key>, Unfit> {
    match content {
        Content::Form(pairs) => once(pairs.all(name)),
        Content::Multipart(parts) => part(parts, name),
        Content::Raw([]) => Ok(None),
        Content::Raw(_) if may_be_form(content_type) => Err(Unfit::Unreadable),
        Content::Raw(_) | Content::Json(_) => Err(Unfit::Foreign),
    }
}

fn part(parts: &Parts<'_>, name: &str) -> Result<Option<Key>, Unfit> {
    if parts.all(name).any(|field| field.is_file) {
        return Err(Unfit::NotText);
    }
    once(parts.all(name).map(|field| field.content))
}

fn once<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Result<Option<Key>, Unfit> {
    let Some(value) = values.next() else { return Ok(None) };
    match values.next() {
        Some(_) => Err(Unfit::Twice),
        None => literal(std::str::from_utf8(value).map_err(|_| Unfit::NotText)?),
    }
}

fn literal(text: &str) -> Result<Option<Key>, Unfit> {
    Key::literal(text).map(Some).map_err(Unfit::Invalid)
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("the body is of a media type in which no key is looked for"),
            Self::Unreadable => f.write_str(
                "the body cannot be searched for a key: it is coded, has no media type, is not valid, or can be read in \
                 more than one way",
            ),
            Self::Twice => f.write_str("the body holds the key more than once"),
            Self::NotText => f.write_str("what stands in the place of the key is not a string"),
            Self::Missing => {
                f.write_str("a member that the key is made of is missing, null, or not a single value")
            }
            Self::Invalid(invalid) => invalid.fmt(f),
        }
    }
}

impl std::error::Error for Unfit {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::InvalidKind;

    const JSON: Option<&str> = Some("application/json");
    const FORM: Option<&str> = Some("application/x-www-form-urlencoded");
    const PARTS: Option<&str> = Some("multipart/form-data; boundary=b");

    fn find(
        carrier: &str,
        content_type: Option<&str>,
        coded: bool,
        body: &str,
    ) -> Result<Option<String>, Unfit> {
        let content = Content::read(content_type, coded, body.as_bytes());
        let found = Carrier::parse(carrier).unwrap().find(content_type, &content);
        found.map(|key| key.map(|key| key.as_str().to_owned()))
    }

    fn invalid(kind: InvalidKind) -> Result<Option<String>, Unfit> {
        let text = match kind {
            InvalidKind::Empty => String::new(),
            _ => "é".to_owned(),
        };
        Err(Unfit::Invalid(Key::literal(&text).unwrap_err()))
    }

    fn some(key: &str) -> Result<Option<String>, Unfit> {
        Ok(Some(key.to_owned()))
    }

    #[test]
    fn a_member_is_the_key_or_there_is_none_or_the_body_is_refused() {
        for (content_type, coded, body, found) in [
            (JSON, false, r#"{"k":"a"}"#, some("a")),
            (JSON, false, r#"{"\u006b":" \"a\" "}"#, some(" \"a\" ")),
            (JSON, false, r#"{"K":"a","k[]":"b"}"#, Ok(None)),
            (JSON, false, r#"{"k":null}"#, Ok(None)),
            (JSON, false, "[]", Ok(None)),
            (JSON, false, "", Ok(None)),
            (None, false, "", Ok(None)),
            (JSON, false, r#"{"k":""}"#, invalid(InvalidKind::Empty)),
            (JSON, false, r#"{"k":"é"}"#, invalid(InvalidKind::Unprintable)),
            (JSON, false, r#"{"k":1}"#, Err(Unfit::NotText)),
            (JSON, false, r#"{"k":{"k":"a"}}"#, Err(Unfit::NotText)),
            (JSON, false, r#"{"k":"a","k":"a"}"#, Err(Unfit::Unreadable)),
            (JSON, false, "\u{feff}{\"k\":\"a\"}", Err(Unfit::Unreadable)),
            (JSON, false, "{", Err(Unfit::Unreadable)),
            (JSON, true, r#"{"k":"a"}"#, Err(Unfit::Unreadable)),
            (Some("text/json"), false, r#"{"k":"a"}"#, Err(Unfit::Unreadable)),
            (None, false, r#"{"k":"a"}"#, Err(Unfit::Unreadable)),
            (FORM, false, "k=a", Err(Unfit::Foreign)),
            (Some("text/plain"), true, "x", Err(Unfit::Foreign)),
        ] {
            assert_eq!(find("body:/k", content_type, coded, body), found, "{content_type:?} {body}");
        }
    }

    #[test]
    fn a_field_is_the_key_or_there_is_none_or_the_body_is_refused() {
        let part = |head: &str, content: &str| {
            format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n")
        };
        let one = part("name=k", "a+b") + "--b--";
        let two = part("name=k", "a") + &part("name=\"k\"", "a") + "--b--";
        let file = part("name=k; filename=x", "a") + "--b--";
        let open = part("name=k", "a");
        for (content_type, coded, body, found) in [
            (FORM, false, "k=a%2Bb", some("a+b")),
            (FORM, false, "x=1&%6B=a+b", some("a b")),
            (FORM, false, "k[]=a&K=b", Ok(None)),
            (FORM, false, "", Ok(None)),
            (FORM, false, "k", invalid(InvalidKind::Empty)),
            (FORM, false, "k=", invalid(InvalidKind::Empty)),
            (FORM, false, "k=%C3%A9", invalid(InvalidKind::Unprintable)),
            (FORM, false, "k=%ff", Err(Unfit::NotText)),
            (FORM, false, "k=a&k=a", Err(Unfit::Twice)),
            (FORM, false, "k=a&%zz", Err(Unfit::Unreadable)),
            (FORM, true, "k=a", Err(Unfit::Unreadable)),
            (None, false, "k=a", Err(Unfit::Unreadable)),
            (PARTS, false, &one, some("a+b")),
            (PARTS, false, &two, Err(Unfit::Twice)),
            (PARTS, false, &file, Err(Unfit::NotText)),
            (PARTS, false, &open, Err(Unfit::Unreadable)),
            (JSON, false, r#"{"k":"a"}"#, Err(Unfit::Foreign)),
            (JSON, false, "{", Err(Unfit::Foreign)),
        ] {
            assert_eq!(find("form:k", content_type, coded, body), found, "{content_type:?} {body}");
        }
    }
}
