//! What HTTP forbids in the head of a request and its parser lets through.
//!
//! Each of these would have the upstream see another request than was judged here, or let somebody choose which of two
//! it sees. They are refused with or without a key, before anything else is looked at.

use http::{HeaderMap, Method, Request, Version, header};
use onlyonce_core::problem;
use onlyonce_http::problem::Refused;

/// Bytes that a line of the head has besides name and value.
const LINE_EXTRA: usize = ": \r\n".len();

/// Refuses a head that HTTP forbids. `guarded`: some route asks for keys, and must not be got round.
pub(crate) fn check<B>(request: &Request<B>, guarded: bool) -> Result<(), Box<Refused>> {
    let what = target(request)
        .or_else(|| host(request))
        .or_else(|| framing(request.headers()))
        .or_else(|| method(request.method()).filter(|_| guarded));
    match what {
        None => Ok(()),
        Some(what) => {
            let detail = format!("{what} Nothing was done.");
            Err(Box::new(Refused::new(problem::REQUEST_AMBIGUOUS, detail)))
        }
    }
}

/// How many bytes the head had, within a few: the parser's own bound is the size of its buffer, which may be larger.
pub(crate) fn size<B>(request: &Request<B>) -> usize {
    let uri = request.uri();
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let lines = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + LINE_EXTRA);
    request.method().as_str().len() + target + authority + lines.sum::<usize>()
}

/// A path, or an absolute URI with one (RFC 9112, section 3.2). `*` is for OPTIONS alone, and a tunnel is not offered:
/// either would be forwarded as a path that no route was asked about.
fn target<B>(request: &Request<B>) -> Option<&'static str> {
    let uri = request.uri();
    let is_path = uri.path().starts_with('/') || (*request.method() == Method::OPTIONS && uri.path() == "*");
    if *request.method() == Method::CONNECT || !is_path {
        return Some("The request target is not a path. This is no proxy that opens tunnels.");
    }
    // RFC 9110, section 4.2.4: an error, and often an attempt to look like another host.
    let names_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    names_user.then_some("The request target names a user before the host.")
}

/// RFC 9112, section 3.2, and RFC 9113, section 8.3.1: one host, always. Without it, or with two, which site a request is
/// for depends on who reads it.
fn host<B>(request: &Request<B>) -> Option<&'static str> {
    let named = request.headers().get(header::HOST);
    match (request.version(), request.uri().authority()) {
        (Version::HTTP_11, _) if named.is_none() => Some("The request names no host. Send a Host header."),
        (Version::HTTP_2, None) if named.is_none() => Some("The request names no host. Send :authority."),
        (Version::HTTP_2, Some(authority)) => named
            .filter(|named| !named.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()))
            .map(|_| "The request names one host by :authority and another by Host."),
        _ => None,
    }
}

/// The one transfer coding that is undone here is `chunked`, once. Any other would be forwarded as if the coded bytes
/// were the body; and beside a length, each reader could believe the other one (RFC 9112, section 6.1).
fn framing(headers: &HeaderMap) -> Option<&'static str> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let coding = codings.next()?;
    let plain = coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
    if !plain {
        return Some("Transfer-Encoding is something else than `chunked`.");
    }
    headers
        .contains_key(header::CONTENT_LENGTH)
        .then_some("The request says by Content-Length and by Transfer-Encoding where it ends.")
}

/// Methods are case-sensitive (RFC 9110, section 9.1), and not everybody minds: `post` is on no route, and may be a POST
/// to the upstream.
fn method(method: &Method) -> Option<&'static str> {
    let lower = method.as_str().bytes().any(|byte| byte.is_ascii_lowercase());
    lower.then_some("The method is not written in capitals, so it is not certain which one it is.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(method: &str, target: &str, version: Version, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri(target).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap(), true).is_err()
    }

    #[test]
    fn a_target_is_a_path() {
        let host = [("host", "h")];
        for (method, target, expected) in [
            ("POST", "/x", false),
            ("POST", "http://h/x", false),
            ("OPTIONS", "*", false),
            ("POST", "*", true),
            ("POST", "h:80", true),
            ("CONNECT", "h:80", true),
            ("POST", "http://ana:pw@h/x", true),
        ] {
            assert_eq!(refused(method, target, Version::HTTP_11, &host), expected, "{method} {target}");
        }
    }

    #[test]
    fn a_host_is_asked_for_where_http_asks_for_it() {
        for (version, expected) in
            [(Version::HTTP_10, false), (Version::HTTP_11, true), (Version::HTTP_2, true)]
        {
            assert_eq!(refused("POST", "/x", version, &[]), expected, "{version:?}");
        }
    }

    #[test]
    fn over_http_2_there_are_not_two_hosts() {
        for (target, headers, expected) in [
            ("http://h/x", &[][..], false),
            ("http://h/x", &[("host", "H")], false),
            ("http://h/x", &[("host", "other")], true),
            ("/x", &[("host", "h")], false),
        ] {
            assert_eq!(refused("POST", target, Version::HTTP_2, headers), expected, "{target} {headers:?}");
        }
    }

    #[test]
    fn a_body_has_one_end_and_one_coding() {
        for (lines, expected) in [
            (&[("transfer-encoding", "chunked")][..], false),
            (&[("transfer-encoding", "Chunked")], false),
            (&[("transfer-encoding", "gzip, chunked")], true),
            (&[("transfer-encoding", "chunked, chunked")], true),
            (&[("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")], true),
            (&[("transfer-encoding", "chunked"), ("content-length", "3")], true),
            (&[("content-length", "3")], false),
        ] {
            let lines = [&[("host", "h")], lines].concat();
            assert_eq!(refused("POST", "/x", Version::HTTP_11, &lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_method_in_small_letters_gets_round_no_route_that_asks_for_keys() {
        let request = Request::builder().method("post").uri("/x").header("host", "h").body(()).unwrap();
        assert!(check(&request, true).is_err());
        assert!(check(&request, false).is_ok());
    }
}
