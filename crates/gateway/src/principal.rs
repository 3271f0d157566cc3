//! Who sends a request.
//!
//! A replay is served without the upstream seeing it, so a weak principal would hand one caller's result to another:
//! whatever is missing, doubled or changes with each request is refused, with the cure in the text.

use std::{
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicBool, Ordering},
};

use http::{HeaderName, header, request::Parts};
use metrics::Counter;
use onlyonce_core::{
    metric,
    scope::{Principal, Scopes},
};
use onlyonce_ledger::Meter;

use crate::{
    config::{self, Cookies, PrincipalFrom},
    start_error::{StartError, StartErrorKind},
};

/// The peer of a request, as its socket says; put into the extensions by the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Schemes whose value changes with each request: every repeat would be another principal.
const CHANGING_SCHEMES: [&str; 7] =
    ["digest", "dpop", "signature", "hawk", "oauth", "negotiate", "aws4-hmac-sha256"];

pub(crate) enum Identify {
    Anonymous,
    Header { name: HeaderName, trusted: Vec<Network> },
    Credential { credentials: Vec<Credential>, cookies: Cookies, tokens: Tokens },
}

/// Callers who are named by a token that changes when it is refreshed: told once, and counted.
pub(crate) struct Tokens {
    told: AtomicBool,
    seen: Counter,
}

pub(crate) enum Credential {
    Header { label: String, name: HeaderName },
    Cookie { label: String, name: String },
}

/// An address, or a network of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Identify {
    pub(crate) fn new(config: &config::Principal) -> Result<Self, StartError> {
        let wrong = |why: String| StartError::new(StartErrorKind::Config, format!("[principal] {why}"));
        match config.from {
            PrincipalFrom::Anonymous => Ok(Self::Anonymous),
            PrincipalFrom::Header => {
                let name = HeaderName::try_from(&config.header)
                    .map_err(|_| wrong(format!("header = \"{}\" is not a header's name", config.header)))?;
                if config.trusted.is_empty() {
                    return Err(wrong(
                        "from = \"header\" needs `trusted`: the peers that may send it, such as [\"127.0.0.1\"]"
                            .to_owned(),
                    ));
                }
                let trusted = config.trusted.iter().map(|text| {
                    Network::parse(text).ok_or_else(|| {
                        wrong(format!(
                            "trusted: `{text}` is neither an address nor a network such as 10.0.0.0/8"
                        ))
                    })
                });
                Ok(Self::Header { name, trusted: trusted.collect::<Result<_, _>>()? })
            }
            PrincipalFrom::Credential => {
                let credentials = config.credential.iter().map(|text| {
                    Credential::parse(text).ok_or_else(|| {
                        wrong(format!("credential: `{text}` is neither `header:NAME` nor `cookie:NAME`"))
                    })
                });
                let credentials = credentials.collect::<Result<Vec<_>, _>>()?;
                if credentials.is_empty() {
                    return Err(wrong(
                        "credential is empty: name what the upstream authenticates by".to_owned(),
                    ));
                }
                Ok(Self::Credential { credentials, cookies: config.cookies, tokens: Tokens::default() })
            }
        }
    }

    /// Counted by this meter.
    pub(crate) fn counted(mut self, meter: &Meter) -> Self {
        if let Self::Credential { tokens, .. } = &mut self {
            tokens.seen = meter.counter(&metric::TOKEN_PRINCIPALS, &[]);
        }
        self
    }

    pub(crate) fn of(&self, parts: &Parts, scopes: &Scopes) -> Result<Principal, String> {
        match self {
            Self::Anonymous => Ok(Principal::anonymous()),
            Self::Header { name, trusted } => from_header(parts, name, trusted),
            Self::Credential { credentials, cookies, tokens } => {
                from_credential(parts, credentials, *cookies, scopes)
                    .inspect(|_| tokens.look_at(parts, credentials))
            }
        }
    }

    /// The headers that say who asks.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        let credentials = match self {
            Self::Credential { credentials, .. } => credentials.as_slice(),
            Self::Anonymous | Self::Header { .. } => &[],
        };
        let named = credentials.iter().filter_map(|credential| match credential {
            Credential::Header { name, .. } => Some(name),
            Credential::Cookie { .. } => None,
        });
        named.chain(self.guarded_header())
    }

    /// The header that only trusted peers may send; from anybody else it is taken away.
    pub(crate) fn guarded_header(&self) -> Option<&HeaderName> {
        match self {
            Self::Header { name, .. } => Some(name),
            Self::Anonymous | Self::Credential { .. } => None,
        }
    }

    /// Whether a peer may name principals.
    pub(crate) fn is_trusted(&self, peer: Option<&Peer>) -> bool {
        match (self, peer) {
            (Self::Header { trusted, .. }, Some(peer)) => is_trusted(trusted, *peer),
            _ => false,
        }
    }
}

