//! By what a key may come, and what is refused because nobody can tell whether there is one.

use onlyonce_testbed::{
    Headers,
    client::{Request, Response},
    effects::{Answer, Upstream},
};
use serde_json::{Value, json};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, said, send, transfer},
};

const EVERYWHERE: &str = r#"carriers = ["header:idempotency-key", "header:x-request-key", "body:/idempotency_key", "form:idempotency_key"]"#;
const FORM: &str = "application/x-www-form-urlencoded";

fn typed(media: &str, body: &str) -> Request {
    Request::post("/transfers").header("Content-Type", media).body(body)
}

fn json_body(body: &Value) -> Request {
    Request::post("/transfers").json(body)
}

/// It is the answer that another request got, whichever header either key came by.
#[track_caller]
fn assert_same_operation(answer: &Response, first: &Response) {
    assert_eq!((said(answer), &answer.body), (Some("replayed"), &first.body), "{}", answer.text());
}

/// D11: a client may change between a header, a member and a field; the key in the body does not count twice.
#[tokio::test]
async fn d11_explicit_carriers_mean_the_same_key_and_echo_it_where_it_came_by() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().defaults(EVERYWHERE)).await;
    let body = json!({ "amount": 1 });
    let first = send(gateway.address, &json_body(&body).key("k")).await;
    assert_executed(&first, 201);
    let by_header = send(gateway.address, &json_body(&body).header("X-Request-Key", "\"k\";a=1")).await;
    assert_same_operation(&by_header, &first);
    assert_eq!(by_header.header("x-request-key"), Some("\"k\";a=1"));
    assert!(!by_header.headers.contains("idempotency-key"));
    let by_member = send(gateway.address, &json_body(&json!({ "amount": 1, "idempotency_key": "k" }))).await;
    assert_same_operation(&by_member, &first);
    assert_eq!(by_member.header("idempotency-key"), Some("\"k\""));
    let other = send(gateway.address, &json_body(&json!({ "amount": 2, "idempotency_key": "k" }))).await;
    let problem = assert_problem(&other, 422, "key-reused");
    assert!(!problem.to_string().contains("idempotency_key"), "{problem:#}");

    let first = send(gateway.address, &typed(FORM, "amount=1&idempotency_key=f")).await;
    assert_executed(&first, 201);
    assert_same_operation(&send(gateway.address, &typed(FORM, "amount=%31").key("f")).await, &first);
    let both = typed(FORM, "idempotency_key=%66&amount=1").key("f").header("x-request-key", "f");
    assert_same_operation(&send(gateway.address, &both).await, &first);
    assert_eq!(upstream.keys(), [("f".to_owned(), 1), ("k".to_owned(), 1)].into());
}

