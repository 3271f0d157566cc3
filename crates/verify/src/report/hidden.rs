//! What stands in no report: credentials' values, wherever they turn up, and what would speak to a terminal.
//!
//! Invariant: every text that a report took from an answer or a request went through here.

use http::HeaderMap;

use crate::{checks, plan::Credentials};

/// Stands where a credential stood.
const MASK: &str = "•••";
/// Shorter words are no secrets, and would be found everywhere.
const SHORTEST: usize = 6;
/// What a text was cut with.
const CUT: char = '…';
/// So much of a value is no secret where a text was cut in its middle.
const PART: usize = 4;

/// Values that are masked, the longest first.
#[derive(Clone, Debug)]
pub(crate) struct Hidden(Vec<Value>);

#[derive(Clone, Debug)]
struct Value {
    text: String,
    /// Whether the verifier says this word itself.
    is_own: bool,
}

impl Hidden {
    pub(crate) fn new(credentials: &Credentials) -> Self {
        let values = |headers: &HeaderMap| -> Vec<String> {
            let texts = headers.values().filter_map(|value| value.to_str().ok());
            texts.flat_map(|text| std::iter::once(text).chain(parts(text))).map(str::to_owned).collect()
        };
        let mut all = values(&credentials.first);
        all.extend(credentials.second.iter().flat_map(values));
        all.retain(|value| value.len() >= SHORTEST);
        all.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let value = |text: String| Value { is_own: is_own(&text), text };
        Self(all.into_iter().map(value).collect())
    }

    /// A text that came from a request or an answer, without credentials; what is no printable character is written as
    /// an escape.
    pub(crate) fn text(&self, text: &str) -> String {
        masked(text, &self.0.iter().map(|value| &*value.text).collect::<Vec<_>>())
    }

    /// The same for a sentence of the verifier, which may quote an answer. A word that it uses itself, such as the one in
    /// `Bearer second`, is a secret to nobody, and the sentence would not be understood without it.
    pub(crate) fn told(&self, sentence: &str) -> String {
        let values = self.0.iter().filter(|value| !value.is_own);
        masked(sentence, &values.map(|value| &*value.text).collect::<Vec<_>>())
    }
}

/// Whether a value is an ordinary word of what the checks demand.
fn is_own(value: &str) -> bool {
    let texts = checks::all().flat_map(|check| [check.requirement, check.source]);
    let mut words = texts.flat_map(|text| text.split(|c: char| !c.is_alphabetic()));
    words.any(|word| word == value)
}

fn masked(text: &str, values: &[&str]) -> String {
    let mut text = text.to_owned();
    for value in values {
        if text.contains(value) {
            text = text.replace(value, MASK);
        }
    }
    printable(&cut(&text, values))
}

/// A text that was cut, such as a long body, may end within a value.
fn cut(text: &str, values: &[&str]) -> String {
    let mut pieces = text.split(CUT).map(str::to_owned).collect::<Vec<_>>();
    let last = pieces.pop();
    for piece in &mut pieces {
        let part = |value: &&str| (PART..value.len()).rev().find(|end| ends_with(piece, value, *end));
        if let Some(part) = values.iter().filter_map(part).max() {
            piece.truncate(piece.len() - part);
            piece.push_str(MASK);
        }
    }
    pieces.extend(last);
    pieces.join(&CUT.to_string())
}

fn ends_with(text: &str, value: &str, end: usize) -> bool {
    value.get(..end).is_some_and(|beginning| text.ends_with(beginning))
}

/// `abc` of `Bearer abc`, and both values of `session=abc; csrf=def`: an API that echoes its caller echoes those.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split([' ', ';', ',']).enumerate().filter(|(_, word)| !word.is_empty());
    words.filter_map(|(number, word)| match word.split_once('=') {
        Some((_, value)) if !value.trim_matches('=').is_empty() => Some(value),
        // The first of several words is the name of a scheme.
        _ => (number > 0).then_some(word),
    })
}

/// Line ends and tabs stay; everything else that a terminal would act on, or that turns the direction of a text, is
/// shown as `\u{1b}`.
fn printable(text: &str) -> String {
    let acts = |c: char| {
        c.is_control() && !matches!(c, '\n' | '\t')
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match acts(c) {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn an_echoed_credential_and_an_escape_sequence_do_not_come_through() {
        let header =
            |value| HeaderMap::from_iter([(http::header::AUTHORIZATION, HeaderValue::from_static(value))]);
        let credentials = Credentials {
            first: header("Bearer s3cret-1"),
            second: Some(header("s3cret-2")),
            ..Credentials::default()
        };
        let hidden = Hidden::new(&credentials);
        assert_eq!(hidden.text("you are s3cret-1, not s3cret-2"), "you are •••, not •••");
        let header = |value| HeaderMap::from_iter([(http::header::COOKIE, HeaderValue::from_static(value))]);
        let cookies = Credentials {
            first: header("session=s3cret-1; csrf=s3cret-2"),
            second: None,
            ..Credentials::default()
        };
        assert_eq!(Hidden::new(&cookies).text("s3cret-1 and s3cret-2"), "••• and •••");
        assert_eq!(hidden.text("a\u{61c}b\u{200b}c\u{2028}d"), "a\\u{61c}b\\u{200b}c\\u{2028}d");
        assert_eq!(hidden.text("\u{1b}[2J\u{202e}a\nb"), "\\u{1b}[2J\\u{202e}a\nb");
    }

    /// A body is shortened before it comes here, and a value in it may have lost its end.
    #[test]
    fn the_beginning_of_a_credential_does_not_come_through_where_a_text_was_cut() {
        let first = HeaderMap::from_iter([(
            http::header::AUTHORIZATION,
            HeaderValue::from_static("Bearer s3cret-of-the-first"),
        )]);
        let hidden = Hidden::new(&Credentials { first, ..Credentials::default() });
        assert_eq!(hidden.text("401 you are s3cret-of-…, then 200"), "401 you are •••…, then 200");
        assert_eq!(hidden.text("401 Bearer s3cret-of-the-firs…"), "401 •••…");
        assert_eq!(hidden.text("no s3…, and no … either"), "no s3…, and no … either");
    }

    #[test]
    fn a_word_that_the_verifier_uses_itself_is_masked_in_answers_and_not_in_its_sentences() {
        let first = HeaderMap::from_iter([
            (http::header::AUTHORIZATION, HeaderValue::from_static("Bearer second")),
            (http::header::COOKIE, HeaderValue::from_static("session=s3cret-1")),
        ]);
        let hidden = Hidden::new(&Credentials { first, ..Credentials::default() });
        assert_eq!(
            hidden.told("a second effect after 2 seconds: 200 s3cret-1"),
            "a second effect after 2 seconds: 200 •••"
        );
        assert_eq!(hidden.text("you are second"), "you are •••");
    }

    #[test]
    fn an_empty_credential_masks_nothing() {
        let none = HeaderMap::from_iter([(http::header::AUTHORIZATION, HeaderValue::from_static(""))]);
        assert_eq!(
            Hidden::new(&Credentials { first: none, second: None, ..Credentials::default() }).text("abc"),
            "abc"
        );
    }
}
