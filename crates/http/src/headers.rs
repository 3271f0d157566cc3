//! Header names, and which headers of an answer are kept.
//!
//! Invariant: nothing that identifies, authenticates or tracks a caller is stored, and nothing hop-by-hop.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The key, from the client and to the upstream (draft-ietf-httpapi-idempotency-key-header-07, section 2.1).
pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The operation's name, to the upstream: stable over all attempts, made for a unique column.
pub const OPERATION: HeaderName = HeaderName::from_static("idempotency-operation");
/// The fence, to the upstream.
pub const ATTEMPT: HeaderName = HeaderName::from_static("idempotency-attempt");
/// From the upstream: `keep`, `release` or `unknown` overrules the table. Never seen by a client.
pub const OUTCOME: HeaderName = HeaderName::from_static("idempotency-outcome");
/// To the client: `executed`, `replayed`, `released`, `unknown` or `unstored`.
pub const STATUS: HeaderName = HeaderName::from_static("idempotency-status");
/// To the client: `true` on every answer that another request got first.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// To the client: end of result retention, as an HTTP date (RFC 9110, section 5.6.7).
pub const EXPIRES: HeaderName = HeaderName::from_static("idempotency-expires");
/// To the client: who settled the operation.
pub const SETTLED: HeaderName = HeaderName::from_static("idempotency-settled");
/// Set by whoever took the request from TLS early data (RFC 8470, section 5.1).
pub const EARLY_DATA: HeaderName = HeaderName::from_static("early-data");

/// What only a layer says, to the service within it or to nobody: from a client it would be a claim to be believed.
pub const OURS: [HeaderName; 3] = [OPERATION, ATTEMPT, OUTCOME];

/// Of an answer, what is between the inner service and the layer only.
pub(crate) const BETWEEN: [HeaderName; 6] =
    [OUTCOME, STATUS, EXPIRES, REPLAYED, SETTLED, header::TRANSFER_ENCODING];

/// Hop-by-hop by nature (RFC 9110, section 7.6.1), whether or not `Connection` names them. `Trailer` is not: without it
/// the trailers that it announces would not be sent on.
pub const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// End-to-end, yet of one answer only: when it was made, whom it is for, who traced it.
const NOT_KEPT: &[&str] = &[
    "age",
    "alt-svc",
    "b3",
    "baggage",
    "cf-ray",
    "content-length",
    "date",
    "dpop-nonce",
    "idempotency-attempt",
    "idempotency-expires",
    "idempotency-key",
    "idempotency-operation",
    "idempotency-outcome",
    "idempotency-settled",
    "idempotency-status",
    "idempotent-replayed",
    "server-timing",
    "set-cookie",
    "set-cookie2",
    "via",
];

const NOT_KEPT_PREFIXES: &[&str] = &["access-control-", "proxy-", "x-api-key", "x-b3-", "x-datadog-"];
/// The first five are the contract's; the others are those of authentication and of tracing, whoever's they are.
const NOT_KEPT_WORDS: &[&str] = &[
    "token",
    "secret",
    "password",
    "session",
    "credential",
    "authenticat",
    "authoriz",
    "correlation-id",
    "request-id",
    "requestid",
    "trace",
];

/// Those that nearly every answer has, so that the lists above need not be gone through for them.
const USUALLY_KEPT: &[&str] = &["content-type", "location", "etag", "cache-control", "last-modified", "vary"];

/// Removes what belongs to one connection: the hop-by-hop headers and those that `Connection` names. That trailers are
/// welcome is said anew, since they are passed on.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    // Usually there is none, and asking the map for each of them costs more than looking at what it has.
    if !headers.keys().any(|name| HOP_BY_HOP.contains(&name.as_str())) {
        return;
    }
    let trailers = welcomes_trailers(headers);
    for name in named_by_connection(headers) {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(*name);
    }
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        // RFC 9110, section 10.1.4: nobody further on may take it for the first client's word.
        headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
    }
}

/// Removes these. Asked for one after the other each would be hashed, and usually none of them is there.
pub fn remove(headers: &mut HeaderMap, names: &[HeaderName]) {
    if headers.keys().any(|name| names.contains(name)) {
        names.iter().for_each(|name| _ = headers.remove(name));
    }
}

fn welcomes_trailers(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::TE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// The headers that `Connection` names.
pub fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(header::CONNECTION).iter();
    let tokens = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    tokens.filter_map(|token| HeaderName::try_from(token.trim()).ok()).collect()
}

