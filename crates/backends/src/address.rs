//! The URL of a server: who asks, which hosts, a path, parameters.
//!
//! Invariant: an error repeats nothing of it but its scheme and a parameter's name that is nearly a valid one, or valid elsewhere. In a URL that
//! was mistyped a password may stand anywhere.

use std::{collections::BTreeMap, fmt};

use percent_encoding::percent_decode_str;

/// Names that are less alike than this are no slip of the pen (Jaro-Winkler; one is the same).
const ALIKE: f64 = 0.8;
/// Parameters that other ledgers or other programs' URLs have: names that are in no way secret.
const ELSEWHERE: &[&str] = &[
    "namespace",
    "ca",
    "policy",
    "db",
    "database",
    "protocol",
    "timeout",
    "schema",
    "pooler",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "application_name",
    "host",
    "port",
    "dbname",
    "user",
    "password",
    "options",
    "connect_timeout",
    "channel_binding",
    "target_session_attrs",
];
/// What has to be written otherwise in a user, a password or a value.
const ESCAPED: &str =
    "in a user, a password or a value, % is written %25, / %2F, ? %3F, # %23, @ %40, : %3A and & %26";

/// How the URLs of one kind of server are written.
#[derive(Debug)]
pub(crate) struct Grammar {
    /// One that is right.
    pub(crate) example: &'static str,
    /// Whether several hosts may be named, with commas between them.
    pub(crate) several: bool,
    /// Whether a host may be the path of a socket, with its slashes escaped.
    pub(crate) sockets: bool,
    /// The port where none is written.
    pub(crate) port: u16,
    /// The parameters that there are.
    pub(crate) parameters: &'static [&'static str],
}

/// Where a server is, and who asks there. Its text form is for logs: hosts and path, and nothing that authenticates.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) hosts: Vec<(String, u16)>,
    pub(crate) path: Option<String>,
    parameters: BTreeMap<&'static str, String>,
}

impl Grammar {
    /// Reads what follows the scheme and its colon.
    pub(crate) fn read(&self, rest: &str) -> Result<Address, String> {
        self.parts(rest).map_err(|why| format!("{why}; write {}", self.example))
    }

    fn parts(&self, rest: &str) -> Result<Address, String> {
        let rest = rest.strip_prefix("//").ok_or("// is missing after the scheme")?;
        if rest.contains('#') {
            return Err(format!("it has a #, and {ESCAPED}"));
        }
        let (before, query) =
            rest.split_once('?').map_or((rest, None), |(before, query)| (before, Some(query)));
        let (authority, path) =
            before.split_once('/').map_or((before, ""), |(authority, path)| (authority, path));
        // A password that holds a / or a ? unwritten ends up behind it, and its @ with it.
        if path.contains('@') || query.is_some_and(|query| query.contains('@')) {
            return Err(format!("it has an @ behind its hosts, and {ESCAPED}"));
        }
        let (who, hosts) =
            authority.rsplit_once('@').map_or((None, authority), |(who, hosts)| (Some(who), hosts));
        let (user, password) = who.map_or(Ok((None, None)), credentials)?;
        let path = Some(path.strip_suffix('/').unwrap_or(path)).filter(|path| !path.is_empty());
        Ok(Address {
            user,
            password,
            hosts: self.hosts(hosts)?,
            path: path.map(decoded).transpose()?,
            parameters: query.map_or(Ok(BTreeMap::new()), |query| self.parameters(query))?,
        })
    }

    fn hosts(&self, text: &str) -> Result<Vec<(String, u16)>, String> {
        let hosts: Vec<_> = text.split(',').map(|host| self.host(host)).collect::<Result<_, _>>()?;
        match hosts.len() {
            1 => Ok(hosts),
            _ if self.several => Ok(hosts),
            _ => Err("it names several hosts, and one server is asked".to_owned()),
        }
    }

    fn host(&self, text: &str) -> Result<(String, u16), String> {
        if self.sockets && text.to_ascii_lowercase().starts_with("%2f") {
            return Ok((decoded(text)?, self.port));
        }
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (name, port) = rest.split_once(']').ok_or("an address in [ has no ]")?;
                (
                    name,
                    port.strip_prefix(':')
                        .or_else(|| port.is_empty().then_some(""))
                        .ok_or("its port is none")?,
                )
            }
            None => text.split_once(':').unwrap_or((text, "")),
        };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_ip = text.starts_with('[') && name.parse::<std::net::Ipv6Addr>().is_ok();
        if name.is_empty() || !(is_ip || name.bytes().all(is_host)) {
            return Err(format!("a host of it is none ({ESCAPED})"));
        }
        let port = match port {
            "" => self.port,
            port => port
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| format!("a port of it is none ({ESCAPED})"))?,
        };
        Ok((name.to_owned(), port))
    }

    fn parameters(&self, query: &str) -> Result<BTreeMap<&'static str, String>, String> {
        let mut read = BTreeMap::new();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = self
                .parameters
                .iter()
                .find(|known| **known == name)
                .ok_or_else(|| self.no_parameter(name))?;
            if value.is_empty() {
                return Err(format!("its parameter `{name}` has no value"));
            }
            if read.insert(*name, decoded(value)?).is_some() {
                return Err(format!("its parameter `{name}` is there twice"));
            }
        }
        Ok(read)
    }

    fn no_parameter(&self, name: &str) -> String {
        let likeness = |known: &&&str| strsim::jaro_winkler(name, known);
        let best = self.parameters.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        match best.filter(|best| likeness(best) >= ALIKE) {
            Some(best) => format!("it has a parameter `{name}`, which there is not; the nearest is `{best}`"),
            None => {
                let named = ELSEWHERE.iter().find(|known| **known == name);
                let named = named.map_or_else(
                    || "a parameter that there is not".to_owned(),
                    |name| format!("a parameter `{name}`, which there is not"),
                );
                format!("it has {named}; there are {}", self.parameters.join(", "))
            }
        }
    }
}

