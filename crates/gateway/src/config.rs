//! The configuration file: TOML, every key optional, an unknown key an error.
//!
//! Flags of the command line are laid over it by their owner. A route takes what it does not say from `[defaults]`.

mod settings;
mod units;

use std::{net::SocketAddr, path::Path, time::Duration};

use serde::Deserialize;

pub use settings::{Body, ConflictMode, KeyRule, OnUnknown, Settings, SyntaxRule};
pub use units::{Size, Span};

use crate::start_error::{StartError, StartErrorKind};

/// Everything that can be configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where requests are taken.
    pub listen: SocketAddr,
    /// Where they go: `http://host:port`.
    pub upstream: String,
    /// Where operators are served: an address, or `off`.
    pub admin: Admin,
    /// How long a connection to the upstream may take.
    pub upstream_connect: Span,
    /// The shortest time after which the upstream closes an idle connection. Keyed requests use idle ones for half of
    /// it, and then take fresh ones.
    pub upstream_idle: Span,
    /// How long a stopping gateway waits for what is running.
    pub drain: Span,
    /// The ledger.
    pub ledger: Ledger,
    /// Who asks.
    pub principal: Principal,
    /// What routes do unless they say otherwise.
    pub defaults: Settings,
    /// The routes, first match first. Without any, every path has the defaults.
    pub route: Vec<Route>,
}

/// The admin listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Admin {
    /// Here.
    At(SocketAddr),
    /// None.
    Off,
}

/// `[ledger]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ledger {
    /// `memory:` or `embedded:PATH`.
    pub url: String,
    /// Refuses to start on an empty ledger.
    pub must_exist: bool,
    /// Most bytes on disk; zero: until the disk says no.
    pub max_bytes: Size,
}

/// `[principal]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Principal {
    /// How a principal is established.
    pub from: PrincipalFrom,
    /// What the upstream authenticates by: `header:NAME` or `cookie:NAME`, all of them together.
    pub credential: Vec<String>,
    /// What to do with cookies while none is listed.
    pub cookies: Cookies,
    /// The header of `from = "header"`.
    pub header: String,
    /// Peers that may send it: addresses or networks (`10.0.0.0/8`).
    pub trusted: Vec<String>,
}

/// How a principal is established.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalFrom {
    /// By what the upstream authenticates by.
    Credential,
    /// By a header from a trusted peer.
    Header,
    /// Not at all: everybody shares one scope.
    Anonymous,
}

/// What to do with cookies while none is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cookies {
    /// A keyed request with cookies is refused.
    Refuse,
    /// They do not say who asks.
    Ignore,
}

/// `[[route]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// `METHOD /path`, `{x}` for one segment, `{*x}` for the rest.
    #[serde(rename = "match")]
    pub pattern: String,
    /// What it says of its own.
    #[serde(flatten)]
    pub settings: Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            upstream: "http://127.0.0.1:3000".to_owned(),
            admin: Admin::At(SocketAddr::from(([127, 0, 0, 1], 9180))),
            upstream_connect: Duration::from_secs(3).into(),
            upstream_idle: Duration::from_secs(1).into(),
            drain: Duration::from_secs(30).into(),
            ledger: Ledger::default(),
            principal: Principal::default(),
            defaults: Settings::default(),
            route: Vec::new(),
        }
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self { url: "embedded:./onlyonce-data".to_owned(), must_exist: false, max_bytes: Size(0) }
    }
}

impl Default for Principal {
    fn default() -> Self {
        Self {
            from: PrincipalFrom::Credential,
            credential: vec!["header:authorization".to_owned()],
            cookies: Cookies::Refuse,
            header: "x-principal".to_owned(),
            trusted: Vec::new(),
        }
    }
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`StartError`] that names the line, the key and what would be valid.
    pub fn parse(text: &str, name: &Path) -> Result<Self, StartError> {
        toml::from_str(text).map_err(|error| {
            StartError::new(StartErrorKind::Config, format!("{} is not valid:\n{error}", name.display()))
        })
    }
}

impl TryFrom<String> for Admin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse()
            .map(Self::At)
            .map_err(|_| format!("`{text}` is neither an address such as 127.0.0.1:9180 nor off"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("onlyonce.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_route_takes_from_the_defaults_what_it_does_not_say() {
        let config = parse(
            "[defaults]\nwait = \"2s\"\n[[route]]\nmatch = \"POST /transfers\"\nkey = \"required\"\nlease = \"1500ms\"",
        )
        .unwrap();
        let settings = config.route[0].settings.over(&config.defaults);
        assert_eq!(settings.wait.unwrap().0, Duration::from_secs(2));
        assert_eq!(settings.lease.unwrap().0, Duration::from_millis(1500));
        assert_eq!(settings.key, Some(KeyRule::Required));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        for (text, named) in [
            ("lisen = \"127.0.0.1:1\"", "lisen"),
            ("[defaults]\nwaits = \"1s\"", "waits"),
            ("[[route]]\nmatch = \"/\"\nleese = \"1s\"", "leese"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(&format!("unknown field `{named}`")), "{error}");
        }
    }

    #[test]
    fn values_without_a_unit_are_refused() {
        let error = parse("drain = \"30\"").unwrap_err();
        assert!(error.contains("30s"), "{error}");
    }
}
