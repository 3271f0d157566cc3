//! `on_unknown = "probe"`: the upstream is asked what became of an operation, late enough and not too often.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use onlyonce_testbed::{
    Gate, WAIT_LIMIT,
    client::{Request, Response},
    effects::{Answer, Arrival, Upstream},
};
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, said, send, transfer},
};

/// How far apart a test asks whether something has been settled.
const ASK_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);
/// Questions at the same time, as the gateway bounds them.
const QUESTIONS_MAX: usize = 8;
const TOKEN: &str = "s3cret-of-the-probe";

/// A route that is probed, a second after an attempt's last chance to send and each second from then on.
fn probed(url: &str, lines: &str) -> Setup {
    let table = format!(
        "[[route]]\nmatch = \"POST /transfers\"\nkey = \"required\"\non_unknown = \"probe\"\ndeadline = \"500ms\"\n\
         [route.probe]\nurl = \"{url}\"\nheaders = {{ authorization = \"env:PROBE_TOKEN\" }}\n\
         settle_after = \"1s\"\nevery = \"1s\"\nstatus = 201\n{lines}\n"
    );
    let told = format!("PROBE_TOKEN={TOKEN}");
    Setup::anonymous().table(&table).under(["env", told.as_str(), "ONLYONCE_LOG=trace"])
}

const BY_OPERATION: &str = "/by-operation/{operation_ref}";

/// What the upstream says of an operation: 404 while it has had no effect, its state after.
fn told(arrival: &Arrival) -> Answer {
    let operation = arrival.seen.path.rsplit('/').next().unwrap_or_default();
    match arrival.effects().ids_of(operation).first() {
        None => Answer::new(404),
        Some(effect) => Answer::json(200, &json!({ "state": "settled", "effect": effect })),
    }
}

/// Executes what it is sent, and its answers are lost. What it says when it is asked may depend on how often it was before.
async fn loses_answers(says: impl Fn(usize, &Arrival) -> Answer + Send + Sync + 'static) -> Upstream {
    let asked = AtomicUsize::new(0);
    Upstream::start(move |arrival| {
        ready(if arrival.seen.method == "GET" {
            says(asked.fetch_add(1, Ordering::Relaxed), &arrival)
        } else {
            arrival.execute();
            Answer::new(502)
        })
    })
    .await
}

fn questions(upstream: &Upstream) -> usize {
    upstream.seen().iter().filter(|seen| seen.method == "GET").count()
}

/// Returns once it was asked so often.
async fn asked(upstream: &Upstream, times: usize) {
    let asking = async {
        while questions(upstream) < times {
            // bounded: by WAIT_LIMIT, below
            sleep(ASK_PAUSE).await;
        }
    };
    tokio::time::timeout(WAIT_LIMIT, asking).await.expect("it is asked again and again");
}

/// Repeats the request until it is not refused any more.
async fn settled(gateway: &Gateway, key: &str) -> Response {
    let asking = async {
        loop {
            let answer = send(gateway.address, &transfer(key)).await;
            if answer.status != 409 {
                return answer;
            }
            assert_problem(&answer, 409, "outcome-unknown");
            // bounded: by WAIT_LIMIT, below
            sleep(ASK_PAUSE).await;
        }
    };
    tokio::time::timeout(WAIT_LIMIT, asking).await.expect("the probe settles it in time")
}

async fn audit(gateway: &Gateway) -> serde_json::Value {
    gateway.ask(&Request::get("/api/v1/audit")).await.json()
}

