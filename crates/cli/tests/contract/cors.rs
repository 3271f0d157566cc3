//! Pages of other origins: what their browsers are told, header by header. A real browser is asked in `tests/browser`.

use onlyonce_testbed::{
    client::{Request, Response},
    effects::{Answer, Upstream},
};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_problem, send, transfer, transfer_of},
};

const SHOP: &str = "https://shop.example";
const EXPOSED: [&str; 6] = [
    "idempotency-key",
    "idempotency-status",
    "idempotent-replayed",
    "idempotency-expires",
    "idempotency-settled",
    "retry-after",
];

fn setup(more: &str) -> Setup {
    Setup::anonymous().table(&format!("[cors]\norigins = [\"{SHOP}\"]\n{more}"))
}

/// An API that knows CORS and has its own opinion.
async fn knowing() -> Upstream {
    Upstream::start(|arrival| async move {
        let answer = match arrival.seen.method.as_str() {
            "OPTIONS" => Answer::new(204).header("access-control-allow-headers", "content-type"),
            _ => Answer::created(&arrival.execute(), &arrival.seen),
        };
        answer
            .header("access-control-allow-origin", "https://shop.example")
            .header("access-control-allow-credentials", "true")
            .header("access-control-expose-headers", "X-Trace, retry-after")
            .header("vary", "Accept, Origin")
    })
    .await
}

/// An API that has never heard of it.
async fn unknowing() -> Upstream {
    Upstream::start(|arrival| async move {
        match arrival.seen.method.as_str() {
            "OPTIONS" => Answer::new(405),
            _ => Answer::created(&arrival.execute(), &arrival.seen),
        }
    })
    .await
}

fn from(origin: &str, request: &Request) -> Request {
    request.clone().header("origin", origin)
}

fn preflight(path: &str, method: &str) -> Request {
    Request::new("OPTIONS", path)
        .header("origin", SHOP)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "content-type,idempotency-key")
}

/// All members of a list, in lower case.
fn list(answer: &Response, name: &str) -> Vec<String> {
    let lines = answer.headers.iter().filter(|(line, _)| line.eq_ignore_ascii_case(name.as_bytes()));
    let text: Vec<_> = lines.map(|(_, value)| String::from_utf8_lossy(value).to_ascii_lowercase()).collect();
    text.join(",").split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

fn assert_readable(answer: &Response) {
    assert_eq!(list(answer, "access-control-allow-origin"), [SHOP], "{answer:?}");
    let vary = list(answer, "vary");
    assert_eq!(vary.iter().filter(|name| *name == "origin").count(), 1, "{vary:?}");
    let exposed = list(answer, "access-control-expose-headers");
    for name in EXPOSED {
        assert_eq!(exposed.iter().filter(|known| *known == name).count(), 1, "{name} in {exposed:?}");
    }
}

#[tokio::test]
async fn a_first_answer_its_replay_and_a_problem_can_be_read_alike() {
    let upstream = knowing().await;
    let gateway = Gateway::start(&upstream.url(), setup("")).await;
    let request = from(SHOP, &transfer("k"));
    let first = send(gateway.address, &request).await;
    let replay = send(gateway.address, &request).await;
    let reused = send(gateway.address, &from(SHOP, &transfer_of("k", 999))).await;
    let broken = send(gateway.address, &from(SHOP, &transfer("a, b"))).await;
    assert_eq!(replay.header("idempotency-status"), Some("replayed"));
    assert_problem(&reused, 422, "key-reused");
    assert_problem(&broken, 400, "key-invalid");
    for answer in [&first, &replay, &reused, &broken] {
        assert_readable(answer);
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{answer:?}");
    }
    assert!(list(&first, "access-control-expose-headers").contains(&"x-trace".to_owned()));
    assert!(!list(&replay, "access-control-expose-headers").contains(&"x-trace".to_owned()), "never stored");
    assert_eq!(list(&first, "vary"), ["accept", "origin"]);
}

#[tokio::test]
async fn an_origin_that_is_not_listed_reads_nothing_of_ours() {
    let upstream = unknowing().await;
    let gateway = Gateway::start(&upstream.url(), setup("")).await;
    for origin in ["https://evil.example", "http://shop.example", "https://shop.example:8443", "null"] {
        let answer = send(gateway.address, &from(origin, &transfer("k"))).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
        assert_eq!(list(&answer, "vary"), ["origin"], "{origin}: a cache must know");
    }
    let unkeyed = send(gateway.address, &from(SHOP, &Request::get("/"))).await;
    assert_eq!(
        unkeyed.header("access-control-allow-origin"),
        None,
        "without a key it is the upstream's affair"
    );
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let answer = send(gateway.address, &from(SHOP, &transfer("k"))).await;
    assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), (None, None));
}