/// Whether a header of an answer is stored with its result.
pub fn is_kept(name: &HeaderName) -> bool {
    let name = name.as_str();
    USUALLY_KEPT.contains(&name) || !is_refused(name)
}

fn is_refused(name: &str) -> bool {
    HOP_BY_HOP.contains(&name)
        || NOT_KEPT.contains(&name)
        || NOT_KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || NOT_KEPT_WORDS.iter().any(|word| name.contains(word))
}

/// The lines of an answer's headers or trailers that are stored; `dropped` are those that its `Connection` names, or its
/// route.
pub fn kept(all: &HeaderMap, dropped: &[HeaderName]) -> HeaderMap {
    let lines = all.iter().filter(|(name, _)| is_kept(name) && !dropped.contains(name));
    lines.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Whether the media type in a header is this one, whatever its parameters.
pub(crate) fn is_of_type(headers: &HeaderMap, name: HeaderName, essence: &str) -> bool {
    headers.get(name).is_some_and(|value| {
        let found = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        found.trim_ascii().eq_ignore_ascii_case(essence.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Word by word what the reference lists, and what its classes stand for.
    #[test]
    fn what_is_of_one_answer_only_is_not_kept() {
        for name in [
            // Date, Age, Set-Cookie.
            "date",
            "age",
            "set-cookie",
            // Authentication.
            "authorization",
            "www-authenticate",
            "authentication-info",
            "optional-www-authenticate",
            "x-amzn-remapped-www-authenticate",
            "dpop-nonce",
            "x-api-key",
            // Proxy.
            "proxy-authenticate",
            "proxy-authentication-info",
            "proxy-status",
            "via",
            // Trace.
            "traceparent",
            "tracestate",
            "traceresponse",
            "x-b3-spanid",
            "b3",
            "baggage",
            "x-request-id",
            "request-id",
            "x-amzn-requestid",
            "x-amzn-trace-id",
            "x-cloud-trace-context",
            "x-correlation-id",
            "x-datadog-parent-id",
            "cf-ray",
            // Access-Control-*.
            "access-control-allow-origin",
            "access-control-expose-headers",
            // Hop-by-hop.
            "connection",
            "keep-alive",
            "te",
            "transfer-encoding",
            "upgrade",
            // Alt-Svc, Server-Timing.
            "alt-svc",
            "server-timing",
            // Names that contain token, secret, password, session, credential.
            "x-csrf-token",
            "x-client-secret",
            "x-new-password",
            "x-session-id",
            "x-credentials",
            // What this layer says itself, and what speaks to it.
            "idempotency-key",
            "idempotency-status",
            "idempotency-outcome",
            "idempotency-operation",
            "idempotent-replayed",
        ] {
            assert!(!is_kept(&HeaderName::from_static(name)), "{name}");
        }
    }

    #[test]
    fn what_belongs_to_the_result_is_kept() {
        for name in [
            "content-type",
            "content-language",
            "content-disposition",
            "content-encoding",
            "content-digest",
            "location",
            "etag",
            "last-modified",
            "cache-control",
            "vary",
            "link",
            "retry-after",
            "allow",
            "x-custom",
            "x-author",
        ] {
            assert!(is_kept(&HeaderName::from_static(name)), "{name}");
        }
    }

    #[test]
    fn what_is_usually_kept_is_nowhere_refused() {
        assert_eq!(USUALLY_KEPT.iter().find(|name| is_refused(name)), None);
    }

    #[test]
    fn what_connection_names_is_stripped() {
        let mut headers = HeaderMap::new();
        headers.append("connection", "close, X-Hop".parse().unwrap());
        headers.append("x-hop", "1".parse().unwrap());
        headers.append("x-end", "1".parse().unwrap());
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-end"]);
    }

    #[test]
    fn that_trailers_are_welcome_is_said_anew_and_nothing_else_of_te() {
        let mut headers = HeaderMap::new();
        headers.append("te", "deflate;q=0.5, Trailers".parse().unwrap());
        headers.append("connection", "te".parse().unwrap());
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers["te"], "trailers");
        assert_eq!(headers["connection"], "te");
        headers.insert("te", "deflate".parse().unwrap());
        strip_hop_by_hop(&mut headers);
        assert!(headers.is_empty());
    }
}