/// The fault that probes are feared for: the upstream is still at work when its caller gives up, a question would be
/// answered 404, truthfully, and the effect comes after it.
#[tokio::test]
async fn an_effect_that_comes_after_the_time_out_is_found_and_never_taken_for_none() {
    let (before, after) = (Gate::closed(), Gate::closed());
    let upstream = {
        let (before, after) = (before.clone(), after.clone());
        Upstream::start(move |arrival| {
            let (before, after) = (before.clone(), after.clone());
            async move {
                if arrival.seen.method == "GET" {
                    return told(&arrival);
                }
                before.pass().await;
                arrival.execute();
                // Nobody hears of it.
                after.pass().await;
                Answer::new(201)
            }
        })
        .await
    };
    let lines = "absent = \"not-applied\"\nfinal = { pointer = \"/state\", values = [\"settled\"] }";
    let gateway = Gateway::start(&upstream.url(), probed(BY_OPERATION, lines)).await;
    let first = send(gateway.address, &transfer("k")).await;
    let document = assert_problem(&first, 504, "outcome-unknown");
    assert_eq!(document["next"], "poll");
    // A second of listening for a late answer, and a second of settle_after.
    assert_eq!(first.header("retry-after"), Some("2"), "{document}");
    for _ in 0..3 {
        let repeat = send(gateway.address, &transfer("k")).await;
        assert_problem(&repeat, 409, "outcome-unknown");
        assert!(["1", "2"].contains(&repeat.header("retry-after").unwrap()), "{repeat:?}");
    }
    assert_eq!(
        (upstream.total(), questions(&upstream)),
        (0, 0),
        "nobody is asked while it may still be at work"
    );

    before.open();
    let repeat = settled(&gateway, "k").await;
    assert_eq!((repeat.status, said(&repeat)), (201, Some("replayed")));
    assert_eq!(repeat.header("idempotency-settled"), Some("probe"));
    assert_eq!(repeat.json()["effect"].as_str(), upstream.ids("k").first().map(String::as_str));
    assert_replays(&send(gateway.address, &transfer("k")).await, &repeat);
    assert_eq!((upstream.total(), upstream.seen_with("k").len()), (1, 1), "one effect, sent once");
    let audit = audit(&gateway).await;
    let entry = &audit["entries"][0];
    assert_eq!((&entry["who"], &entry["action"]), (&"probe".into(), &"settle applied 201".into()), "{audit}");
    after.open();
}

#[tokio::test]
async fn a_probe_goes_on_after_kill_9_and_finds_what_the_dead_process_did() {
    let upstream = loses_answers(|_, question| told(question)).await;
    let mut gateway = Gateway::start(&upstream.url(), probed(BY_OPERATION, "absent = \"not-applied\"")).await;
    assert_eq!(said(&send(gateway.address, &transfer("k")).await), Some("unknown"));
    gateway.crash_and_restart().await;
    let repeat = settled(&gateway, "k").await;
    assert_eq!((repeat.status, repeat.header("idempotency-settled")), (201, Some("probe")));
    assert_eq!(upstream.executions("k"), 1);
}

/// A replica that lags, a deploy in which something else answers.
#[tokio::test]
async fn one_404_settles_nothing() {
    let upstream = loses_answers(|before, question| match before {
        0 => Answer::new(404),
        _ => told(question),
    })
    .await;
    let gateway = Gateway::start(&upstream.url(), probed(BY_OPERATION, "absent = \"not-applied\"")).await;
    assert_eq!(said(&send(gateway.address, &transfer("k")).await), Some("unknown"));
    let repeat = settled(&gateway, "k").await;
    assert_eq!((repeat.status, said(&repeat)), (201, Some("replayed")));
    assert_eq!((upstream.executions("k"), questions(&upstream)), (1, 2));
}

#[tokio::test]
async fn two_404s_free_the_key_where_the_route_says_that_they_mean_it_and_nowhere_else() {
    let upstream = Upstream::start(|arrival| async move {
        match (arrival.seen.method.as_str(), arrival.seen.header("idempotency-attempt")) {
            ("GET", _) => told(&arrival),
            // Lost on its way to whatever would have executed it.
            (_, Some("1")) => Answer::new(502),
            _ => Answer::created(&arrival.execute(), &arrival.seen),
        }
    })
    .await;
    let gateway = Gateway::start(&upstream.url(), probed(BY_OPERATION, "absent = \"not-applied\"")).await;
    assert_eq!(said(&send(gateway.address, &transfer("k")).await), Some("unknown"));
    assert_executed(&settled(&gateway, "k").await, 201);
    assert_eq!((upstream.executions("k"), questions(&upstream)), (1, 2));
    assert_eq!(audit(&gateway).await["entries"][0]["action"], "settle not applied");

    let gateway = Gateway::start(&upstream.url(), probed(BY_OPERATION, "")).await;
    assert_eq!(said(&send(gateway.address, &transfer("other")).await), Some("unknown"));
    asked(&upstream, questions(&upstream) + 3).await;
    assert_problem(&send(gateway.address, &transfer("other")).await, 409, "outcome-unknown");
}

