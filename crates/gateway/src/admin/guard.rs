//! Who gets to the operators' calls at all. Holds on loopback too: a browser on this machine is a stranger's hand.
//!
//! - `Host` must be a loopback name or this listener's own address. A page whose name was rebound to 127.0.0.1 sends
//!   its own name there, and a browser lets no page change it.
//! - `Origin` and `Sec-Fetch-Site`, where a browser sends them, must not tell of another origin.
//! - Whatever may change something must come as `application/json`: no form can, and a script of another origin has to
//!   ask first, which the line above refuses.
//! - Where a token is set, it must be there; `/healthz` and `/readyz` go without, since who asks them has none.

use std::{
    hint::black_box,
    net::{IpAddr, SocketAddr},
};

use axum::{
    extract::{self, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use onlyonce_http::problem::Refused;

use super::{
    State,
    answer::Refusal,
    problems::{FOREIGN_PAGE, JSON_REQUIRED, MISDIRECTED, TOKEN_REQUIRED},
};

/// Calls that tell nothing but whether the process is well.
const WITHOUT_TOKEN: [&str; 2] = ["/healthz", "/readyz"];
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(super) async fn check(
    extract::State(state): extract::State<State>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match admit(&state, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn admit(state: &State, request: &Request) -> Result<(), Refusal> {
    let host = check_host(request.uri(), request.headers(), state.address)?;
    check_origin(request.headers(), &host)?;
    if !WITHOUT_TOKEN.contains(&request.uri().path()) {
        check_token(state, request.headers())?;
    }
    check_content_type(request.method(), request.headers())
}

/// The one name that the request is for, if it is one of ours.
fn check_host(uri: &Uri, headers: &HeaderMap, address: SocketAddr) -> Result<Authority, Refusal> {
    let mut lines = headers.get_all(header::HOST).iter();
    let host = match (lines.next(), lines.next()) {
        (Some(line), None) => Authority::try_from(line.as_bytes()).ok(),
        _ => None,
    };
    // An absolute request target names a host of its own, and must not contradict.
    let agrees = |host: &Authority| uri.authority().is_none_or(|target| target == host);
    host.filter(|host| agrees(host) && is_ours(host, address)).ok_or_else(|| {
        Refused::new(
            MISDIRECTED,
            format!(
                "The Host header must be there once and name this listener: {address}, localhost or a loopback \
                 address. Other names are refused so that no web page can reach it under a name of its own."
            ),
        )
        .into()
    })
}

/// Ports do not count: a tunnel has another one.
fn is_ours(host: &Authority, address: SocketAddr) -> bool {
    if host.as_str().contains('@') {
        return false;
    }
    let name = host.host();
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let Ok(ip) = literal.parse::<IpAddr>() else { return false };
    let ip = ip.to_canonical();
    // On all addresses: whichever was dialled. No name can be rebound to a literal address.
    ip.is_loopback() || ip == address.ip().to_canonical() || address.ip().is_unspecified()
}

fn check_origin(headers: &HeaderMap, host: &Authority) -> Result<(), Refusal> {
    let ours = |origin: &HeaderValue| {
        let Ok(origin) = origin.to_str() else { return false };
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host.as_str()))
    };
    let near = |site: &HeaderValue| site == "same-origin" || site == "none";
    if headers.get_all(header::ORIGIN).iter().all(ours) && headers.get_all(SEC_FETCH_SITE).iter().all(near) {
        return Ok(());
    }
    Err(Refused::new(
        FOREIGN_PAGE,
        "The browser says that a page of another origin sent this. Nothing was done. Use `onlyonce keys` or a tool that \
         is no browser.",
    )
    .into())
}

fn check_token(state: &State, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(token) = &state.token else {
        // Start-up refuses this; here it is only made sure.
        return if state.address.ip().is_loopback() { Ok(()) } else { Err(token_required()) };
    };
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let given = match (lines.next(), lines.next()) {
        (Some(line), None) => bearer(line.as_bytes()),
        _ => None,
    };
    if given.is_some_and(|given| same(given, token.as_bytes())) { Ok(()) } else { Err(token_required()) }
}

fn token_required() -> Refusal {
    Refused::new(
        TOKEN_REQUIRED,
        "Send `Authorization: Bearer TOKEN` with the token that the gateway was started with (ONLYONCE_ADMIN_TOKEN). \
         `onlyonce keys` takes it from the same variable.",
    )
    .into()
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// Takes as long for a token that is wrong in its first byte as for one that is wrong in its last.
fn same(given: &[u8], token: &[u8]) -> bool {
    let differs = given.iter().zip(token).fold(0, |differs, (one, other)| black_box(differs | (one ^ other)));
    given.len() == token.len() && differs == 0
}

fn check_content_type(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let mut lines = headers.get_all(header::CONTENT_TYPE).iter();
    let is_json = |line: &HeaderValue| {
        let essence = line.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
    };
    match (lines.next(), lines.next()) {
        (Some(line), None) if is_json(line) => Ok(()),
        _ => Err(Refused::new(
            JSON_REQUIRED,
            "Send the body as JSON with `Content-Type: application/json`. Nothing was done. This is also what keeps \
             the form of a web page out.",
        )
        .into()),
    }
}
