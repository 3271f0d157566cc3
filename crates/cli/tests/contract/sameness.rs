//! What makes two requests the same, and what a key refuses.

use onlyonce_testbed::{Gate, client::Request, effects::Upstream};
use serde_json::json;

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, begin, send, transfer, transfer_of},
};

/// A key that is looked up by itself gives a caller of one path the answer of another.
#[tokio::test]
async fn f02_a_key_stands_for_one_method_path_and_query() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let body = json!({ "amount": 100 });
    let first = send(gateway.address, &Request::post("/transfers?x=1").key("k").json(&body)).await;
    assert_executed(&first, 201);
    for (method, path) in [("POST", "/refunds?x=1"), ("POST", "/transfers"), ("PATCH", "/transfers?x=1")] {
        let other = send(gateway.address, &Request::new(method, path).key("k").json(&body)).await;
        assert_problem(&other, 422, "key-reused");
    }
    assert_eq!(upstream.arrivals(), 1);
}

/// The same without the caller in it: who guesses a key, or uses the same order number, gets somebody else's answer.
#[tokio::test]
async fn f02_another_principals_key_is_another_operation() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::by_header()).await;
    let ana = transfer("order-17").header("x-principal", "ana");
    let luis = transfer_of("order-17", 999).header("x-principal", "luis");
    let first = send(gateway.address, &ana).await;
    let other = send(gateway.address, &luis).await;
    assert_executed(&first, 201);
    assert_executed(&other, 201);
    assert_ne!(first.body, other.body);
    assert_replays(&send(gateway.address, &ana).await, &first);
    assert_replays(&send(gateway.address, &luis).await, &other);
    assert_eq!(upstream.executions("order-17"), 2);
}

/// Where the key is mixed into the fingerprint, a known key with a new body looks like a new request, and runs.
#[tokio::test]
async fn f03_a_known_key_with_another_body_does_not_run_and_the_first_answer_stays() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = send(gateway.address, &transfer_of("k", 100)).await;
    let changed = send(gateway.address, &transfer_of("k", 101)).await;
    assert_problem(&changed, 422, "key-reused");
    assert_replays(&send(gateway.address, &transfer_of("k", 100)).await, &first);
    assert_eq!(upstream.executions("k"), 1);
}

