//! The configuration file: TOML, every key optional, an unknown key an error.
//!
//! Flags of the command line are laid over it by their owner. A route takes what it does not say from `[defaults]`.
//! A key stands in two places: its value and what it is for in `default.toml`, its type in the struct of its table.

pub mod explain;
pub mod ledger;
pub mod probe;

mod layers;
mod mistake;
mod places;
mod rules;
mod settings;
#[cfg(test)]
mod tests;
mod units;
mod warnings;
mod written;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use onlyonce_core::LedgerKey;
pub use onlyonce_http::rules::{Conflict, ForwardKey, Mode, Requirement, Resource};
use serde::Deserialize;
use toml::{Spanned, de::DeTable};

pub use self::{
    ledger::Ledger,
    settings::{Body, Fingerprint, Headers, KeyTime, OnUnknown, Settings},
    units::{Size, Span},
    written::Word,
};
use self::{
    mistake::Mistake,
    written::{Written, list, maybe, one},
};
use crate::{
    routes::Routes,
    start_error::{StartError, StartErrorKind},
};

/// The configuration with its defaults and a word on each key, as the file that holds nothing else.
pub const BUILT_IN: &str = layers::BUILT_IN;

/// Everything that can be configured.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where requests are taken.
    #[serde(deserialize_with = "one")]
    pub listen: SocketAddr,
    /// Where they go: `http://host:port` or `https://host:port`.
    pub upstream: String,
    /// The certificates that are trusted there, instead of the system's.
    #[serde(deserialize_with = "maybe")]
    pub upstream_ca: Option<PathBuf>,
    /// Where operators are served: an address, or `off`.
    #[serde(deserialize_with = "one")]
    pub admin: Admin,
    /// How long a connection to the upstream may take.
    pub upstream_connect: Span,
    /// The shortest time after which the upstream closes an idle connection. Keyed requests use idle ones for half of
    /// it, and then take fresh ones.
    pub upstream_idle: Span,
    /// How long an idle connection of a client is kept: longer than a balancer in front keeps its own, or it writes a
    /// request into one that is being closed.
    pub keep_alive: Span,
    /// How long a stopping gateway waits for what is running.
    pub drain: Span,
    /// What the `type` of a problem document begins with.
    #[serde(deserialize_with = "one")]
    pub problem_base: ProblemBase,
    /// The ledger.
    pub ledger: Ledger,
    /// Who asks.
    pub principal: Principal,
    /// The pages that may read answers.
    pub cors: Cors,
    /// What routes do unless they say otherwise.
    pub defaults: Settings,
    /// The routes, first match first. Without any, every path has the defaults.
    #[serde(default)]
    pub route: Vec<Route>,
}

/// The admin listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admin {
    /// Here.
    At(SocketAddr),
    /// None.
    Off,
}

/// `[principal]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Principal {
    /// How a principal is established.
    #[serde(deserialize_with = "one")]
    pub from: PrincipalFrom,
    /// What the upstream authenticates by: `header:NAME` or `cookie:NAME`, all of them together.
    pub credential: Vec<String>,
    /// What to do with cookies while none is listed.
    #[serde(deserialize_with = "one")]
    pub cookies: Cookies,
    /// The header of `from = "header"`.
    pub header: String,
    /// Peers that may send it: addresses or networks (`10.0.0.0/8`).
    pub trusted: Vec<String>,
}

/// How a principal is established.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalFrom {
    /// By what the upstream authenticates by.
    Credential,
    /// By a header from a trusted peer.
    Header,
    /// Not at all: everybody shares one scope.
    Anonymous,
}

/// What to do with cookies while none is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookies {
    /// A keyed request with cookies is refused.
    Refuse,
    /// They do not say who asks.
    Ignore,
}

/// `[cors]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// Their origins.
    #[serde(deserialize_with = "list")]
    pub origins: Vec<Origin>,
    /// Whether they may send credentials that the browser holds: cookies above all.
    pub credentials: bool,
}

/// The origin of a page, as a browser sends it: scheme, host, and the port if it is not the usual one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(Box<str>);

/// A URI that the name of a problem can follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProblemBase(Box<str>);

/// `[[route]]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// `METHOD /path`, `{x}` for one segment, `{*x}` for the rest.
    #[serde(rename = "match")]
    pub pattern: String,
    /// All that holds for it.
    pub settings: Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self::parse("", Path::new("nothing")).expect("the built-in configuration is valid, as tests see")
    }
}

