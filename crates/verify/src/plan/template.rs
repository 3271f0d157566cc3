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
    fn one_operation_has_one_fresh_value_and_the_next_another() {
        let template = Template::new(r#"{"a":"{{fresh}}","b":"{{fresh}}","n":{{number}},"u":"{{uuid}}"}"#);
        let fresh = Fresh::new();
        let text = template.with(&fresh);
        assert_eq!(text.matches(&fresh.token).count(), 2);
        assert!(!text.contains("{{"), "{text}");
        assert_ne!(text, template.with(&Fresh::new()));
    }
}