/// Where the fingerprint is not kept at all, 999 is answered with the receipt of 100. Sameness is by value: spelling
/// does not count, and every digit does.
#[tokio::test]
async fn f04_a_changed_amount_is_never_answered_with_the_receipt_of_the_first() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let written = |body: &str| {
        Request::post("/transfers").key("k").header("content-type", "application/json").body(body)
    };
    let first = send(gateway.address, &written(r#"{"amount":9007199254740993,"to":"Peñón"}"#)).await;
    assert_executed(&first, 201);
    let respelled = written("{ \"to\" : \"Pe\\u00f1\\u00f3n\", \"amount\" : 9007199254740993.0 }");
    assert_replays(&send(gateway.address, &respelled).await, &first);
    for changed in [r#"{"amount":9007199254740992,"to":"Peñón"}"#, r#"{"amount":999,"to":"Peñón"}"#] {
        let answer = send(gateway.address, &written(changed)).await;
        assert_problem(&answer, 422, "key-reused");
        assert!(!answer.text().contains("effect"), "nothing of the first answer is shown");
    }
    assert_eq!(upstream.total(), 1);
}

/// Where «in progress» is judged first, a changed request is told to come back for an answer that is not its own.
#[tokio::test]
async fn f06_a_racing_request_with_another_body_is_refused_while_the_first_one_runs() {
    let before = Gate::closed();
    let upstream = Upstream::gated(&before, &Gate::opened()).await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = begin(gateway.address, &transfer_of("k", 100));
    before.arrived(1).await;
    let racing = send(gateway.address, &transfer_of("k", 999)).await;
    assert_problem(&racing, 422, "key-reused");
    assert!(!first.is_finished(), "the refusal did not wait for the first one");
    before.open();
    assert_executed(&first.await.unwrap(), 201);
    assert_eq!(upstream.total(), 1);
}

/// What is the same and what is not, beyond the body.
#[tokio::test]
async fn white_space_and_a_charset_do_not_make_another_request_and_the_media_type_does() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let typed = |media: &str| {
        Request::post("/transfers").key("k").header("content-type", media).body(r#"{"amount":1}"#)
    };
    let first = send(gateway.address, &typed("application/json")).await;
    let same = send(gateway.address, &typed("Application/JSON; charset=utf-8")).await;
    assert_replays(&same, &first);
    let other = send(gateway.address, &typed("text/plain")).await;
    assert_problem(&other, 422, "key-reused");
    assert_eq!(upstream.total(), 1);
}

/// D10: a dry run, or acting for another account, is another request, where the route says which headers tell.
#[tokio::test]
async fn d10_headers_that_a_route_names_count() {
    let upstream = Upstream::counting().await;
    let setup = Setup::anonymous().table("[defaults.fingerprint]\nheaders = [\"x-dry-run\", \"X-Tenant\"]");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let dry = transfer("k").header("X-Dry-Run", "1").header("x-other", "a");
    let first = send(gateway.address, &dry).await;
    assert_executed(&first, 201);
    let same = transfer("k").header("x-other", "b").header("x-dry-run", " 1\t");
    assert_replays(&send(gateway.address, &same).await, &first);
    for other in [
        transfer("k"),
        transfer("k").header("X-Dry-Run", "0"),
        transfer("k").header("X-Dry-Run", ""),
        transfer("k").header("X-Dry-Run", "1").header("X-Dry-Run", "1"),
        transfer("k").header("X-Dry-Run", "1").header("X-Tenant", "a"),
    ] {
        assert_problem(&send(gateway.address, &other).await, 422, "key-reused");
    }
    assert_eq!(upstream.total(), 1);
}

/// D17: the host counts unless the route says that it does not.
#[tokio::test]
async fn d17_a_route_may_leave_the_host_out() {
    let upstream = Upstream::counting().await;
    let setup = Setup::anonymous()
        .table("[[route]]\nmatch = \"POST /anywhere\"\n[route.fingerprint]\nauthority = false");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let to = |path: &str, host: &str| Request::post(path).header("Host", host).key(path);
    for path in ["/anywhere", "/here"] {
        let first = send(gateway.address, &to(path, "api.example")).await;
        assert_executed(&first, 201);
        assert_replays(&send(gateway.address, &to(path, "API.example:443")).await, &first);
        let other = send(gateway.address, &to(path, "api-2.example")).await;
        match path {
            "/anywhere" => assert_replays(&other, &first),
            _ => drop(assert_problem(&other, 422, "key-reused")),
        }
    }
}

/// What a client stamps anew on each repeat would make every repeat another request.
#[tokio::test]
async fn members_that_are_ignored_neither_count_nor_differ() {
    let upstream = Upstream::counting().await;
    let setup = Setup::by_header()
        .table("[defaults.fingerprint]\nignore = [\"/sent_at\", \"/items/0/trace\", \"/a~1b\"]");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let sent = |at: u32, amount: u32| {
        let body = json!({ "sent_at": at, "items": [{ "trace": at, "amount": amount }], "a/b": [at] });
        Request::post("/transfers").header("x-principal", "ana").key("k").json(&body)
    };
    let first = send(gateway.address, &sent(1, 100)).await;
    assert_executed(&first, 201);
    assert_replays(&send(gateway.address, &sent(2, 100)).await, &first);
    let told = assert_problem(&send(gateway.address, &sent(3, 999)).await, 422, "key-reused");
    assert_eq!(told["differs"], json!(["/items/0/amount"]));
    assert_eq!(upstream.seen()[0].json()["sent_at"], 1, "the upstream gets them");
}

#[tokio::test]
async fn a_raw_body_counts_byte_by_byte() {
    let upstream = Upstream::counting().await;
    let setup = Setup::anonymous().table("[defaults.fingerprint]\nbody = \"raw\"");
    let gateway = Gateway::start(&upstream.url(), setup).await;
    let written = |body: &str| {
        Request::post("/transfers").key("k").header("content-type", "application/json").body(body)
    };
    let first = send(gateway.address, &written("{\"a\":1}")).await;
    assert_executed(&first, 201);
    assert_replays(&send(gateway.address, &written("{\"a\":1}")).await, &first);
    assert_problem(&send(gateway.address, &written("{\"a\":1.0}")).await, 422, "key-reused");
}

/// A browser that sends a form again makes a new boundary, and a library may escape otherwise.
#[tokio::test]
async fn a_form_is_the_same_however_it_is_spelled_and_another_if_it_means_something_else() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::by_header()).await;
    let sent = |key: &str, media: &str, body: &str| {
        let request = Request::post("/transfers").header("x-principal", "ana").key(key);
        request.header("content-type", media).body(body)
    };
    let form = "application/x-www-form-urlencoded";
    let first = send(gateway.address, &sent("f", form, "to=Ana+B&pin=1234")).await;
    assert_executed(&first, 201);
    assert_replays(&send(gateway.address, &sent("f", form, "%74o=Ana%20B&pin=1234")).await, &first);
    for other in
        ["to=Ana%2BB&pin=1234", "pin=1234&to=Ana+B", "to=Ana+B&pin=1234&pin=1234", "to=Ana+B&pin=%zz"]
    {
        let told = assert_problem(&send(gateway.address, &sent("f", form, other)).await, 422, "key-reused");
        assert_eq!((&told["differs"], told["accepted"]["body"].is_null()), (&json!(["body"]), true));
        assert!(!told.to_string().contains("1234"), "{told:#}");
    }
    let parts = |mark: &str, file: &str| {
        let body = format!(
            "--{mark}\r\nContent-Disposition: form-data; name=\"a\"; filename=\"{file}\"\r\n\
             Content-Type: image/png\r\n\r\n\u{1}\r\n\r\n--{mark}--\r\n"
        );
        sent("m", &format!("multipart/form-data; boundary={mark}"), &body)
    };
    let first = send(gateway.address, &parts("----one", "x.png")).await;
    assert_executed(&first, 201);
    assert_replays(&send(gateway.address, &parts("----two", "x.png")).await, &first);
    assert_problem(&send(gateway.address, &parts("----two", "y.png")).await, 422, "key-reused");
    assert_eq!(upstream.total(), 2);
}