/// D18: a body that may hold the key for some reader is not let through as one without a key.
#[tokio::test]
async fn d18_a_body_in_which_a_key_may_stand_and_cannot_be_found_is_refused() {
    let upstream = Upstream::counting().await;
    let setup = Setup::anonymous().defaults(EVERYWHERE).table(&format!(
        "[[route]]\nmatch = \"POST /required\"\nkey = \"required\"\n{EVERYWHERE}\nrequest_limit = \"100B\""
    ));
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let json = r#"{"idempotency_key":"k"}"#;
    for doubtful in [
        typed("application/json", json).header("Content-Encoding", "gzip"),
        typed("application/json", "{"),
        typed("application/json", &format!("\u{feff}{json}")),
        typed("text/json", json),
        Request::post("/transfers").body(json),
        typed(FORM, "idempotency_key=%zz"),
        typed(FORM, "idempotency_key=k").header("Content-Encoding", "br"),
        typed("multipart/form-data", "idempotency_key=k"),
        typed("application/json", r#"{"idempotency_key":7}"#),
        typed("application/json", r#"{"idempotency_key":""}"#),
        typed(FORM, "idempotency_key="),
    ] {
        assert_problem(&send(gateway.address, &doubtful).await, 400, "key-invalid");
    }
    let foreign = Request::post("/required").header("Content-Type", "text/plain").body(json);
    assert_problem(&send(gateway.address, &foreign).await, 400, "key-invalid");
    let large = Request::post("/required").header("Content-Type", "application/json").body(vec![b' '; 101]);
    assert_problem(&send(gateway.address, &large).await, 413, "request-too-large");
    let none = Request::post("/required").json(&json!({ "amount": 1 }));
    let told = assert_problem(&send(gateway.address, &none).await, 400, "key-missing");
    let detail = told["detail"].as_str().unwrap();
    assert!(detail.contains("a member /idempotency_key of its JSON body"), "{detail}");
    assert_eq!(upstream.arrivals(), 0);

    // A key in a header settles it.
    let coded = typed("application/json", json).header("Content-Encoding", "gzip").key("h");
    assert_executed(&send(gateway.address, &coded).await, 201);
    // No reader looks for a key there.
    let plain = send(gateway.address, &typed("text/plain", json)).await;
    assert_eq!((plain.status, said(&plain)), (201, None));
}

/// D19: «the first one wins» means another key as soon as a proxy adds or drops a header.
#[tokio::test]
async fn d19_carriers_that_disagree_are_refused() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().defaults(EVERYWHERE)).await;
    for disagreeing in [
        transfer("a").header("X-Request-Key", "b"),
        json_body(&json!({ "idempotency_key": "b" })).key("a"),
        json_body(&json!({ "idempotency_key": "b" })).header("X-Request-Key", "a"),
        typed(FORM, "idempotency_key=b").key("a"),
        transfer("a").header("X-Request-Key", ""),
        transfer("a").header("X-Request-Key", "a").header("X-Request-Key", "a"),
    ] {
        assert_problem(&send(gateway.address, &disagreeing).await, 400, "key-invalid");
    }
    assert_eq!(upstream.arrivals(), 0);
}

/// D32: the gateway takes one of them, and the upstream the other.
#[tokio::test]
async fn d32_a_key_that_stands_twice_in_a_body_is_refused() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().defaults(EVERYWHERE)).await;
    let part = "--b\r\nContent-Disposition: form-data; name=idempotency_key\r\n\r\nk\r\n";
    for twice in [
        typed("application/json", r#"{"idempotency_key":"a","idempotency_key":"b"}"#),
        typed("application/json", r#"{"idempotency_key":"a","idempotenc\u0079_key":"a"}"#),
        typed(FORM, "idempotency_key=a&idempotency_key=a"),
        typed(FORM, "idempotency_key=a&idempotency%5Fkey=a").key("a"),
        typed("multipart/form-data; boundary=b", &format!("{part}{part}--b--")),
    ] {
        assert_problem(&send(gateway.address, &twice).await, 400, "key-invalid");
    }
    assert_eq!(upstream.arrivals(), 0);
    let once = typed("multipart/form-data; boundary=b", &format!("{part}--b--"));
    assert_executed(&send(gateway.address, &once).await, 201);
}

/// D35: there it cannot be known before the body is read; without a key it goes on as it came.
#[tokio::test]
async fn d35_without_a_key_in_it_a_body_that_was_read_goes_on_with_the_same_bytes() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::by_header().defaults(EVERYWHERE)).await;
    let text = "{ \"amount\" : 1.0 }";
    let chunks = typed("application/json", "").chunked(["{ \"amount\"", " : 1.0 }"], Headers::new());
    for request in [typed("application/json", text), chunks] {
        for _ in 0..2 {
            let answer = send(gateway.address, &request).await;
            assert_eq!((answer.status, said(&answer)), (201, None), "{}", answer.text());
            assert!(!answer.headers.contains("idempotency-key"));
        }
    }
    let seen = upstream.seen();
    assert_eq!(seen.len(), 4, "every repeat ran, and nobody had to say who he is");
    assert!(seen.iter().all(|seen| seen.body == text.as_bytes() && seen.operation().is_none()));

    // With one, it has to be known whose it is, and nobody may have taken it from early data.
    let keyed = typed("application/json", r#"{"idempotency_key":"k"}"#);
    assert_problem(&send(gateway.address, &keyed).await, 401, "principal-required");
    let early = keyed.header("x-principal", "ana").header("Early-Data", "1");
    assert_problem(&send(gateway.address, &early).await, 425, "too-early");
    assert_eq!(upstream.arrivals(), 4);
}