fn is_trusted(trusted: &[Network], peer: Peer) -> bool {
    trusted.iter().any(|network| network.contains(peer.0.ip()))
}

fn from_header(parts: &Parts, name: &HeaderName, trusted: &[Network]) -> Result<Principal, String> {
    if !parts.extensions.get::<Peer>().is_some_and(|peer| is_trusted(trusted, *peer)) {
        return Err(format!(
            "The header {name} says who asks, and is taken from trusted peers only. Nothing was done. Send the \
             request through one of them, or list this peer in `principal.trusted`."
        ));
    }
    let mut lines = parts.headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (Some(value), None) if !value.is_empty() => Ok(Principal::header(value.as_bytes())),
        _ => Err(format!("The header {name} must be there exactly once and say who asks. Nothing was done.")),
    }
}

fn from_credential(
    parts: &Parts,
    credentials: &[Credential],
    cookies: Cookies,
    scopes: &Scopes,
) -> Result<Principal, String> {
    let lists_cookie = credentials.iter().any(|credential| matches!(credential, Credential::Cookie { .. }));
    if cookies == Cookies::Refuse && !lists_cookie && parts.headers.contains_key(header::COOKIE) {
        return Err(
            "The request carries cookies, and nobody said whether they tell who asks. Nothing was done. Set \
                    `principal.credential = [\"cookie:NAME\"]`, or `principal.cookies = \"ignore\"`."
                .to_owned(),
        );
    }
    let mut found = Vec::with_capacity(credentials.len());
    for credential in credentials {
        match credential {
            Credential::Header { label, name } => {
                for value in parts.headers.get_all(name) {
                    if *name == header::AUTHORIZATION {
                        refuse_changing(value.as_bytes())?;
                    }
                    found.push((label.as_str(), value.as_bytes()));
                }
            }
            Credential::Cookie { label, name } => {
                found.extend(cookie_values(parts, name).map(|value| (label.as_str(), value)));
            }
        }
    }
    if found.iter().all(|(_, value)| value.is_empty()) {
        let labels: Vec<_> = credentials.iter().map(Credential::label).collect();
        return Err(format!(
            "A keyed request must say who sends it, by {}. Nothing was done. If this API knows no callers, start the \
             gateway with `--principal anonymous`; if it knows them by something else, list that in \
             `principal.credential`.",
            labels.join(", ")
        ));
    }
    Ok(scopes.credential(&found))
}

impl Default for Tokens {
    fn default() -> Self {
        Self { told: AtomicBool::new(false), seen: Counter::noop() }
    }
}

impl Tokens {
    fn look_at(&self, parts: &Parts, credentials: &[Credential]) {
        let counts = credentials
            .iter()
            .any(|credential| matches!(credential, Credential::Header { name, .. } if *name == header::AUTHORIZATION));
        let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
        if !counts || !values.any(|value| is_jwt(value.as_bytes())) {
            return;
        }
        self.seen.increment(1);
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "callers are named by JSON Web Tokens: once a token is refreshed, its caller is another one, and a \
                 repeat runs again. List what stays the same in `principal.credential`, or have a trusted proxy name \
                 the caller (`principal.from = \"header\"`). This is said once; \
                 onlyonce_token_principals_total counts on"
            );
        }
    }
}

/// Whether a bearer token has the shape of a JSON Web Token (RFC 7519, section 3): three parts, the first an object.
fn is_jwt(value: &[u8]) -> bool {
    let Some((scheme, token)) = value.split_at_checked(b"bearer ".len()) else { return false };
    let mut parts = token.trim_ascii().split(|byte| *byte == b'.');
    let plain = |part: &[u8]| part.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
    scheme.eq_ignore_ascii_case(b"bearer ")
        // `{"` in base64url.
        && parts.clone().next().is_some_and(|head| head.starts_with(b"eyJ"))
        && parts.clone().count() == 3
        && parts.all(plain)
}

fn refuse_changing(value: &[u8]) -> Result<(), String> {
    let scheme = value.split(|byte| *byte == b' ').next().unwrap_or_default();
    match CHANGING_SCHEMES.iter().find(|name| name.as_bytes().eq_ignore_ascii_case(scheme)) {
        None => Ok(()),
        Some(name) => Err(format!(
            "The scheme {name} has another value in each request, so a repeat would look like another caller. Nothing \
             was done. List what stays the same in `principal.credential`, or name the caller by a trusted header."
        )),
    }
}

fn cookie_values<'a>(parts: &'a Parts, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let lines = parts.headers.get_all(header::COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| {
        let pair = pair.trim_ascii();
        pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
    })
}

