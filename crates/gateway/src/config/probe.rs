//! `[route.probe]`: how the upstream is asked what became of an operation.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use onlyonce_core::json::Pointer;
use serde::{Deserialize, Deserializer};

use super::{
    units::Span,
    written::{self, Written, one, pairs},
};

/// What stands for the operation's reference.
pub const REFERENCE: &str = "{operation_ref}";

/// How the upstream is asked. Counts where `on_unknown = "probe"`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// A path of the upstream, or a URL, with [`REFERENCE`] in it.
    #[serde(default)]
    pub url: String,
    /// What is sent with it.
    #[serde(default, deserialize_with = "pairs")]
    pub headers: Vec<(HeaderName, Value)>,
    /// How long until it is asked again.
    pub every: Span,
    /// What two 404s say.
    #[serde(deserialize_with = "one")]
    pub absent: Absent,
    /// The status that repeats of an applied operation get.
    #[serde(deserialize_with = "applied")]
    pub status: StatusCode,
    /// The states of the resource that stand; without it, each 200 does.
    #[serde(default, rename = "final")]
    pub stands: Option<Stands>,
}

/// A header's value.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// As it is written.
    Written(HeaderValue),
    /// What this variable of the environment holds.
    Environment(String),
}

/// `absent = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Nothing.
    Unknown,
    /// It was not applied, and will not be.
    NotApplied,
}

/// `final = …`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stands {
    /// Where the state stands in the answer's JSON body.
    #[serde(deserialize_with = "one")]
    pub pointer: Pointer,
    /// The states that do not change any more.
    pub values: Vec<serde_json::Value>,
}

impl Probe {
    /// The variables of the environment that its headers are taken from.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().filter_map(|(_, value)| match value {
            Value::Environment(name) => Some(name.as_str()),
            Value::Written(_) => None,
        })
    }

    /// What is sent with a probe, with the values of these variables.
    ///
    /// # Errors
    /// The variable that is not set, or is no value of a header.
    pub fn header_map(&self, variables: &BTreeMap<String, String>) -> Result<HeaderMap, String> {
        let mut map = HeaderMap::new();
        for (name, value) in &self.headers {
            let mut value = match value {
                Value::Written(value) => value.clone(),
                Value::Environment(variable) => {
                    let held = variables.get(variable).ok_or_else(|| {
                        format!("`probe.headers.{name}`: the environment variable {variable} is not set")
                    })?;
                    HeaderValue::try_from(held).map_err(|_| {
                        format!("`probe.headers.{name}`: what the environment variable {variable} holds cannot be sent")
                    })?
                }
            };
            value.set_sensitive(true);
            map.append(name, value);
        }
        Ok(map)
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // Most of them are credentials.
            Self::Written(_) => f.write_str("Written(…)"),
            Self::Environment(name) => write!(f, "Environment({name})"),
        }
    }
}

impl Written for Value {
    const VALID: &'static str = "the value of a header, or env:NAME for one from the environment";
    const SECRET: bool = true;

    fn read(text: &str) -> Option<Self> {
        match text.strip_prefix("env:") {
            Some("") => None,
            Some(name) => Some(Self::Environment(name.to_owned())),
            None => HeaderValue::try_from(text).ok().map(Self::Written),
        }
    }
}

fn applied<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StatusCode, D::Error> {
    written::status(deserializer, |status| (200..600).contains(&status), "a status from 200 to 599")
}
