//! `[ledger]`: where records are kept, and what that place has to promise.

use std::{collections::BTreeMap, fmt, str::FromStr};

use onlyonce_backends::{Error, Options, Place};
use serde::{Deserialize, Deserializer, de};

use super::{Config, units::Size};
use crate::start_error::{StartError, StartErrorKind};

/// What stands before the name of a variable that holds a ledger URL.
const ENVIRONMENT: &str = "env:";

/// `[ledger]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// Where it is.
    pub url: Url,
    /// Refuses to start on an empty ledger.
    pub must_exist: bool,
    /// Most bytes on disk of an embedded one; zero: until the disk says no.
    pub max_bytes: Size,
    /// Starts also where its server may lose a claim that it acknowledged.
    pub accept_loss: bool,
    /// How many replicas of a Redis server must have a write before it counts.
    pub min_replicas: u32,
}

/// A ledger URL, or the variable of the environment that holds one. Its text form shows nothing that authenticates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Url {
    /// As it is written.
    Written(Box<Place>),
    /// What this variable holds.
    Environment(String),
}

impl Default for Ledger {
    fn default() -> Self {
        Config::default().ledger
    }
}

impl Ledger {
    /// Where it is, with the values of these variables.
    ///
    /// # Errors
    /// [`StartError`] that names the variable that is not set or holds no ledger URL.
    pub fn place(&self, variables: &BTreeMap<String, String>) -> Result<Place, StartError> {
        let variable = |name: &str| variables.get(name).cloned();
        self.url
            .place(variable)
            .map_err(|why| StartError::new(StartErrorKind::Config, format!("`ledger.url`: {why}")))
    }

    /// How it is opened with this secret.
    pub(crate) fn options(&self, secret: Option<String>) -> Options {
        let max_bytes = self.max_bytes.0;
        Options {
            secret,
            max_bytes: (max_bytes > 0).then_some(max_bytes),
            accept_loss: self.accept_loss,
            min_replicas: self.min_replicas,
            ledger: onlyonce_ledger::Options {
                must_exist: self.must_exist,
                ..onlyonce_ledger::Options::default()
            },
        }
    }
}

impl Url {
    /// The place that it names, with the value of its variable.
    ///
    /// # Errors
    /// The variable that is not set or holds no ledger URL.
    pub fn place(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Place, String> {
        let name = match self {
            Self::Written(place) => return Ok((**place).clone()),
            Self::Environment(name) => name,
        };
        let url = variable(name).ok_or_else(|| format!("the environment variable {name} is not set"))?;
        let wrong = |error: Error| format!("the environment variable {name} holds no ledger URL: {error}");
        url.parse().map_err(wrong)
    }

    /// The variable of the environment that it is taken from.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Written(_) => None,
            Self::Environment(name) => Some(name),
        }
    }
}

impl From<Place> for Url {
    fn from(place: Place) -> Self {
        Self::Written(Box::new(place))
    }
}

impl FromStr for Url {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.strip_prefix(ENVIRONMENT).filter(|name| !name.is_empty()) {
            Some(name) => Ok(Self::Environment(name.to_owned())),
            None => text.parse::<Place>().map(Self::from),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(place) => place.fmt(f),
            Self::Environment(name) => write!(f, "{ENVIRONMENT}{name}"),
        }
    }
}

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
