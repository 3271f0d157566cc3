//! No key, body or credential is in a log line or a metric: not at the log's most talkative, with the libraries beneath,
//! whatever carries them and whatever becomes of the request.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use onlyonce_testbed::{
    Headers,
    client::{self, Connection, Request},
    effects::{Answer, Upstream},
};
use serde_json::json;

use crate::{
    gateway::{Gateway, Setup},
    transfer::send,
};

/// Planted wherever a careless line might show it.
const SECRET: &str = "Zx81Secret";
const FORM: &str = "application/x-www-form-urlencoded";

const ROUTES: &str = r#"
[principal]
credential = ["header:authorization", "cookie:session"]
[[route]]
match = "POST /carried"
carriers = ["header:x-request-key", "body:/idempotency_key", "form:idempotency_key"]
[[route]]
match = "PUT /orders/{id}"
carriers = ["path:id"]
create = true
[[route]]
match = "POST /derived"
carriers = ["derive:/note"]
retain_result = "1h"
retain_key = "1h"
[[route]]
match = "POST /observed/{status}"
mode = "observe"
[[route]]
match = "POST /strict"
key = "required"
syntax = "strict"
[[route]]
match = "POST /again/{status}"
on_unknown = "rerun"
settle_after = "1ms"
[[route]]
match = "POST /probed/{status}"
on_unknown = "probe"
[route.probe]
url = "/by-operation/{operation_ref}"
headers = { authorization = "env:PROBE_TOKEN" }
settle_after = "1ms"
every = "1s"
"#;

fn setup() -> Setup {
    Setup::default()
        .defaults("request_limit = \"2KiB\"\nanswer_limit = \"2KiB\"")
        .table(ROUTES)
        .environment("PROBE_TOKEN", SECRET)
        .environment("ONLYONCE_ADMIN_TOKEN", SECRET)
        .environment("ONLYONCE_SECRET", &SECRET.repeat(4))
        .environment("ONLYONCE_LOG", "trace")
        .environment("ONLYONCE_LOG_FORMAT", "json")
}

/// Answers by the path's last part, which is a status, with the secret in body and headers.
async fn upstream() -> Upstream {
    Upstream::start(|arrival| async move {
        let path = arrival.seen.path.split('?').next().unwrap_or_default().to_owned();
        let status = path.rsplit('/').next().and_then(|text| text.parse().ok()).unwrap_or(201);
        let large = if path.starts_with("/large") { 300 } else { 1 };
        arrival.execute();
        Answer::json(status, &json!({ "note": SECRET.repeat(large) }))
            .header("set-cookie", format!("session={SECRET}"))
            .header("location", format!("/{SECRET}"))
            .header("idempotency-outcome", format!("keep-{SECRET}"))
    })
    .await
}

/// The secret as key, in the query, as both credentials and in the body.
fn request(path: &str, key: &str) -> Request {
    credited(Request::post(format!("{path}?q={SECRET}")).key(format!("{key}-{SECRET}")))
        .json(&json!({ "note": SECRET }))
}

fn credited(request: Request) -> Request {
    request
        .header("authorization", format!("Bearer {SECRET}"))
        .header("cookie", format!("session={SECRET}"))
        .header("x-note", SECRET)
}

/// What is kept, replayed, refused, released, unknown, run again, too large, observed or passed.
fn outcomes() -> Vec<Request> {
    let twice = |path: &str| [request(path, &path.replace('/', "-")), request(path, &path.replace('/', "-"))];
    let mut all: Vec<_> = ["/kept/201", "/lost/504", "/free/429", "/broken/500", "/large/201", "/again/502"]
        .into_iter()
        .chain(["/observed/201", "/observed/504", "/probed/502"])
        .flat_map(twice)
        .collect();
    all.extend([
        request("/kept/201", "-kept-201").body(json!({ "note": format!("{SECRET}2") }).to_string()),
        credited(Request::post("/kept/201")).json(&json!({ "note": SECRET })),
        credited(Request::get(format!("/.well-known/idempotency/operations/op_{SECRET}"))),
    ]);
    all
}

/// By every carrier, and by those that are refused.
fn carried() -> Vec<Request> {
    let typed = |path: &str, media: &str, body: String| {
        credited(Request::post(path)).header("content-type", media).body(body)
    };
    let member = json!({ "idempotency_key": SECRET, "note": SECRET }).to_string();
    vec![
        credited(Request::post("/carried")).header("x-request-key", SECRET),
        typed("/carried", "application/json", member.clone()),
        typed("/carried", "application/json", member.clone()).header("x-request-key", format!("2{SECRET}")),
        typed("/carried", "application/json", format!("{{\"idempotency_key\":[\"{SECRET}\"]}}")),
        typed("/carried", "application/json", format!("{{\"idempotency_key\":\"{SECRET}")),
        typed("/carried", FORM, format!("idempotency_key={SECRET}&note={SECRET}")),
        typed("/carried", FORM, format!("idempotency_key={SECRET}&idempotency_key={SECRET}")),
        credited(Request::new("PUT", format!("/orders/{SECRET}"))).json(&json!({ "note": SECRET })),
        Request::new("PUT", format!("/orders/{SECRET}")).json(&json!({ "note": SECRET })),
        credited(Request::new("PUT", format!("/orders/{SECRET}%00"))),
        typed("/derived", "application/json", member),
    ]
}