impl Default for Principal {
    fn default() -> Self {
        Config::default().principal
    }
}

impl Config {
    /// Reads a configuration, whose routes can be kept.
    ///
    /// # Errors
    /// [`StartError`] that names the line, the key and what would be valid; of two keys that do not go together, both lines.
    pub fn parse(text: &str, name: &Path) -> Result<Self, StartError> {
        Self::read(text).map_err(|mistake| mistake.told(name, text))
    }

    /// The variables of the environment that it names.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let routes = self.route.iter().map(|route| &route.settings);
        let of_probes = routes.chain([&self.defaults]).flat_map(|settings| settings.probe.variables());
        self.ledger.url.variable().into_iter().chain(of_probes)
    }

    /// A URL with a user or a password in it is refused without being repeated: nobody would send them.
    ///
    /// # Errors
    /// [`StartError`] that names the key.
    pub(crate) fn refuse_users(&self) -> Result<(), StartError> {
        let refused = |what: String| Err(StartError::new(StartErrorKind::Config, what));
        if self.upstream.contains('@') {
            return refused(
                "`upstream` has a user or a password in it, and none is sent from there; write http://127.0.0.1:3000 or \
                 https://api.example.com"
                    .to_owned(),
            );
        }
        let routes = self.route.iter().map(|route| (route.pattern.as_str(), &route.settings));
        let mut all = routes.chain([("*", &self.defaults)]);
        let has_user =
            |settings: &Settings| settings.probe.url.contains("://") && settings.probe.url.contains('@');
        match all.find(|(_, settings)| has_user(settings)) {
            Some((name, _)) => refused(format!(
                "route `{name}`: `probe.url` has a user or a password in it, and none is sent from there; write it in \
                 `probe.headers`, and an @ of the path as %40"
            )),
            None => Ok(()),
        }
    }

    fn read(text: &str) -> Result<Self, Mistake> {
        let file = DeTable::parse(text)?;
        let whole = layers::layered(file.get_ref().clone())?;
        let config = Self::deserialize(toml::Deserializer::from(Spanned::new(file.span(), whole)))?;
        // Which key they get makes no difference to whether routes can be kept.
        match Routes::new(&config, &LedgerKey::new([0; 32])) {
            Ok(_) => Ok(config),
            Err(refused) => Err(places::mistake(file.get_ref(), refused)),
        }
    }
}

impl Origin {
    /// As a browser sends it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ProblemBase {
    /// What comes before the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads where requests are taken.
///
/// # Errors
/// What would be valid.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    SocketAddr::checked(text)
}

impl TryFrom<String> for Admin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::checked(&text)
    }
}

impl Written for SocketAddr {
    const VALID: &'static str = "an IP address and a port such as 127.0.0.1:8080 or 0.0.0.0:8080";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Written for Admin {
    const VALID: &'static str = "an IP address and a port such as 127.0.0.1:9180, or off";

    fn read(text: &str) -> Option<Self> {
        if text == "off" { Some(Self::Off) } else { text.parse().ok().map(Self::At) }
    }
}

impl Written for Origin {
    const VALID: &'static str = "the origin of a page, such as https://shop.example (without a path, and no `*`: each \
                                 page is named)";

    fn read(text: &str) -> Option<Self> {
        let uri: http::Uri = text.parse().ok()?;
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        let usual = match scheme {
            "https" => Some(443),
            "http" => Some(80),
            _ => None,
        };
        let plain = text.eq_ignore_ascii_case(&format!("{scheme}://{authority}"));
        let named = !authority.host().is_empty() && !authority.as_str().contains(['*', '@']);
        let port = authority.port_u16().filter(|port| Some(*port) != usual);
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        let origin = format!("{scheme}://{}{port}", authority.host()).to_ascii_lowercase();
        (plain && named).then(|| Self(origin.into()))
    }
}

impl Written for ProblemBase {
    const VALID: &'static str =
        "a URI that a name can follow: https://api.example/problems/ or urn:problem-type:shop:";

    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let ends = text.ends_with(['/', ':', '#', '=']);
        let clean = rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
        (scheme && ends && clean && !rest.is_empty()).then(|| Self(text.into()))
    }
}
