//! What counts of a request's body: JSON by value, everything else byte by byte.
//!
//! Invariant: bodies with equal canonical form are ones that no upstream has reason to treat differently. So whatever
//! two parsers may read differently is raw, and a coded body is never inflated. Forms and multipart are raw as well,
//! until [`Form`] names them.

use std::borrow::Cow;

use crate::json;

/// A body in the form in which it is compared.
pub struct Canonical<'a> {
    /// How the bytes were made.
    pub form: Form,
    /// What is compared; the body itself where it is raw.
    pub bytes: Cow<'a, [u8]>,
}

/// How a canonical body is made. Two bodies of different form are never the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// By value, see [`crate::json`].
    Json,
    /// Byte by byte.
    Raw,
}

impl Form {
    /// The number that goes into fingerprints; never reused.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Json => 1,
            Self::Raw => 2,
        }
    }
}

/// The canonical form of a body. `coded`: its content coding is not identity (see [`codings`]).
pub fn canonicalize<'a>(content_type: Option<&str>, coded: bool, body: &'a [u8]) -> Canonical<'a> {
    match json(content_type, coded, body) {
        Some(value) => Canonical { form: Form::Json, bytes: value.to_canonical().into() },
        None => Canonical { form: Form::Raw, bytes: body.into() },
    }
}

/// The body's value, where it counts by value.
pub(crate) fn json<'a>(content_type: Option<&str>, coded: bool, body: &'a [u8]) -> Option<json::Value<'a>> {
    let by_value = !coded && content_type.is_some_and(is_json);
    if by_value { json::parse(body) } else { None }
}

/// A content type without its parameters, in lower case: `application/json`.
pub fn essence(content_type: &str) -> String {
    bare_type(content_type).to_ascii_lowercase()
}

/// The content codings but `identity`, in order and in lower case. None: the body is as it was made.
pub fn codings(content_encoding: Option<&str>) -> impl Iterator<Item = String> {
    let listed = content_encoding.unwrap_or_default().split(',');
    listed
        .map(|coding| coding.trim().to_ascii_lowercase())
        .filter(|coding| !matches!(coding.as_str(), "" | "identity"))
}

/// `application/json` or a type whose suffix is `+json` (RFC 6839, section 3.1).
fn is_json(content_type: &str) -> bool {
    let bare = bare_type(content_type);
    let suffix = bare.rsplit_once('+').map(|(_, suffix)| suffix);
    bare.eq_ignore_ascii_case("application/json")
        || suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case("json"))
}

fn bare_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_types_count_by_value_unless_coded_or_doubtful() {
        let spaced = b"{ \"a\" : 1.0 }".as_slice();
        for (content_type, coded, body, form) in [
            (Some("application/json"), false, spaced, Form::Json),
            (Some("Application/JSON ; charset=utf-8"), false, spaced, Form::Json),
            (Some("application/problem+json"), false, spaced, Form::Json),
            (Some("application/vnd.x+v1+JSON;v=2"), false, spaced, Form::Json),
            (Some("application/json"), true, spaced, Form::Raw),
            (Some("text/json"), false, spaced, Form::Raw),
            (Some("application/jsonl"), false, spaced, Form::Raw),
            (Some("json"), false, spaced, Form::Raw),
            (Some("text/plain; x=application/json"), false, spaced, Form::Raw),
            (Some(""), false, spaced, Form::Raw),
            (None, false, spaced, Form::Raw),
            (Some("application/json"), false, b"{\"a\":1,\"a\":1}", Form::Raw),
            (Some("application/json"), false, b"", Form::Raw),
        ] {
            let canonical = canonicalize(content_type, coded, body);
            assert_eq!(canonical.form, form, "{content_type:?}");
            let bytes: &[u8] = if form == Form::Json { b"{\"a\":1}" } else { body };
            assert_eq!(&*canonical.bytes, bytes, "{content_type:?}");
        }
    }

    #[test]
    fn an_essence_is_lower_case_and_bare() {
        for (content_type, bare) in
            [("Text/HTML; charset=UTF-8", "text/html"), (" a/b ", "a/b"), ("a/b;c", "a/b"), ("", "")]
        {
            assert_eq!(essence(content_type), bare);
        }
    }

    #[test]
    fn identity_is_no_coding() {
        for (field, listed) in [
            (None, [].as_slice()),
            (Some(""), &[]),
            (Some("identity"), &[]),
            (Some(" Identity , "), &[]),
            (Some("gzip"), &["gzip"]),
            (Some("GZIP,identity,\tbr"), &["gzip", "br"]),
        ] {
            assert!(codings(field).eq(listed.iter().copied()), "{field:?}");
        }
    }
}