/// D24: ids of two collections are two keys, and a header key is another one still.
#[tokio::test]
async fn d24_a_path_is_a_key_of_its_own_route() {
    let upstream = Upstream::counting().await;
    let route = |path: &str| {
        format!(
            "[[route]]\nmatch = \"PUT {path}\"\ncreate = true\ncarriers = [\"path:id\", \"header:idempotency-key\"]"
        )
    };
    let setup = Setup::anonymous().table(&route("/orders/{id}")).table(&route("/invoices/{id}"));
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let put = |path: &str| Request::new("PUT", path).json(&json!({ "amount": 1 }));
    let first = send(gateway.address, &put("/orders/7")).await;
    assert_executed(&first, 201);
    assert_eq!(first.header("idempotency-key"), Some("\"7\""));
    assert_replays(&send(gateway.address, &put("/orders/7")).await, &first);
    let changed = Request::new("PUT", "/orders/7").json(&json!({ "amount": 2 }));
    assert_problem(&send(gateway.address, &changed).await, 422, "key-reused");
    assert_executed(&send(gateway.address, &put("/invoices/7")).await, 201);
    assert_executed(&send(gateway.address, &put("/orders/7").key("7")).await, 201);
    assert_eq!(upstream.total(), 3);
}

/// D24: two accounts number their transfers from 1, and neither gets the other's answer.
#[tokio::test]
async fn d24_what_else_a_path_names_counts_with_its_key() {
    let upstream = Upstream::counting().await;
    let route = "[[route]]\nmatch = \"PUT /accounts/{account}/transfers/{id}/{*part}\"\ncreate = true\ncarriers = [\"path:id\"]";
    let gateway = Gateway::start(&upstream.url(), Setup::by_header().table(route)).await;
    let put =
        |path: &str| Request::new("PUT", path).header("x-principal", "ana").json(&json!({ "amount": 1 }));
    for path in ["/accounts/1/transfers/7", "/accounts/2/transfers/7", "/accounts/1/transfers/7/fee"] {
        let first = send(gateway.address, &put(path)).await;
        assert_executed(&first, 201);
        assert_eq!(first.header("idempotency-key"), Some("\"7\""), "{path}");
        assert_replays(&send(gateway.address, &put(path)).await, &first);
        // An operator has the path and no key.
        let asked = json!({ "principal": "ana", "request": format!("PUT {path}") });
        let told = gateway.ask(&Request::post("/api/v1/lookup").json(&asked)).await;
        let told: Value = serde_json::from_slice(&told.body).unwrap();
        let seen = upstream.seen().last().unwrap().operation();
        assert_eq!(told["operation"]["operation_ref"].as_str().map(ToOwned::to_owned), seen, "{path}");
    }
    assert_eq!(upstream.total(), 3);
}