impl Address {
    /// The value of a parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (host, port)) in self.hosts.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            match host {
                host if host.starts_with('/') => write!(f, "{comma}{host}")?,
                host if host.contains(':') => write!(f, "{comma}[{host}]:{port}")?,
                host => write!(f, "{comma}{host}:{port}")?,
            }
        }
        match &self.path {
            Some(path) => write!(f, "/{path}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither user nor password.
        write!(f, "Address({self})")
    }
}

fn credentials(text: &str) -> Result<(Option<String>, Option<String>), String> {
    if text.contains('@') {
        return Err(format!("it has two @, and {ESCAPED}"));
    }
    let (user, password) =
        text.split_once(':').map_or((text, None), |(user, password)| (user, Some(password)));
    let user = Some(user).filter(|user| !user.is_empty());
    Ok((user.map(decoded).transpose()?, password.map(decoded).transpose()?))
}

/// What stands there without its escapes; each % begins one.
fn decoded(text: &str) -> Result<String, String> {
    let wrong = || format!("a % of it begins no escape ({ESCAPED})");
    let is_escape =
        |rest: &str| rest.get(..2).is_some_and(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if !text.split('%').skip(1).all(is_escape) {
        return Err(wrong());
    }
    percent_decode_str(text).decode_utf8().map(Into::into).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAMMAR: Grammar = Grammar {
        example: "tub://HOST",
        several: true,
        sockets: true,
        port: 7,
        parameters: &["schema", "pooler"],
    };

    fn refused(rest: &str) -> String {
        GRAMMAR.read(rest).unwrap_err()
    }

    #[test]
    fn a_url_is_read_into_its_parts() {
        let read =
            GRAMMAR.read("//on%40ly:p%2Fw%3A@db:5432,[::1]/my%20ledger?schema=a%26b&pooler=x").unwrap();
        assert_eq!((read.user.as_deref(), read.password.as_deref()), (Some("on@ly"), Some("p/w:")));
        assert_eq!(read.hosts, [("db".to_owned(), 5432), ("::1".to_owned(), 7)]);
        assert_eq!(read.path.as_deref(), Some("my ledger"));
        assert_eq!((read.parameter("schema"), read.parameter("pooler")), (Some("a&b"), Some("x")));
        let bare = GRAMMAR.read("//db/").unwrap();
        assert_eq!((bare.user, bare.password, bare.path), (None, None, None));
        let socket = GRAMMAR.read("//ana@%2Frun%2Fpostgresql/bank").unwrap();
        assert_eq!(socket.to_string(), "/run/postgresql/bank");
        assert_eq!(GRAMMAR.read("//:word@db").unwrap().password.as_deref(), Some("word"));
    }

    #[test]
    fn its_text_says_where_and_never_who() {
        let read = GRAMMAR.read("//ana:hunter2@db,[::1]:8/ledger?schema=x").unwrap();
        assert_eq!(read.to_string(), "db:7,[::1]:8/ledger");
        assert_eq!(format!("{read:?}"), "Address(db:7,[::1]:8/ledger)");
    }

    #[test]
    fn what_is_not_right_is_told_with_what_would_be() {
        for (rest, told) in [
            ("db", "// is missing"),
            ("//", "a host of it is none"),
            ("//db:x", "a port of it is none"),
            ("//db:0", "a port of it is none"),
            ("//db:70000", "a port of it is none"),
            ("//[::1", "has no ]"),
            ("//[::1]7", "its port is none"),
            ("//d b", "a host of it is none"),
            ("//db,", "a host of it is none"),
            ("//db?", "it has a parameter that there is not; there are schema, pooler"),
            (
                "//db?namespace=x",
                "it has a parameter `namespace`, which there is not; there are schema, pooler",
            ),
            ("//db?shema=x", "it has a parameter `shema`, which there is not; the nearest is `schema`"),
            ("//db?schema", "`schema` has no value"),
            ("//db?schema=a&schema=b", "`schema` is there twice"),
            ("//a:%zz@db", "a % of it begins no escape"),
            ("//a:%ff@db", "a % of it begins no escape"),
        ] {
            let why = refused(rest);
            assert!(why.contains(told) && why.ends_with("; write tub://HOST"), "{rest}: {why}");
        }
        let one = Grammar { several: false, ..GRAMMAR };
        assert!(one.read("//a,b").unwrap_err().contains("several hosts"));
    }

    /// Wherever its reserved characters put it.
    #[test]
    fn a_password_is_never_repeated() {
        for rest in [
            "ana:hunter2@db",
            "//ana:hunter2",
            "//ana:hun/hunter2@db",
            "//ana:12/hunter2@db",
            "//ana:hun?hunter2@db",
            "//ana:12?hunter2@db",
            "//ana:12?hunter2=1",
            "//ana:hun#hunter2@db",
            "//ana:hun@hunter2@db",
            "//ana:hunter2%@db",
            "//ana:hunter2@db:port",
            "//db?password=hunter2",
            "//db?hunter2",
            "//db?pooler=hunter2&pooler=hunter2",
        ] {
            assert!(!refused(rest).contains("hunter2"), "{rest}: {}", refused(rest));
        }
    }
}