#[tokio::test]
async fn a_state_that_may_still_change_settles_nothing() {
    let upstream = loses_answers(|before, _| {
        let state = if before == 0 { "processing" } else { "settled" };
        Answer::json(200, &json!({ "state": state }))
    })
    .await;
    let lines = "final = { pointer = \"/state\", values = [\"settled\"] }";
    let gateway = Gateway::start(&upstream.url(), probed(BY_OPERATION, lines)).await;
    assert_eq!(said(&send(gateway.address, &transfer("k")).await), Some("unknown"));
    let repeat = settled(&gateway, "k").await;
    assert_eq!((repeat.status, &repeat.json()["state"]), (201, &"settled".into()));
    assert_eq!(questions(&upstream), 2);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_credential_is_in_no_log() {
    let foreign = Upstream::counting().await;
    let elsewhere = format!("{}/steal", foreign.url());
    let upstream = loses_answers(move |_, _| Answer::new(307).header("location", &elsewhere)).await;
    let gateway = Gateway::start(&upstream.url(), probed(BY_OPERATION, "absent = \"not-applied\"")).await;
    assert_eq!(said(&send(gateway.address, &transfer("k")).await), Some("unknown"));
    asked(&upstream, 2).await;
    assert_problem(&send(gateway.address, &transfer("k")).await, 409, "outcome-unknown");
    assert_eq!(foreign.connections(), 0);
    let seen = upstream.seen();
    let question = seen.iter().find(|seen| seen.method == "GET").unwrap();
    assert_eq!(question.header("authorization"), Some(TOKEN));
    let log = gateway.process.output();
    assert!(log.contains("settles nothing") && !log.contains(TOKEN), "{log}");
}

#[tokio::test]
async fn an_operator_who_is_faster_than_a_probe_has_settled_it() {
    let gate = Gate::closed();
    let upstream = {
        let gate = gate.clone();
        Upstream::start(move |arrival| {
            let gate = gate.clone();
            async move {
                if arrival.seen.method == "GET" {
                    gate.pass().await;
                    return told(&arrival);
                }
                arrival.execute();
                Answer::new(502)
            }
        })
        .await
    };
    let gateway = Gateway::start(&upstream.url(), probed(BY_OPERATION, "")).await;
    let first = send(gateway.address, &transfer("k")).await;
    let operation = Request::get("/api/v1/records?state=unknown");
    gate.arrived(1).await;
    let listed = gateway.ask(&operation).await.json();
    let reference =
        listed["operations"][0]["operation_ref"].as_str().unwrap_or_else(|| panic!("{listed} {first:?}"));
    let decision = json!({ "as": "applied", "status": 200, "state": "unknown", "fence": 1, "reason": "row", "by": "ana" });
    assert_eq!(gateway.settle(reference, &decision).await.status, 200);
    gate.open();
    let faster = async {
        while !gateway.process.output().contains("faster than a probe") {
            // bounded: by WAIT_LIMIT, below
            sleep(ASK_PAUSE).await;
        }
    };
    tokio::time::timeout(WAIT_LIMIT, faster).await.expect("the probe is refused");
    let repeat = send(gateway.address, &transfer("k")).await;
    assert_eq!((repeat.status, repeat.header("idempotency-settled")), (200, Some("operator")));
    assert_eq!(audit(&gateway).await["entries"].as_array().map(Vec::len), Some(1));
}

/// An upstream that comes back is not met by everything at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_unknowns_are_asked_about_a_few_at_a_time() {
    const KEYS: usize = 1_000;
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let upstream = {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        Upstream::start(move |arrival| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                if arrival.seen.method != "GET" {
                    arrival.execute();
                    return Answer::new(502);
                }
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // bounded: long enough for the next to come
                sleep(std::time::Duration::from_millis(2)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                told(&arrival)
            }
        })
        .await
    };
    let gateway = Gateway::start(&upstream.url(), probed(BY_OPERATION, "")).await;
    let mut begun = JoinSet::new();
    for lane in 0..20 {
        let address = gateway.address;
        begun.spawn(async move {
            for n in (lane..KEYS).step_by(20) {
                send(address, &transfer(&format!("k-{n}"))).await;
            }
        });
    }
    begun.join_all().await;
    let settled = async {
        while audit_len(&gateway).await < KEYS {
            // bounded: by WAIT_LIMIT, below
            sleep(ASK_PAUSE * 4).await;
        }
    };
    tokio::time::timeout(WAIT_LIMIT * 2, settled).await.expect("all are settled");
    let most = most.load(Ordering::SeqCst);
    assert!((2..=QUESTIONS_MAX).contains(&most), "{most} at once");
    assert_eq!((upstream.total(), upstream.operations().len()), (KEYS, KEYS));
}

async fn audit_len(gateway: &Gateway) -> usize {
    let audit = gateway.ask(&Request::get("/api/v1/audit?limit=1000")).await.json();
    audit["entries"].as_array().map_or(0, Vec::len)
}