/// D34: the upstream decodes a segment before it looks, so these are one transfer of one account. Which of them it would
/// have answered otherwise nobody knows, so none gets another one's answer.
#[tokio::test]
async fn d34_another_spelling_of_a_path_is_the_same_key() {
    let upstream = Upstream::counting().await;
    let route = "[[route]]\nmatch = \"PUT /accounts/{account}/transfers/{id}\"\ncreate = true\ncarriers = [\"path:id\"]";
    let gateway = Gateway::start(&upstream.url(), Setup::by_header().table(route)).await;
    let put =
        |path: &str| Request::new("PUT", path).header("x-principal", "ana").json(&json!({ "amount": 1 }));
    let first = send(gateway.address, &put("/accounts/a:b/transfers/c@d")).await;
    assert_executed(&first, 201);
    assert_eq!(first.header("idempotency-key"), Some("\"c@d\""));
    for path in [
        "/accounts/a%3Ab/transfers/c@d",
        "/accounts/a%3ab/transfers/c%40d",
        "/accounts/a:b/transfers/c%40d",
        "/accounts/a:b/transfers/c@d/",
    ] {
        let answer = send(gateway.address, &put(path)).await;
        let problem = assert_problem(&answer, 422, "key-reused");
        assert_eq!(problem["differs"], json!(["path"]), "{path}");
        let asked = json!({ "principal": "ana", "request": format!("PUT {path}?x=1") });
        let told = gateway.ask(&Request::post("/api/v1/lookup").json(&asked)).await;
        let told: Value = serde_json::from_slice(&told.body).unwrap();
        assert_eq!(told["operation"]["operation_ref"], problem["operation_ref"], "{path}");
    }
    assert_replays(&send(gateway.address, &put("/accounts/a:b/transfers/c@d")).await, &first);
    for path in
        ["/accounts/a%253Ab/transfers/c@d", "/accounts/a:b/transfers/c%FFd", "/accounts/%61:b/transfers/c@d"]
    {
        assert_problem(&send(gateway.address, &put(path)).await, 400, "request-ambiguous");
    }
    assert_executed(&send(gateway.address, &put("/accounts/A:b/transfers/c@d")).await, 201);
    assert_eq!(upstream.total(), 2);
}

/// D34: so would be a literal of a route.
#[tokio::test]
async fn d34_an_encoded_literal_does_not_get_round_a_route_that_asks_for_a_key() {
    let upstream = Upstream::counting().await;
    let setup = Setup::anonymous()
        .table("[[route]]\nmatch = \"POST /status:ping\"\nkey = \"off\"")
        .table("[[route]]\nmatch = \"POST /transfers:run\"\nkey = \"required\"")
        .table("[[route]]\nmatch = \"POST /{action}\"\nkey = \"required\"\nmode = \"enforce\"");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    for path in ["/transfers:run", "/transfers%3Arun", "/transfers%3arun"] {
        let answer = send(gateway.address, &Request::post(path)).await;
        let problem = assert_problem(&answer, 400, "key-missing");
        assert!(problem["detail"].as_str().unwrap().starts_with("POST /transfers:run needs"), "{problem:#}");
    }
    // The one route is open, and an upstream that does not decode first finds the other one.
    assert_problem(&send(gateway.address, &Request::post("/status%3Aping")).await, 400, "request-ambiguous");
    assert_eq!(upstream.arrivals(), 0);
    assert_eq!(send(gateway.address, &Request::post("/status:ping")).await.status, 201);
    assert_executed(&send(gateway.address, &Request::post("/transfers%3Arun").key("k")).await, 201);
    assert_eq!(upstream.seen()[1].path, "/transfers%3Arun", "it goes on as it came");
}

/// D34: what an upstream takes for the same path, and its text does not show, is protected where keys are asked for everywhere.
#[tokio::test]
async fn d34_where_keys_are_asked_for_everywhere_no_other_name_of_a_path_goes_without() {
    let upstream = Upstream::counting().await;
    let setup = Setup::anonymous()
        .defaults("key = \"required\"\nmethods = [\"POST\", \"PUT\"]")
        .table("[[route]]\nmatch = \"POST /login\"\nkey = \"off\"");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    for (method, path) in [
        ("POST", "/Transfers"),
        ("POST", "/transfers.json"),
        ("POST", "/index.php/transfers"),
        ("POST", "/login/transfers"),
        ("POST", "/Login"),
        ("POST", "/"),
        ("PUT", "/login"),
    ] {
        assert_problem(&send(gateway.address, &Request::new(method, path)).await, 400, "key-missing");
    }
    for path in ["/login/../transfers", "/login/%252e%252e/transfers", "/login/..;/transfers", "/login;x"] {
        assert_problem(&send(gateway.address, &Request::post(path)).await, 400, "request-ambiguous");
    }
    assert_eq!(upstream.arrivals(), 0);
    for path in ["/login", "/login/", "/login?next=/../transfers"] {
        assert_eq!(send(gateway.address, &Request::post(path)).await.status, 201, "{path}");
    }
}

