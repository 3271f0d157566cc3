//! What is asked of which API, and how its effects are counted.
//!
//! A plan is read from [a file](Plan::parse) or made [from one line](OneLine). Both give the same type, and nothing below
//! knows which it was.

mod behind;
mod carrier;
mod checked;
mod duration;
mod key;
mod mistake;
mod one_line;
mod operation;
mod resource;
mod template;
mod written;

use std::{fmt, net::SocketAddr, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    call::{Origin, Who},
    counter::Counter,
    random,
};

pub use carrier::Carrier;
pub use checked::Placeholder;
pub use key::{Form, KeyRule};
pub use one_line::OneLine;
pub use operation::{Operation, Operations, Part};
pub use resource::Resource;
pub(crate) use template::Fresh;
pub use template::Template;

/// A plan that can be carried out.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The API.
    pub target: Origin,
    /// Whose expectations it is held to, by name.
    pub profile: String,
    /// How a request carries its key.
    pub key: KeyRule,
    /// Who asks.
    pub credentials: Credentials,
    /// What is asked.
    pub operations: Operations,
    /// Something that is read, replaced and removed by its path.
    pub resource: Option<Resource>,
    /// How effects are counted; `None`: not at all, or by the verifier itself in the upstream view.
    pub counter: Option<Counter>,
    /// How long results are kept, if that is known and short enough to wait for.
    pub retention: Option<Duration>,
    /// How the API is killed, stopped and started.
    pub commands: Commands,
    /// The verifier is the application behind what is verified; `None`: the client's view.
    pub upstream: Option<Upstream>,
    /// How much may be asked of the API.
    pub bounds: Bounds,
    /// What is written like a fresh value, and is none.
    pub placeholders: Vec<Placeholder>,
}

/// The verifier as the application behind what is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether whoever asks has to show it to the application as well: what stands between hands credentials on.
    pub credentials: bool,
}

impl Plan {
    /// A plan with every key, its default where it has one, and a word on each.
    pub const COMMENTED: &str = include_str!("plan/commented.toml");

    /// Whose values stand in no report: those of the callers, and what stands beside them in the headers of operations.
    pub(crate) fn secrets(&self) -> Credentials {
        let mut secrets = self.credentials.clone();
        let counted = self.counter.iter().filter_map(Counter::question);
        for operation in self.operations.all().chain(counted) {
            for (name, value) in &operation.headers {
                if self.credentials.is_secret(name.as_str()) {
                    secrets.first.append(name, value.clone());
                }
            }
        }
        secrets
    }
}

/// What shows who asks: headers.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// Of the caller who does most of it; empty: none is needed.
    pub first: HeaderMap,
    /// Of somebody else.
    pub second: Option<HeaderMap>,
    /// Variables of the environment that a header's value was taken from.
    pub variables: Vec<(Who, HeaderName, String)>,
}

/// Commands for a shell (`sh -c`); each is done when it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// Kills it, as a crash would.
    pub kill: Option<String>,
    /// Starts it again, in the background.
    pub restart: Option<String>,
    /// Stops it where it is (SIGSTOP).
    pub pause: Option<String>,
    /// Lets it go on.
    pub resume: Option<String>,
    /// How long it stays stopped: longer than it may hold a key without being heard of. `None`: 5 s.
    pub pause_for: Option<Duration>,
}

/// Bounds of what the verifier itself does.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most requests of one run.
    pub requests: u32,
    /// Most requests at once.
    pub at_once: u32,
    /// How long an answer may take.
    pub patience: Duration,
    /// How long an effect may take to be counted.
    pub settle: Duration,
}

/// A plan that cannot be carried out, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError(pub(crate) String);

impl Default for Bounds {
    fn default() -> Self {
        Self {
            requests: 10_000,
            at_once: 100,
            patience: Duration::from_secs(15),
            settle: Duration::from_secs(3),
        }
    }
}

impl Credentials {
    /// What shows that it is `who`; `None`: the plan has no such caller.
    #[must_use]
    pub fn of(&self, who: Who) -> Option<HeaderMap> {
        match who {
            Who::First => Some(self.first.clone()),
            Who::Second => self.second.clone(),
            Who::Nobody => None,
            Who::Stranger => Some(wrong(&self.first)),
        }
    }

    /// Whether a header shows who asks, or may: then its value stands in no report.
    #[must_use]
    pub fn is_secret(&self, header: &str) -> bool {
        const PARTS: [&str; 10] = [
            "authoriz",
            "authentication",
            "token",
            "secret",
            "password",
            "session",
            "credential",
            "cookie",
            "api-key",
            "apikey",
        ];
        // Not every author is a credential.
        let is_word = header.split(['-', '_']).any(|word| word == "auth");
        let named = |headers: &HeaderMap| headers.contains_key(header);
        is_word
            || PARTS.iter().any(|part| header.contains(part))
            || named(&self.first)
            || self.second.as_ref().is_some_and(named)
    }
}

/// The same headers with a scheme or a name as before, and a secret that nobody was given.
fn wrong(headers: &HeaderMap) -> HeaderMap {
    let wrong = |value: &HeaderValue| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let kept = text.find([' ', '=']).map_or("", |at| text.get(..=at).unwrap_or_default());
        HeaderValue::try_from(format!("{kept}{}", random::token())).unwrap_or_else(|_| value.clone())
    };
    headers.iter().map(|(name, value)| (name.clone(), wrong(value))).collect()
}

/// Reads a credential that is one header: `Authorization: Bearer …`.
///
/// # Errors
/// If it is not written so.
pub fn credential(line: &str) -> Result<HeaderMap, PlanError> {
    Ok(HeaderMap::from_iter([operation::parse_header(line)?]))
}

impl PlanError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// With the key that it is about.
    pub(crate) fn within(self, key: &str) -> Self {
        Self(format!("{key}: {self}"))
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PlanError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_who_asks_is_known_by_its_name() {
        let nobody = Credentials::default();
        let secret =
            ["authorization", "x-auth", "x-auth-token", "apikey", "x-api-key", "cookie", "x-session-id"];
        assert!(secret.iter().all(|name| nobody.is_secret(name)));
        assert!(["content-type", "idempotency-key", "x-author"].iter().all(|name| !nobody.is_secret(name)));
    }

    #[test]
    fn a_wrong_credential_looks_like_the_right_one() {
        let first = HeaderMap::from_iter([
            (http::header::AUTHORIZATION, HeaderValue::from_static("Bearer secret")),
            (http::header::COOKIE, HeaderValue::from_static("session=secret")),
        ]);
        let credentials = Credentials { first, second: None, ..Credentials::default() };
        let wrong = credentials.of(Who::Stranger).unwrap();
        let text = |name: &str| wrong.get(name).unwrap().to_str().unwrap().to_owned();
        assert!(text("authorization").starts_with("Bearer "));
        assert!(text("cookie").starts_with("session="));
        assert!(!format!("{wrong:?}").contains("secret"));
    }
}