impl Credential {
    fn parse(text: &str) -> Option<Self> {
        let label = text.to_ascii_lowercase();
        match text.split_once(':')? {
            ("header", name) => Some(Self::Header { label, name: HeaderName::try_from(name).ok()? }),
            ("cookie", "") => None,
            ("cookie", name) => Some(Self::Cookie { label: text.to_owned(), name: name.to_owned() }),
            _ => None,
        }
    }

    /// How the configuration names it.
    pub(crate) fn label(&self) -> &str {
        match self {
            Self::Header { label, .. } | Self::Cookie { label, .. } => label,
        }
    }
}

impl Network {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = if prefix.is_empty() { bits } else { prefix.parse().ok()? };
        (prefix <= bits).then_some(Self { address, prefix })
    }

    pub(crate) fn contains(&self, peer: IpAddr) -> bool {
        match (self.address, peer.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(peer)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                u32::from(ours) & mask == u32::from(peer) & mask
            }
            (IpAddr::V6(ours), IpAddr::V6(peer)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                u128::from(ours) & mask == u128::from(peer) & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use onlyonce_core::LedgerKey;

    use super::*;

    fn parts(headers: &[(&str, &str)], peer: &str) -> Parts {
        let mut request = http::Request::post("/x");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        parts.extensions.insert(Peer(SocketAddr::new(peer.parse().unwrap(), 1)));
        parts
    }

    fn identify(config: &config::Principal, parts: &Parts) -> Result<Principal, String> {
        Identify::new(config).unwrap().of(parts, &Scopes::new(&LedgerKey::new([1; 32]), "test"))
    }

    fn by_header() -> config::Principal {
        config::Principal {
            from: PrincipalFrom::Header,
            trusted: vec!["10.0.0.0/8".to_owned(), "::1".to_owned()],
            ..config::Principal::default()
        }
    }

    #[test]
    fn a_header_counts_only_from_trusted_peers_and_only_once() {
        for (headers, peer, known) in [
            (&[("x-principal", "ana")][..], "10.1.2.3", true),
            (&[("x-principal", "ana")], "::1", true),
            (&[("x-principal", "ana")], "::ffff:10.1.2.3", true),
            (&[("x-principal", "ana")], "11.1.2.3", false),
            (&[("x-principal", "ana"), ("x-principal", "luis")], "10.1.2.3", false),
            (&[("x-principal", "")], "10.1.2.3", false),
            (&[], "10.1.2.3", false),
        ] {
            assert_eq!(
                identify(&by_header(), &parts(headers, peer)).is_ok(),
                known,
                "{headers:?} from {peer}"
            );
        }
    }

    /// F29: neither cookies nor sessions are guessed about.
    #[test]
    fn f29_cookies_are_refused_until_somebody_says_what_they_mean() {
        let config = config::Principal::default();
        let both = [("authorization", "Bearer x"), ("cookie", "session=1")];
        assert!(identify(&config, &parts(&both[..1], "::1")).is_ok());
        assert!(identify(&config, &parts(&both, "::1")).unwrap_err().contains("cookies"));
        let ignoring = config::Principal { cookies: Cookies::Ignore, ..config };
        assert!(identify(&ignoring, &parts(&both, "::1")).is_ok());
        let by_cookie = config::Principal { credential: vec!["cookie:session".to_owned()], ..ignoring };
        let one = identify(&by_cookie, &parts(&[("cookie", "a=b; session=1")], "::1")).unwrap();
        let other = identify(&by_cookie, &parts(&[("cookie", "session=2")], "::1")).unwrap();
        assert_ne!(one, other);
    }

    #[test]
    fn schemes_that_change_with_each_request_are_refused() {
        let config = config::Principal::default();
        for value in ["Digest username=\"a\"", "DPoP abc", "AWS4-HMAC-SHA256 Credential=x"] {
            assert!(identify(&config, &parts(&[("authorization", value)], "::1")).is_err(), "{value}");
        }
        assert!(identify(&config, &parts(&[("authorization", "Basic eDp5")], "::1")).is_ok());
        assert!(identify(&config, &parts(&[], "::1")).unwrap_err().contains("anonymous"));
    }

    #[test]
    fn networks_hold_their_addresses() {
        let holds =
            |network: &str, peer: &str| Network::parse(network).unwrap().contains(peer.parse().unwrap());
        assert!(holds("0.0.0.0/0", "1.2.3.4"));
        assert!(holds("192.168.1.0/24", "192.168.1.255") && !holds("192.168.1.0/24", "192.168.2.1"));
        assert!(holds("fd00::/8", "fd12::1") && !holds("fd00::/8", "fe80::1"));
        assert!(Network::parse("10.0.0.0/33").is_none() && Network::parse("ten").is_none());
    }
}