/// D34: a derived key is made of the path too.
#[tokio::test]
async fn d34_another_spelling_of_a_path_makes_the_same_derived_key() {
    let upstream = Upstream::counting().await;
    let route = DERIVED.replace("/transfers", "/accounts/{account}/transfers");
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().table(&route)).await;
    let post = |path: &str| Request::post(path).json(&json!({ "to": "luis", "amount": 1 }));
    let first = send(gateway.address, &post("/accounts/a:b/transfers")).await;
    assert_executed(&first, 201);
    for path in ["/accounts/a%3ab/transfers", "/accounts/a:b/transfers/"] {
        assert_replays(&send(gateway.address, &post(path)).await, &first);
    }
    assert_executed(&send(gateway.address, &post("/accounts/c/transfers")).await, 201);
    assert_eq!(upstream.total(), 2);
}

/// D34: another spelling would get round the route, and the upstream would take it for the same order.
#[tokio::test]
async fn d34_a_path_that_reads_two_ways_does_not_get_round_a_route_that_is_keyed_by_its_path() {
    let upstream = Upstream::counting().await;
    let setup = Setup::anonymous()
        .table("[[route]]\nmatch = \"PUT /orders/{id}\"\ncreate = true\ncarriers = [\"path:id\"]");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    for path in ["//orders/7", "/%6Frders/7", "/orders/./7", "/orders/7;v=1"] {
        let answer = send(gateway.address, &Request::new("PUT", path)).await;
        assert_problem(&answer, 400, "request-ambiguous");
    }
    assert_eq!(upstream.arrivals(), 0);
    let first = send(gateway.address, &Request::new("PUT", "/orders/7/")).await;
    assert_executed(&first, 201);
}

/// D33: what is not honoured does not look as if it were.
#[tokio::test]
async fn d33_a_key_in_a_header_that_the_route_does_not_name_is_not_echoed() {
    let upstream = Upstream::counting().await;
    let setup = Setup::anonymous().defaults("carriers = [\"header:x-request-key\"]");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    for name in ["Idempotency-Key", "X-Idempotency-Key", "Idempotency_Key"] {
        for _ in 0..2 {
            let answer = send(gateway.address, &Request::post("/x").header(name, "k")).await;
            assert_eq!((answer.status, said(&answer)), (201, None), "{name}");
            assert!(!answer.headers.contains(name), "{name}");
        }
    }
    assert_eq!(upstream.total(), 6);
    let read = Request::get("/x").header("X-Request-Key", "k");
    assert!(!send(gateway.address, &read).await.headers.contains("x-request-key"));
}

const DERIVED: &str = "[[route]]\nmatch = \"POST /transfers\"\nretain_result = \"1h\"\nretain_key = \"1h\"\n\
     carriers = [\"header:idempotency-key\", \"derive:/to,/amount\"]";

