//! Texts of a plan that are taken as they are written, looked at for what was not meant.

use std::fmt;

use super::{Fresh, PlanError, Template, mistake};

/// Something that is written like a fresh value, and is none: it is sent as it stands, which may be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// Where it stands.
    key: String,
    /// With its braces.
    written: String,
}

/// What stands for fresh values.
const KNOWN: [&str; 3] = ["fresh", "uuid", "number"];
/// Most of a wrong text that is shown, in characters.
const SHOWN: usize = 80;

impl Placeholder {
    /// Those in what stands at `key`.
    pub(super) fn all(key: &str, text: &str) -> Vec<Self> {
        let opened = text.match_indices("{{").map(|(at, _)| text.get(at..).unwrap_or_default());
        let unknown = opened.filter_map(|text| {
            let name = text.get(2..text.find("}}")?)?;
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || " _-".contains(c));
            let written = text.get(..name.len() + 4).unwrap_or_default().to_owned();
            (is_name && !KNOWN.contains(&name)).then(|| Self { key: key.to_owned(), written })
        });
        unknown.collect()
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, written } = self;
        let name = written.trim_matches(|c: char| "{} ".contains(c));
        write!(f, "{key}: {written} is sent as it stands")?;
        match mistake::likeliest(name, &KNOWN) {
            Some(meant) => write!(f, "; did you mean {{{{{meant}}}}}?"),
            None => f.write_str("; what is new each time is {{fresh}}, {{uuid}} or {{number}}"),
        }
    }
}

/// Whether the text at `key` is JSON once it has its fresh values.
///
/// # Errors
/// Shows it, and what to write if a file was meant: `from_file` makes that of its name.
pub(super) fn json(key: &str, text: &str, from_file: impl Fn(&str) -> String) -> Result<(), PlanError> {
    let filled = Template::new(text).with(&Fresh::new());
    let read = serde_json::from_str::<serde::de::IgnoredAny>(&filled);
    read.map(drop).map_err(|error| {
        let mut shown: String = text.chars().take(SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        let cure = match text.strip_prefix('@') {
            Some(file) => format!("; no file is read: {}", from_file(file)),
            None => String::new(),
        };
        PlanError::new(format!("{key}: {shown:?} is no JSON: {error}{cure}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_looks_like_a_fresh_value_is_named_with_what_was_meant() {
        let text = r#"{"a":{"b":"{{fres}}"},"c":{"d":{}}} {{number}} {{ uuid }} {{order}} {{"#;
        let told: Vec<_> = Placeholder::all("at", text).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "at: {{fres}} is sent as it stands; did you mean {{fresh}}?",
                "at: {{ uuid }} is sent as it stands; did you mean {{uuid}}?",
                "at: {{order}} is sent as it stands; what is new each time is {{fresh}}, {{uuid}} or {{number}}",
            ]
        );
    }

    #[test]
    fn a_text_is_json_once_it_has_its_fresh_values() {
        let told =
            |text| json("at", text, |file| format!("write ${file}")).map_err(|error| error.to_string());
        assert_eq!(told(r#"{"a":"{{fresh}}","b":{{number}}}"#), Ok(()));
        assert!(told("{").unwrap_err().starts_with("at: \"{\" is no JSON: EOF"));
        assert!(told("@body.json").unwrap_err().ends_with("; no file is read: write $body.json"));
        assert!(told(&"x".repeat(100)).unwrap_err().contains("xx…\" is no JSON"));
    }
}