/// Refused at the door, by us or by the parser.
fn refused() -> Vec<Request> {
    let bare = |request: Request| request.header("host", "bank.example").bare();
    vec![
        request("/strict", "k"),
        request("/strict", "").key("a second line"),
        request("/kept/201", &format!("\"{SECRET}, \"")),
        request("/kept/201", &SECRET.repeat(30)),
        request("//kept/201", "k"),
        request(&format!("http://{SECRET}:{SECRET}@bank.example/kept/201"), "k"),
        request("/kept/201", "k").header("host", SECRET).header("host", "bank.example"),
        request("/kept/201", "k").header("early-data", "1"),
        request("/kept/201", "large").body(SECRET.repeat(300)),
        Request::post("/strict").key(SECRET).header("authorization", format!("Digest {SECRET}")),
        Request::post("/strict").key(SECRET).header("cookie", format!("other={SECRET}")),
        bare(request("/kept/201", "k")).header("content-length", "9").body(SECRET),
        bare(request("/kept/201", "k")).header("content-length", SECRET),
        request("/kept/201", "k").header(format!("x {SECRET}"), SECRET),
        request("/kept/201", "k").header("x-large", SECRET.repeat(4_000)),
        request("/kept/201", "trailed")
            .chunked([SECRET], [("x-trailer", SECRET)].into_iter().collect::<Headers>()),
    ]
}

/// What operators ask and say.
fn operators(reference: &str) -> Vec<Request> {
    let told = |request: Request| request.header("authorization", format!("Bearer {SECRET}"));
    let reason = json!({ "as": "applied", "status": 201, "state": "unknown", "fence": 1, "reason": SECRET, "by": SECRET });
    let record = format!("/api/v1/records/{reference}");
    let principal = json!({ "header:authorization": format!("Bearer {SECRET}"), "cookie:session": SECRET });
    vec![
        told(Request::get("/api/v1/records?state=unknown")),
        told(Request::get(record.as_str())),
        told(Request::post("/api/v1/lookup")).json(&json!({ "principal": principal, "key": SECRET })),
        told(Request::post("/api/v1/lookup")).json(&json!({ "principal": SECRET, "key": SECRET })),
        told(Request::post(format!("{record}/settle"))).json(&reason),
        told(Request::post(format!("{record}/settle"))).json(&reason),
        told(Request::new("DELETE", record.as_str()))
            .json(&json!({ "state": "completed", "fence": 1, "reason": SECRET, "by": SECRET })),
        told(Request::get("/api/v1/audit")),
        Request::get("/api/v1/records").header("authorization", format!("Bearer not-{SECRET}")),
    ]
}

/// A client that announces more than it sends, chunks that are none, and bytes that are no HTTP.
async fn break_off(gateway: &Gateway) {
    let head = format!(
        "POST /kept/201 HTTP/1.1\r\nHost: h\r\nIdempotency-Key: {SECRET}\r\nAuthorization: Bearer {SECRET}\r\n"
    );
    for rest in [
        format!("Content-Length: 100\r\n\r\n{SECRET}"),
        format!("Transfer-Encoding: chunked\r\n\r\n{SECRET}\r\n"),
        format!("Transfer-Encoding: {SECRET}\r\n\r\n"),
        format!("{SECRET}\0\r\n\r\n"),
    ] {
        let mut connection = Connection::open(gateway.address).await.unwrap();
        connection.write(format!("{head}{rest}").as_bytes()).await.unwrap();
        connection.finish_writing().await.unwrap();
        // Refused, or not answered at all.
        let _ = connection.answer("POST").await;
    }
}

/// The libraries of HTTP/2 log every frame.
async fn over_http2(gateway: &Gateway) {
    let stream = tokio::net::TcpStream::connect(gateway.address).await.unwrap();
    let executor = TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for path in ["/kept/201", "/lost/504", "/orders/201"] {
        let request = hyper::Request::post(format!("http://bank.example{path}?q={SECRET}"))
            .header("idempotency-key", format!("two-{SECRET}"))
            .header("authorization", format!("Bearer {SECRET}"))
            .header("cookie", format!("session={SECRET}"))
            .body(Full::new(Bytes::from(SECRET)));
        let answer = sender.send_request(request.unwrap()).await.unwrap();
        answer.into_body().collect().await.unwrap();
    }
}

#[tokio::test]
async fn neither_log_nor_metrics_tell_a_secret() {
    let upstream = upstream().await;
    let mut gateway = Gateway::start(&upstream.url(), setup()).await;
    for request in outcomes().into_iter().chain(carried()) {
        send(gateway.address, &request).await;
    }
    for request in refused() {
        // Some are not answered, and end their connection.
        let _ = client::send(gateway.address, &request).await;
    }
    break_off(&gateway).await;
    over_http2(&gateway).await;
    let asked =
        |upstream: &Upstream| upstream.seen().iter().any(|seen| seen.path.starts_with("/by-operation/"));
    while !asked(&upstream) {
        upstream.arrived(upstream.arrivals() + 1).await;
    }
    let lost = send(gateway.address, &request("/lost/504", "-lost-504")).await;
    for request in operators(lost.json()["operation_ref"].as_str().unwrap()) {
        gateway.ask(&request).await;
    }
    let metrics = Request::get("/metrics").header("authorization", format!("Bearer {SECRET}"));
    let metrics = gateway.ask(&metrics).await.text();
    gateway.process.sigterm().unwrap();
    gateway.process.wait().await;

    let log = gateway.process.output();
    for told in [
        "an outcome is unknown",
        "a keyed request was answered",
        "observed only",
        "TRACE",
        "h2::",
        "an unknown outcome is settled",
    ] {
        assert!(log.contains(told), "the log is to be talkative, and does not say {told}");
    }
    assert!(metrics.contains("onlyonce_requests_total"), "{metrics}");
    let as_numbers = format!("{:?}", &SECRET.as_bytes()[..6]);
    for planted in [SECRET, as_numbers.trim_matches(['[', ']'])] {
        let line = log.lines().chain(metrics.lines()).find(|line| line.contains(planted));
        assert_eq!(line, None);
    }
}