#[tokio::test]
async fn credentials_are_allowed_where_the_configuration_says_so() {
    let upstream = unknowing().await;
    let gateway = Gateway::start(&upstream.url(), setup("credentials = true")).await;
    for _ in 0..2 {
        let answer = send(gateway.address, &from(SHOP, &transfer("k"))).await;
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    }
}

#[tokio::test]
async fn a_preflight_is_the_upstreams_and_lets_the_key_through() {
    let upstream = knowing().await;
    let gateway = Gateway::start(&upstream.url(), setup("")).await;
    let answer = send(gateway.address, &preflight("/transfers", "POST")).await;
    assert_eq!(answer.status, 204);
    assert_eq!(list(&answer, "access-control-allow-headers"), ["content-type", "idempotency-key"]);
    let unkeyed = send(gateway.address, &preflight("/transfers", "GET")).await;
    assert_eq!(list(&unkeyed, "access-control-allow-headers"), ["content-type"], "a GET has no key");
    assert_eq!(upstream.arrivals(), 2);
}

#[tokio::test]
async fn an_upstream_that_knows_no_preflights_is_answered_for_where_a_key_can_be() {
    let upstream = unknowing().await;
    let gateway = Gateway::start(&upstream.url(), setup("")).await;
    let answer = send(gateway.address, &preflight("/transfers", "POST")).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), Some(SHOP));
    assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
    assert_eq!(list(&answer, "access-control-allow-headers"), ["content-type", "idempotency-key"]);
    let varies = ["origin", "access-control-request-method", "access-control-request-headers"];
    assert_eq!(list(&answer, "vary"), varies, "it answers this question alone");
    let unkeyed = send(gateway.address, &preflight("/transfers", "GET")).await;
    assert_eq!((unkeyed.status, unkeyed.header("access-control-allow-origin")), (405, None));
}

#[tokio::test]
async fn a_page_may_ask_what_became_of_its_operation() {
    let upstream = unknowing().await;
    let gateway = Gateway::start(&upstream.url(), setup("")).await;
    let path = "/.well-known/idempotency/operations/op_x";
    let before = send(gateway.address, &preflight(path, "GET")).await;
    assert_eq!((before.status, before.header("access-control-allow-origin")), (204, Some(SHOP)));
    let answer = send(gateway.address, &from(SHOP, &Request::get(path))).await;
    assert_problem(&answer, 404, "not-found");
    assert_readable(&answer);
    assert_eq!(upstream.arrivals(), 0);
}

/// Where a route only observes, nothing is added, replaced or taken away.
#[tokio::test]
async fn a_route_that_observes_leaves_cors_to_the_upstream() {
    for (upstream, allowed, preflighted) in
        [(knowing().await, Some(SHOP), 204), (unknowing().await, None, 405)]
    {
        let gateway = Gateway::start(&upstream.url(), setup("").defaults("mode = \"observe\"")).await;
        let answer = send(gateway.address, &from(SHOP, &transfer("k"))).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (201, allowed));
        let credentials = allowed.map(|_| "true");
        assert_eq!(answer.header("access-control-allow-credentials"), credentials, "it is the upstream's");
        let asked = send(gateway.address, &preflight("/transfers", "POST")).await;
        assert_eq!((asked.status, asked.header("access-control-allow-origin")), (preflighted, allowed));
        assert!(!list(&asked, "access-control-allow-headers").contains(&"idempotency-key".to_owned()));
    }
}

/// Our own refusal of a preflight is not covered up with a permission.
#[tokio::test]
async fn a_preflight_that_is_refused_or_does_not_come_through_is_not_allowed() {
    let upstream = unknowing().await;
    let gateway = Gateway::start(&upstream.url(), setup("")).await;
    let answer = send(gateway.address, &preflight("http://ana@bank.example/transfers", "POST")).await;
    assert_problem(&answer, 400, "request-ambiguous");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let gateway = Gateway::start(&url, setup("")).await;
    assert_eq!(send(gateway.address, &preflight("/transfers", "POST")).await.status, 502);
}
