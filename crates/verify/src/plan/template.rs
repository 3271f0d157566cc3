//! Texts with values that are fresh for each operation.

use crate::{call::Minted, random};

/// A text in which `{{fresh}}`, `{{uuid}}` and `{{number}}` stand for values that no other operation has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(String);

/// The fresh values of one operation: the same in all its texts.
#[derive(Clone, Debug)]
pub(crate) struct Fresh {
    pub(crate) token: String,
    uuid: String,
    number: String,
}

impl Template {
    /// What to put fresh values into.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text without its fresh values.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is written like a fresh value, and is none: `{{fres}}`.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = &str> {
        const KNOWN: [&str; 3] = ["fresh", "uuid", "number"];
        let opened = self.0.match_indices("{{").map(|(at, _)| self.0.get(at..).unwrap_or_default());
        opened.filter_map(|text| {
            let name = text.get(2..text.find("}}")?)?;
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || " _-".contains(c));
            (is_name && !KNOWN.contains(&name)).then(|| text.get(..name.len() + 4).unwrap_or_default())
        })
    }

    /// With the values of one operation.
    pub(crate) fn with(&self, fresh: &Fresh) -> String {
        self.0
            .replace("{{fresh}}", &fresh.token)
            .replace("{{uuid}}", &fresh.uuid)
            .replace("{{number}}", &fresh.number)
    }
}

impl Fresh {
    pub(crate) fn new() -> Self {
        Self { token: random::token(), uuid: random::uuid(), number: random::number().to_string() }
    }

    /// All of them.
    pub(crate) fn minted(&self) -> Vec<Minted> {
        let Self { token, uuid, number } = self.clone();
        vec![Minted::Token(token), Minted::Uuid(uuid), Minted::Number(number)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_looks_like_a_fresh_value_is_named() {
        let template = Template::new(r#"{"a":{"b":"{{fres}}"},"c":{"d":{}}} {{number}} {{ uuid }} {{"#);
        assert_eq!(template.unknown().collect::<Vec<_>>(), ["{{fres}}", "{{ uuid }}"]);
    }

    #[test]
    fn one_operation_has_one_fresh_value_and_the_next_another() {
        let template = Template::new(r#"{"a":"{{fresh}}","b":"{{fresh}}","n":{{number}},"u":"{{uuid}}"}"#);
        let fresh = Fresh::new();
        let text = template.with(&fresh);
        assert_eq!(text.matches(&fresh.token).count(), 2);
        assert!(!text.contains("{{"), "{text}");
        assert_ne!(text, template.with(&Fresh::new()));
    }
}
