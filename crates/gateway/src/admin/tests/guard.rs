//! Who does not get in. Each test here has been seen red with its guard taken out.

use super::*;

const LIST: &str = "/api/v1/records";

fn get(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    request(Method::GET, path, headers, "")
}

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.to_owned().into()).unwrap()
}

impl Desk {
    async fn at(address: &str) -> Self {
        let mut desk = Self::anonymous().await;
        desk.state.address = address.parse().unwrap();
        desk.state.token = Some("secret".into());
        desk
    }

    async fn admits(&self, host: &str) -> bool {
        let answer = self.send(get(LIST, &[("host", host), ("authorization", "Bearer secret")])).await;
        assert!(answer.status == StatusCode::OK || answer.problem() == "misdirected", "{}", answer.text);
        answer.status == StatusCode::OK
    }
}

/// A23: a page at attacker.example whose name now resolves to 127.0.0.1 is of one origin with this listener, as the
/// browser sees it. All that gives it away is the name in `Host`.
#[tokio::test]
async fn a_rebound_name_reaches_nothing() {
    let desk = Desk::at("127.0.0.1:9180").await;
    for host in [
        "attacker.example",
        "attacker.example:9180",
        "127.0.0.1.attacker.example:9180",
        "localhost.attacker.example",
        "127.0.0.1@attacker.example",
        "attacker.example@127.0.0.1",
        "10.0.0.1:9180",
        "0.0.0.0:9180",
        "[::]:9180",
        "[fd00::1]:9180",
        "",
        ":9180",
        "127.0.0.1:9180, attacker.example",
    ] {
        assert!(!desk.admits(host).await, "{host}");
    }
}

#[tokio::test]
async fn a_listener_answers_to_loopback_names_and_its_own_address() {
    let desk = Desk::at("10.1.2.3:9180").await;
    for host in [
        "localhost",
        "LOCALHOST:9180",
        "127.0.0.1",
        "127.0.0.1:7000",
        "127.9.9.9",
        "[::1]:9180",
        "10.1.2.3:9180",
    ] {
        assert!(desk.admits(host).await, "{host}");
    }
    assert!(!desk.admits("10.1.2.4:9180").await);
    let everywhere = Desk::at("0.0.0.0:9180").await;
    assert!(everywhere.admits("10.1.2.4:9180").await && everywhere.admits("[fd00::1]:9180").await);
    assert!(!everywhere.admits("gateway.example:9180").await);
}

#[tokio::test]
async fn a_host_that_is_missing_doubled_or_contradicted_is_none() {
    let desk = Desk::anonymous().await;
    for headers in [&[][..], &[("host", "127.0.0.1"), ("host", "127.0.0.1")]] {
        assert_eq!(desk.send(get(LIST, headers)).await.problem(), "misdirected", "{headers:?}");
    }
    let target = "http://attacker.example/api/v1/records";
    assert_eq!(desk.send(get(target, &[("host", "127.0.0.1")])).await.problem(), "misdirected");
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused() {
    let desk = Desk::anonymous().await;
    for (name, value) in [
        ("origin", "http://attacker.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:3000"),
        ("origin", "http://localhost:9180"),
        ("origin", "http://127.0.0.1:9180.attacker.example"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let answer = desk.send(get(LIST, &[("host", "127.0.0.1:9180"), (name, value)])).await;
        assert_eq!(answer.problem(), "foreign-page", "{name}: {value}");
        assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
    }
    for (name, value) in
        [("origin", "http://127.0.0.1:9180"), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none")]
    {
        let answer = desk.send(get(LIST, &[("host", "127.0.0.1:9180"), (name, value)])).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {value}");
    }
}

/// A23: the form of any page can post to loopback. It cannot set the content type to JSON, nor its own origin.
#[tokio::test]
async fn a_form_on_a_web_page_settles_nothing() {
    let desk = Desk::anonymous().await;
    let reference = desk.unknown("k", "POST /transfers", Some(Duration::ZERO)).await;
    let path = format!("/api/v1/records/{reference}/settle");
    let body = applied(1).to_string();
    for content_type in
        ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", "application/jsonp"]
    {
        let by_a_form = [("host", "127.0.0.1:9180"), ("content-type", content_type)];
        let answer = desk.send(request(Method::POST, &path, &by_a_form, &body)).await;
        assert_eq!(answer.problem(), "json-required", "{content_type}");
    }
    for (method, path) in [
        (Method::POST, path.as_str()),
        (Method::POST, "/api/v1/settle"),
        (Method::POST, "/api/v1/lookup"),
        (Method::DELETE, &format!("/api/v1/records/{reference}")),
    ] {
        let answer = desk.send(request(method, path, &[("host", "127.0.0.1:9180")], &body)).await;
        assert_eq!(answer.problem(), "json-required", "{path}");
    }
    let by_a_script = [
        ("host", "127.0.0.1:9180"),
        ("content-type", "application/json"),
        ("origin", "http://attacker.example"),
    ];
    assert_eq!(desk.send(request(Method::POST, &path, &by_a_script, &body)).await.problem(), "foreign-page");
    let asking_first = [("host", "127.0.0.1:9180"), ("origin", "http://attacker.example")];
    let preflight = request(Method::OPTIONS, &path, &asking_first, "");
    assert_eq!(desk.send(preflight).await.problem(), "foreign-page");
    assert_eq!(desk.record(reference).await.state.name().as_str(), "unknown");
}

#[tokio::test]
async fn a_token_is_asked_for_on_loopback_too() {
    let desk = Desk::at("127.0.0.1:9180").await;
    for given in
        ["", "secret", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets", "Bearer Secret", "Basic secret"]
    {
        let answer = desk.send(get(LIST, &[("host", "localhost"), ("authorization", given)])).await;
        assert_eq!(answer.problem(), "token-required", "{given}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        assert!(!answer.text.contains("ecret"), "{}", answer.text);
    }
    let twice = [("host", "localhost"), ("authorization", "Bearer secret"), ("authorization", "Bearer x")];
    assert_eq!(desk.send(get(LIST, &twice)).await.problem(), "token-required");
    assert_eq!(desk.send(get("/metrics", &[("host", "localhost")])).await.problem(), "token-required");
    let right = [("host", "localhost"), ("authorization", "bearer secret")];
    assert_eq!(desk.send(get(LIST, &right)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn without_a_token_only_loopback_serves() {
    let mut desk = Desk::anonymous().await;
    desk.state.address = "10.1.2.3:9180".parse().unwrap();
    assert_eq!(desk.get(LIST).await.problem(), "token-required");
    assert_eq!(desk.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn nothing_is_cached() {
    let desk = Desk::anonymous().await;
    for path in ["/healthz", "/readyz", "/metrics", LIST, "/api/v1/audit", "/nothing"] {
        assert_eq!(desk.get(path).await.headers["cache-control"], "no-store", "{path}");
    }
    let refused = desk.send(get(LIST, &[("host", "attacker.example")])).await;
    assert_eq!(refused.headers["cache-control"], "no-store");
}
