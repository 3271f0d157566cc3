//! What an API may do: none of it is called a fault.

#![expect(
    clippy::unwrap_used,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
};

use onlyonce_verify::{Plan, Verdict};

use crate::{
    plan,
    served::{Answer, Asked, Served},
    verdict, verdicts,
};

/// What every API here counts.
const LIST: &str = "GET /transfers length";

/// A plan with more than one line has.
fn written(served: &Served, more: &str) -> Plan {
    Plan::parse(&format!("target = \"http://{}\"\n{more}", served.address())).unwrap()
}

fn amount(asked: &Asked) -> i64 {
    asked.body.split("\"amount\":").nth(1).unwrap().trim_end_matches('}').parse().unwrap()
}

/// What is stored after its answer has gone out may say for a moment that it runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_may_be_told_to_wait_for_a_moment() {
    let asked_before = Mutex::new(HashMap::<String, u32>::new());
    let served = Served::start(move |asked, api| {
        if asked.method == "GET" {
            return api.list();
        }
        let mut known = asked_before.lock().unwrap();
        let times = known.entry(asked.key.clone()).or_default();
        *times += 1;
        match *times % 2 {
            0 => Answer::new(409, r#"{"title":"it is being stored"}"#),
            _ => api.once_for_each_key_and_body(asked, || {}),
        }
    });
    let checks =
        ["replay/later-differs", "replay/forgotten", "mismatch/original-lost", "race/stuck-in-progress"];
    for (check, verdict) in verdicts(&plan(&served, LIST), &checks).await {
        assert!(matches!(verdict, Verdict::Pass { .. }), "{check}: {verdict:?}");
    }
}

/// Whoever reads no more may say so by a status or by closing, now the one and now the other.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_may_be_refused_by_closing() {
    static REFUSED: AtomicU32 = AtomicU32::new(0);
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        _ if asked.body.len() > 10_000 || asked.key.len() > 100 => {
            match REFUSED.fetch_add(1, Ordering::Relaxed) % 2 {
                0 => Answer::new(413, "{}"),
                _ => Answer::NONE,
            }
        }
        _ => api.once_for_each_key_and_body(asked, || {}),
    });
    let checks =
        ["limits/large-request-runs-again", "limits/long-key-ignored", "limits/long-key-cut", "key/cut"];
    for (check, verdict) in verdicts(&plan(&served, LIST), &checks).await {
        assert!(matches!(verdict, Verdict::Pass { .. }), "{check}: {verdict:?}");
    }
}

/// Whoever replaces something may have to say which version he has seen (RFC 6585, section 3).
#[tokio::test(flavor = "multi_thread")]
async fn a_put_may_have_to_name_a_version() {
    let documents = Mutex::new(HashMap::<String, (u32, String)>::new());
    let served = Served::start(move |asked, api| {
        let mut documents = documents.lock().unwrap();
        let present = documents.get(&asked.path).cloned();
        let tag = |version: u32| format!("\"{version}\"");
        match (asked.method.as_str(), present) {
            ("POST", _) => api.each_time(201),
            ("GET", Some((version, body))) => Answer::new(200, &body).with("etag", &tag(version)),
            ("GET", None) => Answer::new(404, "{}"),
            (_, present) => {
                let version = present.map_or(0, |(version, _)| version);
                match asked.headers.get("if-match") {
                    None if version > 0 => return Answer::new(428, "{}"),
                    Some(seen) if *seen != tag(version) => return Answer::new(412, "{}"),
                    _ => {}
                }
                documents.insert(asked.path.clone(), (version + 1, asked.body.clone()));
                Answer::new(200, &asked.body)
            }
        }
    });
    let plan = written(
        &served,
        r#"
        [operations.create]
        request = "POST /transfers"
        [resource]
        path = "/documents/{{fresh}}"
        json = '{"name":"first","note":"a"}'
        changed = '{"name":"second","note":"a"}'
        part = '{"name":"first"}'
        "#,
    );
    for (check, verdict) in verdicts(&plan, &["put/repeat-differs", "put/acts-as-patch"]).await {
        assert!(matches!(verdict, Verdict::Pass { .. }), "{check}: {verdict:?}");
    }
}

/// What is taken now and done later is answered with 202, and so is its repeat.
#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_is_taken_for_later_is_answered_when_it_is_taken() {
    let served = Served::start(|asked, api| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", _) => api.list(),
        (_, "/reports") => api.once_for_each_key(asked, 202),
        _ => api.once_for_each_key(asked, 201),
    });
    let plan = written(
        &served,
        r#"
        profile = "lenient"
        [operations.create]
        request = "POST /transfers"
        [operations.slow]
        request = "POST /reports"
        "#,
    );
    let verdict = verdict(&plan, "race/stuck-in-progress").await;
    assert!(matches!(verdict, Verdict::Pass { .. }), "{verdict:?}");
}

