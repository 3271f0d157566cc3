//! What reaches the application.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::{
    call::Request,
    check::{Check, Level, Need, Running},
    fixture::Defect,
    plan::Carrier,
    trial::Trial,
    upstream::Arrival,
    verdict::{Stop, Verdict},
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "forward/body-altered",
        level: Level::Must,
        requirement: "The application gets method, path, query and body of a keyed request as they were sent.",
        source: "RFC 9110, section 7.7",
        needs: &[Need::UpstreamView],
        controls: &[Defect::BodyRewritten],
        run: |trial| body(trial),
    },
    Check {
        id: "forward/key-missing",
        level: Level::Should,
        requirement: "The application gets the key, so that it can act once as well.",
        source: "RFC 9110, section 5.1: a proxy forwards header fields that it does not know",
        needs: &[Need::UpstreamView],
        controls: &[Defect::KeyNotForwarded],
        run: |trial| key(trial),
    },
    Check {
        id: "forward/hop-by-hop",
        level: Level::Should,
        requirement: "Header fields of the client's connection, and those that Connection names, are not forwarded.",
        source: "RFC 9110, section 7.6.1",
        needs: &[Need::UpstreamView],
        controls: &[Defect::HopByHopForwarded],
        run: |trial| hop_by_hop(trial),
    },
    Check {
        id: "forward/unkeyed-altered",
        level: Level::Should,
        requirement: "A request without a key reaches the application as it was sent, but for what every proxy changes.",
        source: "RFC 9110, sections 7.6 and 7.7",
        needs: &[Need::UpstreamView],
        controls: &[Defect::UnkeyedTouched],
        run: |trial| unkeyed(trial),
    },
];

/// White space, an order and a spelling that nobody would write twice.
const BODY: &str = "{ \"to\" : \"TOKEN\",\r\n\t\"amount\": 1e2, \"note\":\"\\u00e9 é\", \"a\": [ ] }\n";
/// Those in which a proxy speaks for itself (RFC 9110, section 7.6; RFC 7239; W3C Trace Context), those of the connection,
/// and those that tell how a body is framed and coded.
const OF_PROXIES: [&str; 17] = [
    "via",
    "forwarded",
    "x-real-ip",
    "x-request-id",
    "x-correlation-id",
    "traceparent",
    "tracestate",
    "baggage",
    "host",
    "connection",
    "keep-alive",
    "te",
    "transfer-encoding",
    "content-length",
    "accept-encoding",
    "max-forwards",
    "date",
];

fn body<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let request = odd(trial.operation()?);
        let arrival = arrived(trial, "a keyed request", &request).await?;
        Ok(differing(&request, &arrival)
            .unwrap_or_else(|| Verdict::pass("method, path, query and body as they were sent")))
    })
}

fn key<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let Carrier::Header(name) = &trial.plan().key.carrier else {
            return Err(Stop::not_observable(
                "the key stands in what has to arrive as it was sent: see forward/altered",
            ));
        };
        let request = trial.operation()?;
        let sent = bare(request.headers.get(name));
        let arrival = arrived(trial, "a keyed request", &request).await?;
        let got = bare(arrival.headers.get(name));
        Ok(match got {
            Some(_) if got == sent => Verdict::pass(format!("{name} arrives")),
            Some(got) => Verdict::Deviates {
                expected: format!("{name}: {}", sent.unwrap_or_default()),
                actual: format!("{name}: {got}"),
                like: "gateways that send a key of their own, derived from the client's".into(),
            },
            None => Verdict::fail(format!("{name} with the key"), "no such header"),
        })
    })
}

/// A key without the quotes of a structured field.
fn bare(value: Option<&HeaderValue>) -> Option<String> {
    let text = value?.to_str().ok()?;
    Some(text.trim_matches('"').to_owned())
}

