//! What is refused before anything else is looked at, and what is taken away.
//!
//! Invariant: what a key, a principal or a fingerprint is made of reaches the upstream as it was judged here, and what
//! this gateway says to the upstream nobody else can say.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version, header};
use onlyonce_core::problem;
use onlyonce_http::{
    headers::{self, OURS},
    pattern,
    problem::Refused,
};

use crate::principal::{Identify, Peer};

/// What counts for keys, principals and fingerprints, besides the configured headers.
const PROTECTED: [HeaderName; 8] = [
    headers::KEY,
    headers::OPERATION,
    headers::ATTEMPT,
    header::AUTHORIZATION,
    header::COOKIE,
    header::HOST,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
];

/// What has to be guarded because some route counts on it.
#[derive(Debug, Default)]
pub(crate) struct Guards {
    /// Some route protects requests that bring no key in a header: no path may read two ways.
    pub(crate) paths: bool,
    /// Some route takes keys from bodies or paths: whether a request has one is not known at the door.
    pub(crate) beyond_headers: bool,
    /// The headers that some route takes keys from, or counts in its fingerprints.
    pub(crate) headers: Vec<HeaderName>,
}

impl Guards {
    /// Whether a path must not come in, because something may read another one out of it.
    pub(crate) fn refuses_path(&self, method: &Method, path: &str) -> bool {
        self.paths && !is_safe(method) && pattern::is_ambiguous(path)
    }
}

/// Lets a request in, without what it may not say.
pub(crate) fn admit<B>(
    request: &mut Request<B>,
    identify: &Identify,
    guards: &Guards,
) -> Result<(), Box<Refused>> {
    refuse_hidden(request.headers(), identify, guards)?;
    refuse_doubled(request.method(), request.headers(), guards)?;
    if guards.refuses_path(request.method(), request.uri().path()) {
        return Err(ambiguous(
            "The path can be read in more than one way (doubled slashes, dot segments, `;`, encoded letters or \
             slashes, what is not UTF-8), so it is not certain which route it is. Nothing was done. Send the plain path.",
        ));
    }
    let trusted = identify.is_trusted(request.extensions().get::<Peer>());
    let guarded = identify.guarded_header();
    if request.version() == Version::HTTP_2 {
        join_cookies(request.headers_mut());
    }
    // From anybody who is not trusted it would be a claim that the upstream might believe. A keyed request without it is
    // then refused for want of a principal.
    let believed = guarded.filter(|_| trusted);
    remove_claims(request.headers_mut(), OURS.iter().chain(guarded), believed);
    Ok(())
}

/// What `Connection` names goes no further, and the upstream would see another request than was judged.
fn refuse_hidden(headers: &HeaderMap, identify: &Identify, guards: &Guards) -> Result<(), Box<Refused>> {
    let protected = |name: &HeaderName| {
        PROTECTED.contains(name)
            || guards.headers.contains(name)
            || name.as_str().starts_with("x-forwarded-")
            || identify.headers().any(|counts| counts == name)
    };
    match headers::named_by_connection(headers).iter().find(|name| protected(name)) {
        None => Ok(()),
        Some(name) => Err(ambiguous(format!(
            "`Connection` names {name}, which must reach the upstream. Nothing was done."
        ))),
    }
}

/// Of two lines the upstream may read the other one. Two hosts are wrong for any request (RFC 9112, section 3.2).
fn refuse_doubled(method: &Method, headers: &HeaderMap, guards: &Guards) -> Result<(), Box<Refused>> {
    let named =
        headers.contains_key(headers::KEY) || guards.headers.iter().any(|name| headers.contains_key(name));
    let keyed = !is_safe(method) && (named || guards.beyond_headers);
    let doubled = |name: &HeaderName| headers.get_all(name).iter().nth(1).is_some();
    let name = if doubled(&header::HOST) {
        "Host"
    } else if keyed && doubled(&header::CONTENT_TYPE) {
        "Content-Type"
    } else {
        return Ok(());
    };
    Err(ambiguous(format!("{name} was sent more than once. Nothing was done. Send one line of it.")))
}

/// HTTP/2 may send a line for each cookie, and HTTP/1.1 has one for all (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(header::COOKIE).iter();
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else { return };
    let lines: Vec<_> = [first, second].into_iter().chain(lines).map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