/// A balance that others change as well hides effects: then it tells nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_goes_back_is_no_fault() {
    static BALANCE: AtomicI64 = AtomicI64::new(0);
    let served = Served::start(|asked, api| match asked.method.as_str() {
        // Somebody takes something away whenever nobody looks.
        "GET" => Answer::new(200, &format!("{{\"total\":{}}}", BALANCE.load(Ordering::Relaxed))),
        _ => api.once_for_each_key_and_body(asked, || {
            BALANCE.fetch_sub(2, Ordering::Relaxed);
        }),
    });
    let mut plan = plan(&served, "GET /account /total 1");
    plan.bounds.settle = std::time::Duration::from_millis(200);
    let selection = onlyonce_verify::run::Selection(vec!["lost/dropped-answer-runs-again".to_owned()]);
    let run = onlyonce_verify::Run::new(&plan, &selection).unwrap();
    let report = run.carry_out(&mut crate::Silent, std::future::pending()).await;
    let verdict = &report.findings.first().unwrap().verdict;
    assert!(matches!(verdict, Verdict::NotObservable { why } if why.contains("went back")), "{verdict:?}");
}

/// One corrected request is one effect, by whatever it moves what counts.
#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_request_may_move_a_balance_by_more_than_one_step() {
    static BALANCE: AtomicI64 = AtomicI64::new(0);
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => Answer::new(200, &format!("{{\"balance\":{}}}", BALANCE.load(Ordering::Relaxed))),
        _ if amount(asked) < 0 => Answer::new(402, "{}"),
        _ => api.once_for_each_key_and_body(asked, || {
            BALANCE.fetch_sub(amount(asked), Ordering::Relaxed);
        }),
    });
    let plan = written(
        &served,
        r#"
        [operations.create]
        request = "POST /transfers"
        json = '{"amount":100}'
        [operations.refused]
        request = "POST /transfers"
        json = '{"amount":-1}'
        changed = '{"amount":250}'
        [counter]
        request = "GET /account"
        number = "/balance"
        step = -100
        "#,
    );
    let verdict = verdict(&plan, "failure/corrected-request-misjudged").await;
    assert!(matches!(verdict, Verdict::Pass { .. }), "{verdict:?}");
}

/// Whoever says no more than he was asked says the same to two callers, and has done it for both.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_echoes_its_request_is_nobody_elses() {
    let served = Served::start(|asked, api| match asked.method.as_str() {
        "GET" => api.list(),
        _ => {
            let caller = asked.headers.get("authorization").cloned().unwrap_or_default();
            let scoped = Asked { key: format!("{caller} {}", asked.key), ..asked.clone() };
            api.once_for_each_key_and_body(&scoped, || {});
            Answer::new(201, &asked.body)
        }
    });
    let mut plan = plan(&served, LIST);
    plan.credentials.first = onlyonce_verify::plan::credential("Authorization: Bearer one").unwrap();
    plan.credentials.second = Some(onlyonce_verify::plan::credential("Authorization: Bearer other").unwrap());
    let with_counter = verdict(&plan, "scope/answer-leaked").await;
    assert!(matches!(with_counter, Verdict::Pass { .. }), "{with_counter:?}");
    plan.counter = None;
    let without = verdict(&plan, "scope/answer-leaked").await;
    assert!(matches!(without, Verdict::NotObservable { .. }), "{without:?}");
}

/// What looks at keys behind a router sees no request for a path that there is not, nor one by a method that is not taken:
/// what it would do with their keys shows at another path that there is.
#[tokio::test(flavor = "multi_thread")]
async fn a_router_in_front_of_keys_shows_nothing_of_them() {
    let api = || {
        Served::start(|asked, api| match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", _) => api.list(),
            ("POST", "/transfers" | "/reports") => api.once_for_each_key_and_body(asked, || {}),
            ("POST", _) => Answer::new(404, "{}"),
            _ => Answer::new(405, "{}"),
        })
    };
    let served = api();
    let checks = ["mismatch/path-ignored", "mismatch/method-ignored"];
    for (check, verdict) in verdicts(&plan(&served, LIST), &checks).await {
        assert!(matches!(verdict, Verdict::NotObservable { .. }), "{check}: {verdict:?}");
    }
    let served = api();
    let plan = written(
        &served,
        r#"
        [operations.create]
        request = "POST /transfers"
        json = '{"amount":1}'
        [operations.slow]
        request = "POST /reports"
        json = '{"amount":1}'
        [counter]
        request = "GET /transfers"
        "#,
    );
    let verdict = verdict(&plan, "mismatch/path-ignored").await;
    assert!(matches!(verdict, Verdict::Fail { .. }), "{verdict:?}");
}
