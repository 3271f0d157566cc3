//! Ledger URLs of Redis: which servers, as whom, and under which namespace.
//!
//! `redis://[user[:password]@]host[:port][/db][?namespace=…]`, `rediss://…` with TLS, `redis-cluster://host,host/…` and
//! `rediss-cluster://…`. What is not known here is an error that names what would be valid. Invariant: neither an error nor
//! the text form of a URL shows a user, a password or what might be one.

use std::{fmt, path::PathBuf, str::FromStr};

const PORT: u16 = 6379;
const NAMESPACE: &str = "onlyonce";
const NAMESPACE_MAX: usize = 64;

/// Where a ledger is kept in Redis.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    pub(crate) cluster: bool,
    pub(crate) tls: bool,
    pub(crate) hosts: Vec<Address>,
    pub(crate) login: Login,
    pub(crate) database: u32,
    pub(crate) namespace: String,
    /// Roots that are trusted besides the system's: a PEM file.
    pub(crate) ca: Option<PathBuf>,
    /// The operator's word that the server, which does not show its policy, evicts nothing.
    pub(crate) vouched: bool,
}

/// As whom.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
}

/// A server's host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Failed to read a ledger URL of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlError(String);

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| UrlError::scheme("it has none"))?;
        let (cluster, tls) = match scheme {
            "redis" => (false, false),
            "rediss" => (false, true),
            "redis-cluster" => (true, false),
            "rediss-cluster" => (true, true),
            _ => return Err(UrlError::scheme("it has another")),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (login.parse()?, hosts),
            None => (Login::default(), authority),
        };
        let hosts: Vec<Address> = hosts.split(',').map(str::parse).collect::<Result<_, _>>()?;
        if !cluster && hosts.len() > 1 {
            return Err(UrlError(format!(
                "`{scheme}://` names several servers; write one, or {scheme}-cluster://host,host/ for a Cluster"
            )));
        }
        let url = Self {
            cluster,
            tls,
            hosts,
            login,
            database: database(path, cluster)?,
            namespace: NAMESPACE.to_owned(),
            ca: None,
            vouched: false,
        };
        query.split('&').filter(|pair| !pair.is_empty()).try_fold(url, Self::with)
    }
}

impl Url {
    /// Takes one of the parameters that are our own.
    fn with(self, pair: &str) -> Result<Self, UrlError> {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "namespace" => Ok(Self { namespace: namespace(value)?, ..self }),
            "ca" if self.tls && !value.is_empty() => Ok(Self { ca: Some(decoded(value)?.into()), ..self }),
            "ca" => Err(UrlError(
                "`ca` names a PEM file of trusted roots, and goes with rediss:// or rediss-cluster://".into(),
            )),
            "policy" if value == "noeviction" => Ok(Self { vouched: true, ..self }),
            "policy" => Err(UrlError(
                "`policy` can only be noeviction: your word for a server that does not show its own".into(),
            )),
            // What stands there may be anything, a password too.
            _ => Err(UrlError(
                "it has a parameter that is not known; `namespace`, `ca` and `policy` are".into(),
            )),
        }
    }

    /// The scheme.
    pub const fn scheme(&self) -> &'static str {
        match (self.cluster, self.tls) {
            (false, false) => "redis",
            (false, true) => "rediss",
            (true, false) => "redis-cluster",
            (true, true) => "rediss-cluster",
        }
    }
}

impl FromStr for Login {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        let given = |text: &str| Ok((!text.is_empty()).then_some(decoded(text)?));
        Ok(Self { user: given(user)?, password: given(password)? })
    }
}

impl FromStr for Address {
    type Err = UrlError;

    /// `host`, `host:port`, `[v6]` or `[v6]:port`.
    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (host, port) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or_else(UrlError::host)?)),
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = port.map_or(Ok(PORT), str::parse).map_err(|_| UrlError::host())?;
        if host.is_empty() || port == 0 {
            return Err(UrlError::host());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl UrlError {
    fn scheme(why: &str) -> Self {
        Self(format!(
            "no scheme of Redis: {why}; write redis://, rediss://, redis-cluster:// or rediss-cluster://"
        ))
    }

    fn host() -> Self {
        Self("it names a server wrongly; write host:port, or [address]:port for IPv6".to_owned())
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to read the ledger's URL: {}", self.0)
    }
}

impl std::error::Error for UrlError {}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Url {
    /// The servers, without login.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self.hosts.iter().map(Address::to_string).collect();
        write!(f, "{}://{}/", self.scheme(), hosts.join(","))
    }
}