/// D21: only what makes the key counts, so nobody is told that a key was reused which he never sent.
#[tokio::test]
async fn d21_named_members_are_a_key_and_the_rest_of_the_body_does_not_count() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().table(DERIVED)).await;
    let first = send(gateway.address, &json_body(&json!({ "to": "luis", "amount": 1, "memo": "a" }))).await;
    assert_executed(&first, 201);
    assert!(!first.headers.contains("idempotency-key"), "the client sent none");
    let again = send(gateway.address, &json_body(&json!({ "to": "luis", "amount": 1.0, "memo": "b" }))).await;
    assert_replays(&again, &first);
    for other in [json!({ "to": "luis", "amount": "1" }), json!({ "to": "luis", "amount": 2 })] {
        assert_executed(&send(gateway.address, &json_body(&other)).await, 201);
    }
    let explicit = json_body(&json!({ "to": "luis", "amount": 1, "memo": "b" })).key("k");
    assert_executed(&send(gateway.address, &explicit).await, 201);
    let seen = upstream.seen();
    let keys: Vec<_> = seen.iter().map(|seen| seen.key()).collect();
    assert_eq!(keys, [None, None, None, Some("k".to_owned())], "a derived key is for nobody else");
}

/// D20: all requests without an amount would share one key.
#[tokio::test]
async fn d20_a_request_without_a_member_of_its_derived_key_is_refused() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().table(DERIVED)).await;
    for body in
        [json!({ "to": "luis" }), json!({ "to": "luis", "amount": null }), json!({ "to": [], "amount": 1 })]
    {
        let told = assert_problem(&send(gateway.address, &json_body(&body)).await, 400, "key-missing");
        assert!(told["detail"].as_str().unwrap().contains("the members /to, /amount"), "{told:#}");
    }
    for doubtful in [typed("application/json", "{"), Request::post("/transfers").body("{}")] {
        assert_problem(&send(gateway.address, &doubtful).await, 400, "key-invalid");
    }
    assert_eq!(upstream.arrivals(), 0);
}

/// D22: an unknown never expires, and Ana could never again send Luis a euro.
#[tokio::test]
async fn d22_an_unknown_under_a_derived_key_does_not_block_a_request_with_its_own_key() {
    let upstream = Upstream::start(|arrival| async move {
        match arrival.seen.key() {
            None => Answer::new(504),
            Some(_) => Answer::created(&arrival.execute(), &arrival.seen),
        }
    });
    let upstream = upstream.await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous().table(DERIVED)).await;
    let request = json_body(&json!({ "to": "luis", "amount": 1 }));
    assert_eq!(said(&send(gateway.address, &request).await), Some("unknown"));
    assert_problem(&send(gateway.address, &request).await, 409, "outcome-unknown");
    assert_executed(&send(gateway.address, &request.key("k")).await, 201);
}

/// D27: where one service account speaks for everybody, two principals' keys would meet at the upstream.
#[tokio::test]
async fn d27_what_goes_upstream_as_the_key_is_chosen() {
    let upstream = Upstream::counting().await;
    let route = |path: &str, forward: &str| {
        format!("[[route]]\nmatch = \"POST {path}\"\nforward_key = \"{forward}\"\n{EVERYWHERE}")
    };
    let setup = Setup::by_header()
        .table(&route("/as-sent", "as-sent"))
        .table(&route("/derived", "derived"))
        .table(&route("/off", "off"));
    let gateway = Gateway::start(&upstream.url(), setup).await;
    for path in ["/as-sent", "/derived", "/off"] {
        for principal in ["ana", "luis"] {
            let request = Request::post(path).header("x-principal", principal).header("X-Request-Key", path);
            assert_executed(&send(gateway.address, &request).await, 201);
        }
    }
    let seen = upstream.seen();
    for seen in &seen[..2] {
        let keys = (seen.header("idempotency-key"), seen.header("x-request-key"));
        assert_eq!(keys, (Some("\"/as-sent\""), Some("/as-sent")));
    }
    for seen in &seen[2..4] {
        assert_eq!((seen.key(), seen.header("x-request-key")), (seen.operation(), None));
    }
    assert_ne!(seen[2].key(), seen[3].key());
    for seen in &seen[4..] {
        assert!(!seen.headers.contains("idempotency-key") && !seen.headers.contains("x-request-key"));
    }
}