fn hop_by_hop<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let request = trial
            .operation()?
            .with_header(header::CONNECTION, HeaderValue::from_static("x-of-this-hop"))
            .with_header(HeaderName::from_static("x-of-this-hop"), HeaderValue::from_static("1"))
            .with_header(HeaderName::from_static("keep-alive"), HeaderValue::from_static("timeout=5"))
            .with_header(HeaderName::from_static("proxy-connection"), HeaderValue::from_static("keep-alive"))
            .with_header(HeaderName::from_static("x-end-to-end"), HeaderValue::from_static("1"));
        let arrival = arrived(trial, "a keyed request with headers of its connection", &request).await?;
        let forwarded: Vec<&str> = ["x-of-this-hop", "keep-alive", "proxy-connection"]
            .into_iter()
            .filter(|name| arrival.headers.contains_key(*name))
            .collect();
        Ok(match (forwarded.as_slice(), arrival.headers.contains_key("x-end-to-end")) {
            ([], true) => Verdict::pass("those of the connection stay behind, the others arrive"),
            ([], false) => Verdict::fail("x-end-to-end arrives", "it does not"),
            (names, _) => {
                Verdict::fail("none of the connection's headers", format!("{} forwarded", names.join(", ")))
            }
        })
    })
}

fn unkeyed<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let mut request = odd(trial.unkeyed(&trial.plan().operations.create));
        request.path.push_str(if request.path.contains('?') { "&" } else { "?" });
        request.path.push_str("q=a%2Fb+c&q=&Q=1");
        request.headers.append("x-twice", HeaderValue::from_static("1"));
        request.headers.append("x-twice", HeaderValue::from_static("2, 3"));
        if trial.plan().key.required == Some(true) {
            return Err(Stop::not_observable("a key is required"));
        }
        let arrival = arrived(trial, "a request without a key", &request).await?;
        if let Some(verdict) = differing(&request, &arrival) {
            return Ok(verdict);
        }
        Ok(match changed_header(&request.headers, &arrival.headers) {
            None => Verdict::pass("the same bytes, and the same headers but those of proxies"),
            Some((name, sent, got)) => Verdict::fail(format!("{name}: {sent}"), format!("{name}: {got}")),
        })
    })
}

/// The same operation with a body and a type that are easily rewritten.
fn odd(request: Request) -> Request {
    let body = BODY.replace("TOKEN", &request.token);
    match request.method {
        Method::POST | Method::PUT | Method::PATCH if request.is_json() => request.with_body(body),
        _ => request,
    }
}

/// What arrived of a request that is carried out.
async fn arrived(trial: &mut Trial<'_>, what: &str, request: &Request) -> Result<Arrival, Stop> {
    let application = trial.application()?;
    let answer = trial.send(what, request).await?;
    application
        .arrivals_of(&request.token)
        .into_iter()
        .next()
        .ok_or_else(|| Stop::not_observable(format!("the request did not reach the application: {answer}")))
}

fn differing(request: &Request, arrival: &Arrival) -> Option<Verdict> {
    let (sent, got) = ((&request.method, &request.path), (&arrival.method, &arrival.path));
    if sent != got {
        return Some(Verdict::fail(format!("{} {}", sent.0, sent.1), format!("{} {}", got.0, got.1)));
    }
    (request.body != arrival.body).then(|| {
        Verdict::fail(
            format!("{} bytes: {:?}", request.body.len(), String::from_utf8_lossy(&request.body)),
            format!("{} bytes: {:?}", arrival.body.len(), String::from_utf8_lossy(&arrival.body)),
        )
    })
}

/// The first header that is another one, with what was sent and what came.
fn changed_header(sent: &HeaderMap, got: &HeaderMap) -> Option<(HeaderName, String, String)> {
    let counts = |name: &&HeaderName| {
        !OF_PROXIES.contains(&name.as_str()) && !name.as_str().starts_with("x-forwarded-")
    };
    let lines = |headers: &HeaderMap, name: &HeaderName| -> Vec<String> {
        headers
            .get_all(name)
            .iter()
            .map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned())
            .collect()
    };
    let name =
        sent.keys().chain(got.keys()).filter(counts).find(|name| lines(sent, name) != lines(got, name))?;
    let shown = |headers: &HeaderMap| match lines(headers, name) {
        lines if lines.is_empty() => "(absent)".to_owned(),
        _ if name == header::AUTHORIZATION || name == header::COOKIE => "(another)".to_owned(),
        lines => lines.join(" | "),
    };
    Some((name.clone(), shown(sent), shown(got)))
}