/// Removes these, and what looks like one of them: WSGI and CGI read `_` and `-` as one, so an upstream there would take
/// it for ours. `believed` stays.
fn remove_claims<'a>(
    headers: &mut HeaderMap,
    names: impl Iterator<Item = &'a HeaderName> + Clone,
    believed: Option<&HeaderName>,
) {
    let is_claim = |other: &HeaderName| {
        names.clone().any(|name| is_alike(name.as_str(), other.as_str())) && believed != Some(other)
    };
    let found: Vec<_> = headers.keys().filter(|name| is_claim(name)).cloned().collect();
    found.iter().for_each(|name| _ = headers.remove(name));
}

fn is_alike(one: &str, other: &str) -> bool {
    let dashed = |byte| if byte == b'_' { b'-' } else { byte };
    one.len() == other.len() && one.bytes().map(dashed).eq(other.bytes().map(dashed))
}

/// Such a request never has a key.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

fn ambiguous(detail: impl Into<String>) -> Box<Refused> {
    Box::new(Refused::new(problem::REQUEST_AMBIGUOUS, detail))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::config::{Principal, PrincipalFrom};

    fn by_header() -> Principal {
        let trusted = vec!["127.0.0.1".to_owned()];
        Principal { from: PrincipalFrom::Header, trusted, ..Principal::default() }
    }

    fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let peer = Peer(SocketAddr::from(([127, 0, 0, 1], 1)));
        request.extension(peer).body(()).unwrap()
    }

    fn admitted(config: &Principal, mut request: Request<()>) -> Result<HeaderMap, &'static str> {
        let identify = Identify::new(config).unwrap();
        let headers = vec![HeaderName::from_static("x-tenant")];
        let guards = Guards { paths: true, beyond_headers: false, headers };
        admit(&mut request, &identify, &guards).map_err(|refused| refused.name())?;
        Ok(request.into_parts().0.headers)
    }

    #[test]
    fn what_counts_cannot_be_hidden_from_the_upstream() {
        let credential =
            Principal { credential: vec!["header:x-api-key".to_owned()], ..Principal::default() };
        for name in [
            "x-api-key",
            "authorization",
            "cookie",
            "host",
            "content-type",
            "content-encoding",
            "x-forwarded-for",
            "X-Forwarded-Host",
            "idempotency-key",
            "x-tenant",
        ] {
            let asked = request("GET", "/", &[("connection", &format!("close, {name}"))]);
            assert_eq!(admitted(&credential, asked), Err("request-ambiguous"), "{name}");
        }
        let asked = request("GET", "/", &[("connection", "x-principal")]);
        assert_eq!(admitted(&by_header(), asked), Err("request-ambiguous"));
        assert!(admitted(&credential, request("GET", "/", &[("connection", "keep-alive, x-hop")])).is_ok());
    }

    #[test]
    fn an_ambiguous_path_matters_where_a_key_could_be() {
        for (method, refused) in
            [("POST", true), ("DELETE", true), ("GET", false), ("HEAD", false), ("OPTIONS", false)]
        {
            let judged = admitted(&by_header(), request(method, "//transfers", &[]));
            assert_eq!(judged.is_err(), refused, "{method}");
        }
    }

    #[test]
    fn lines_that_count_may_not_be_doubled_on_a_keyed_request() {
        let key = ("idempotency-key", "k");
        let types = [("content-type", "a/b"), ("content-type", "c/d"), key];
        let hosts = [("host", "a"), ("host", "b")];
        for (method, headers, refused) in [
            ("POST", &types[..], true),
            ("POST", &types[..2], false),
            ("GET", &types[..], false),
            ("POST", &hosts[..], true),
            ("GET", &hosts[..], true),
        ] {
            let judged = admitted(&by_header(), request(method, "/", headers));
            assert_eq!(judged.err(), refused.then_some("request-ambiguous"), "{method} {headers:?}");
        }
    }

    #[test]
    fn cookies_of_http_2_go_on_in_one_line() {
        let headers = [("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3; d=4")];
        let mut request = request("GET", "/", &headers);
        *request.version_mut() = Version::HTTP_2;
        let left = admitted(&by_header(), request).unwrap();
        let lines: Vec<_> = left.get_all("cookie").iter().collect();
        assert_eq!(lines, ["a=1; b=2; c=3; d=4"]);
    }

    #[test]
    fn names_that_an_upstream_may_take_for_ours_do_not_reach_it() {
        let headers = [
            ("idempotency_operation", "op_x"),
            ("idempotency-attempt", "7"),
            ("Idempotency_Outcome", "keep"),
            ("x_principal", "luis"),
            ("x-principal", "ana"),
            ("x_other", "1"),
        ];
        let left = admitted(&by_header(), request("POST", "/", &headers)).unwrap();
        let mut names: Vec<_> = left.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["x-principal", "x_other"]);
    }
}