fn database(path: &str, cluster: bool) -> Result<u32, UrlError> {
    match (path, cluster) {
        ("", _) => Ok(0),
        (_, true) => Err(UrlError("a Cluster has no database numbers; write nothing behind the `/`".into())),
        (number, false) => number.parse().map_err(|_| {
            UrlError("what stands behind the `/` is the database's number, such as redis://host/2".into())
        }),
    }
}

fn namespace(name: &str) -> Result<String, UrlError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=NAMESPACE_MAX).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(name.to_owned());
    }
    Err(UrlError(format!(
        "`namespace` has 1 to {NAMESPACE_MAX} letters, digits, `-`, `_` or `.`: it stands in the name of every key"
    )))
}

/// Takes percent-encoding away.
fn decoded(text: &str) -> Result<String, UrlError> {
    let wrong = || UrlError("it has a `%` that is not followed by two hexadecimal digits of UTF-8".into());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hexadecimal(rest.next(), rest.next()).ok_or_else(wrong)?,
            plain => plain,
        });
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

fn hexadecimal(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Url {
        url.parse().unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    fn refused(url: &str) -> String {
        url.parse::<Url>().expect_err(url).to_string()
    }

    #[test]
    fn a_url_says_where_and_as_whom() {
        let url = read("rediss://onlyonce:p%40ss@db.example:6380/3?namespace=payments&ca=/etc/ca%20.pem");
        assert!(url.tls && !url.cluster && !url.vouched);
        assert_eq!(url.hosts, [Address { host: "db.example".into(), port: 6380 }]);
        assert!(url.login == Login { user: Some("onlyonce".into()), password: Some("p@ss".into()) });
        assert_eq!((url.database, &*url.namespace), (3, "payments"));
        assert_eq!(url.ca, Some("/etc/ca .pem".into()));
        let url = read("redis://:secret@[::1]");
        assert_eq!(url.hosts, [Address { host: "::1".into(), port: 6379 }]);
        assert!(url.login == Login { user: None, password: Some("secret".into()) });
        let url = read("redis-cluster://a:1,b:2,[::3]:4/?policy=noeviction");
        assert!(url.cluster && url.vouched);
        assert_eq!(url.to_string(), "redis-cluster://a:1,b:2,[::3]:4/");
    }

    #[test]
    fn what_is_wrong_is_told_what_would_be_right() {
        for (url, told) in [
            ("redis", "write redis://"),
            ("http://x", "write redis://"),
            ("redis://", "write host:port"),
            ("redis://a:b", "write host:port"),
            ("redis://[::1]6379", "write host:port"),
            ("redis://a,b", "write one, or redis-cluster://"),
            ("redis://a/x", "redis://host/2"),
            ("redis-cluster://a/1", "no database numbers"),
            ("redis://a?ca=x", "goes with rediss://"),
            ("redis://a?policy=allkeys-lru", "can only be noeviction"),
            ("redis://a?namespace=a{b", "letters, digits"),
            ("redis://a?db=1", "`namespace`, `ca` and `policy`"),
            ("redis://%zz@a", "two hexadecimal digits"),
        ] {
            assert!(refused(url).contains(told), "{url}: {}", refused(url));
        }
    }

    #[test]
    fn nothing_that_may_be_a_password_is_repeated() {
        for url in [
            "redis://onlyonce:hunter2@a:b",
            "redis://onlyonce:hunter2@a/hunter2",
            "redis://a?hunter2=hunter2",
            "hunter2://a",
            "redis://hunter2%zz@a",
        ] {
            assert!(!refused(url).contains("hunter2"), "{}", refused(url));
        }
        let url = read("redis://onlyonce:hunter2@a");
        assert!(!format!("{url} {url:?}").contains("hunter2"));
    }
}
