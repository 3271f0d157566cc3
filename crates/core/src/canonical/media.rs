//! Media types and content codings, as far as they say how a body counts.

/// A media type whose bodies count by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Form,
    Multipart,
}

impl Kind {
    pub(super) fn of(content_type: &str) -> Option<Self> {
        let bare = bare_type(content_type);
        if is_json(bare) {
            Some(Self::Json)
        } else if bare.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            // In another character set the same bytes are another text.
            is_utf8(content_type).then_some(Self::Form)
        } else if bare.eq_ignore_ascii_case("multipart/form-data") {
            Some(Self::Multipart)
        } else {
            None
        }
    }
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

/// Whether some upstream may read a body of this type as JSON, by whatever name it goes.
pub(crate) fn may_be_json(content_type: Option<&str>) -> bool {
    may_be(content_type, "json")
}

/// Whether some upstream may read a body of this type as a form.
pub(crate) fn may_be_form(content_type: Option<&str>) -> bool {
    may_be(content_type, "form")
}

/// What names no type may be of any.
fn may_be(content_type: Option<&str>, word: &str) -> bool {
    let bare = content_type.map(essence).unwrap_or_default();
    !bare.contains('/') || bare.contains(word)
}

/// `application/json` or a type whose suffix is `+json` (RFC 6839, section 3.1).
fn is_json(bare: &str) -> bool {
    let suffix = bare.rsplit_once('+').map(|(_, suffix)| suffix);
    bare.eq_ignore_ascii_case("application/json")
        || suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case("json"))
}

fn is_utf8(content_type: &str) -> bool {
    let Some((_, rest)) = content_type.split_once(';') else { return true };
    parameters(rest).is_some_and(|found| {
        found.iter().all(|(name, value)| name != "charset" || value.eq_ignore_ascii_case("utf-8"))
    })
}

fn bare_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// The parameters after a header's first `;` (RFC 9110, section 5.6.6), names in lower case. `None` if two readers may
/// disagree: a name that comes twice, a backslash, a quote that does not end its value.
pub(super) fn parameters(text: &str) -> Option<Vec<(String, &str)>> {
    let mut found: Vec<(String, &str)> = Vec::new();
    let mut rest = text.trim_matches([' ', '\t']);
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = value(after)?;
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        let name = name.to_ascii_lowercase();
        if found.iter().any(|(other, _)| *other == name) {
            return None;
        }
        found.push((name, value));
        let after = after.trim_start_matches([' ', '\t']);
        if after.is_empty() {
            return Some(found);
        }
        rest = after.strip_prefix(';')?.trim_start_matches([' ', '\t']);
    }
}

/// A token or a quoted string without escapes, and what follows.
fn value(text: &str) -> Option<(&str, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (value, rest) = quoted.split_once('"')?;
        return (!value.contains('\\')).then_some((value, rest));
    }
    let end = text.bytes().position(|byte| !is_token(byte)).unwrap_or(text.len());
    if end == 0 { None } else { text.split_at_checked(end) }
}

/// A character of a field name or another token (RFC 9110, section 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_type_that_says_nothing_may_be_anything() {
        for (content_type, json, form) in [
            (None, true, true),
            (Some(""), true, true),
            (Some("json"), true, true),
            (Some("application/json"), true, false),
            (Some("text/x-JSON; charset=utf-16"), true, false),
            (Some("application/x-www-form-urlencoded"), false, true),
            (Some("multipart/form-data"), false, true),
            (Some("text/plain; x=application/json"), false, false),
            (Some("application/octet-stream"), false, false),
        ] {
            assert_eq!(
                (may_be_json(content_type), may_be_form(content_type)),
                (json, form),
                "{content_type:?}"
            );
        }
    }

    #[test]
    fn parameters_that_can_be_read_two_ways_are_not_read() {
        let read = |text| parameters(text);
        let pair = |name: &str, value| (name.to_owned(), value);
        assert_eq!(read(" A=b; c=\"d;e\" "), Some(vec![pair("a", "b"), pair("c", "d;e")]));
        assert_eq!(read("a=\"\""), Some(vec![pair("a", "")]));
        for text in [
            "",
            "a",
            "a=",
            "=b",
            "a=b;",
            "a=b c=d",
            "a=b;A=c",
            "a=\"b",
            "a=\"b\\\"\"",
            "a=\"b\"c",
            "a =b",
            "a=b;;c=d",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
