//! Pages of other origins: what their browsers must be told to let them send a key and read an answer.
//!
//! The upstream's `Access-Control-*` is never stored, so whatever answers for it says so anew, to the origin that asks
//! now. What passes without a key is the upstream's own affair. A preflight goes to the upstream; an upstream that has
//! never heard of them is answered for, where a key can be sent (Fetch standard, section 3.2).

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use onlyonce_http::{Body, headers, rules::Mode};

use crate::{config, routes::Routes};

/// What scripts may read besides what every answer lets them.
const EXPOSED: [HeaderName; 6] = [
    headers::KEY,
    headers::STATUS,
    headers::REPLAYED,
    headers::EXPIRES,
    headers::SETTLED,
    header::RETRY_AFTER,
];
/// How long a browser may remember our own answer to a preflight, in seconds.
const PREFLIGHT_AGE: u64 = 600;

/// Which pages may ask.
#[derive(Debug)]
pub(crate) struct Cors {
    origins: Vec<HeaderValue>,
    credentials: bool,
}

/// What a browser asks for a page.
#[derive(Debug)]
pub(crate) struct Asked {
    origin: HeaderValue,
    preflight: Option<Preflight>,
}

/// A request that is not made yet.
#[derive(Debug)]
struct Preflight {
    method: HeaderValue,
    headers: Option<HeaderValue>,
    /// Whether it can have a key.
    keyed: bool,
    /// The headers that may carry it.
    carriers: Vec<HeaderName>,
}

impl Cors {
    pub(crate) fn new(config: &config::Cors) -> Self {
        let origins = config.origins.iter().map(|origin| {
            HeaderValue::try_from(origin.as_str()).expect("an origin is the scheme and authority of a URI")
        });
        Self { origins: origins.collect(), credentials: config.credentials }
    }

    /// What a request asks for a listed page; `None` if it comes from no such page.
    pub(crate) fn asked<B>(&self, request: &Request<B>, routes: &Routes) -> Option<Asked> {
        let origin = request.headers().get(header::ORIGIN)?;
        if !self.origins.contains(origin) {
            return None;
        }
        Some(Asked { origin: origin.clone(), preflight: Preflight::of(request, routes) })
    }

    /// Our own answer to a preflight for one of our own resources.
    pub(crate) fn preflight<B>(&self, asked: &Asked) -> Option<Response<Body<B>>> {
        asked.preflight.as_ref().map(|preflight| self.allow(&asked.origin, preflight))
    }

    /// Adds to an answer what the browser needs, as far as it is ours to say.
    pub(crate) fn complete<B>(&self, asked: Option<&Asked>, answer: &mut Response<Body<B>>) {
        let Some(asked) = asked else {
            if !self.origins.is_empty() && is_ours(answer) {
                vary(answer.headers_mut(), "origin");
            }
            return;
        };
        match &asked.preflight {
            Some(preflight) if !preflight.keyed => {}
            Some(preflight) if answer.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) => {
                let names = preflight.carriers.iter().map(HeaderName::as_str);
                add(answer.headers_mut(), header::ACCESS_CONTROL_ALLOW_HEADERS, names);
            }
            // The upstream's own answer; ours says that the request was refused or did not come through, and stands.
            Some(preflight) if matches!(answer.body(), Body::Through(_)) => {
                *answer = self.allow(&asked.origin, preflight);
            }
            Some(_) => {}
            None if is_ours(answer) => {
                self.readable(&asked.origin, answer.headers_mut());
                add(
                    answer.headers_mut(),
                    header::ACCESS_CONTROL_EXPOSE_HEADERS,
                    EXPOSED.iter().map(HeaderName::as_str),
                );
            }
            None => {}
        }
    }

    /// Lets a page send what its browser asks about. Whoever lists an origin trusts its pages with any header.
    fn allow<B>(&self, origin: &HeaderValue, preflight: &Preflight) -> Response<Body<B>> {
        let mut answer = Response::new(Body::whole(bytes::Bytes::new()));
        *answer.status_mut() = StatusCode::NO_CONTENT;
        let headers = answer.headers_mut();
        self.readable(origin, headers);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, preflight.method.clone());
        if let Some(names) = &preflight.headers {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE.into());
        vary(headers, "access-control-request-method");
        vary(headers, "access-control-request-headers");
        answer
    }

    /// The same on a first answer, which has the upstream's, as on a replay, which has none.
    fn readable(&self, origin: &HeaderValue, headers: &mut HeaderMap) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        } else {
            headers.remove(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
        }
        vary(headers, "origin");
    }
}

impl Preflight {
    fn of<B>(request: &Request<B>, routes: &Routes) -> Option<Self> {
        let headers = request.headers();
        let method = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
        if *request.method() != Method::OPTIONS {
            return None;
        }
        let asked = Method::from_bytes(method.as_bytes()).ok()?;
        let rules = routes.rules(routes.find(&asked, request.uri().path()));
        Some(Self {
            keyed: rules.covers(&asked) && rules.mode != Mode::Observe,
            carriers: rules.carriers.headers().to_vec(),
            method: method.clone(),
            headers: headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned(),
        })
    }
}

/// Whether an answer is to a request with a key, or did not come from the upstream at all.
fn is_ours<B>(answer: &Response<Body<B>>) -> bool {
    !matches!(answer.body(), Body::Through(_) | Body::Observed { .. })
        || answer.headers().contains_key(headers::STATUS)
}

fn vary(headers: &mut HeaderMap, name: &'static str) {
    if !names(headers, &header::VARY).any(|varies| varies == "*") {
        add(headers, header::VARY, [name].into_iter());
    }
}

/// Adds to a list those names that are not in it, in a line of their own.
fn add<'a>(headers: &mut HeaderMap, list: HeaderName, new: impl Iterator<Item = &'a str>) {
    let missing: Vec<_> =
        new.filter(|name| !names(headers, &list).any(|known| known.eq_ignore_ascii_case(name))).collect();
    if let Ok(line) = HeaderValue::try_from(missing.join(", "))
        && !missing.is_empty()
    {
        headers.append(list, line);
    }
}

fn names<'a>(headers: &'a HeaderMap, list: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(list).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',').map(str::trim))
}
