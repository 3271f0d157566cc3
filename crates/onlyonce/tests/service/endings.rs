//! What a handler says of its operation, and what comes of it.

use axum::{Router, routing::post as on_post};
use http::StatusCode;
use onlyonce::{Became, NotSettledKind, Onlyonce, Operation, Outcome, Problem, Settlement};

use crate::send::{Answer, Effects, post, send};

async fn answers(
    handler: impl Fn(Operation, usize) -> Result<String, Problem> + Clone + Send + Sync + 'static,
) -> Vec<Answer> {
    let once = Onlyonce::testing().await;
    let effects = Effects::default();
    let handler = async move |op: Operation| handler(op, effects.add());
    let app = Router::new().route("/t", on_post(handler)).route_layer(once.layer().require_key().anonymous());
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(send(&app, post("/t", "k")).await);
    }
    answers
}

#[tokio::test]
async fn what_is_released_runs_again_under_the_same_name() {
    let all = answers(|op, run| match run {
        1 => Err(op.release("no connection to the provider")),
        _ => Ok(format!("{} {} {}", op.reference(), op.attempt(), op.downstream_key("charge"))),
    })
    .await;
    assert_eq!(
        (all[0].status, all[0].problem()),
        (StatusCode::BAD_GATEWAY, "upstream-unreachable".to_owned())
    );
    assert_eq!((all[0].header("idempotency-status"), all[0].header("retry-after")), ("released", "1"));
    assert_eq!(all[0].header("idempotency-outcome"), "", "that is between handler and layer");
    assert!(!all[0].text.contains("provider"), "errors are for the log: {}", all[0].text);
    assert!(all[1].text.starts_with("op_") && all[1].text.contains(" 2 "), "{}", all[1].text);
    assert_eq!((&all[2].text, all[2].header("idempotency-status")), (&all[1].text, "replayed"));
}

#[tokio::test]
async fn what_is_unknown_is_refused_until_somebody_settles_it() {
    let all = answers(|op, run| match run {
        1 => Err(op.unknown("the provider hung up")),
        _ => Ok("a second charge".to_owned()),
    })
    .await;
    assert_eq!((all[0].status, all[0].header("idempotency-status")), (StatusCode::BAD_GATEWAY, "unknown"));
    for answer in &all[1..] {
        assert_eq!((answer.status, answer.problem()), (StatusCode::CONFLICT, "outcome-unknown".to_owned()));
        // Nobody serves the operations endpoint here, so nobody is sent there.
        assert_eq!(answer.json()["next"], "check");
        assert!(
            answer.json().get("operation").is_none() && !answer.text.contains("`operation`"),
            "{}",
            answer.text
        );
    }
    assert!(all[0].json()["operation_ref"].as_str().unwrap().starts_with("op_"));
}

#[tokio::test]
async fn what_is_unknown_is_settled_by_somebody_who_knows_and_has_looked_at_it() {
    let once = Onlyonce::testing().await;
    let effects = Effects::default();
    let counted = effects.clone();
    let handler = async move |op: Operation| {
        counted.add();
        op.unknown("the provider hung up")
    };
    let app = Router::new().route("/t", on_post(handler)).route_layer(once.layer().require_key().anonymous());
    let told = send(&app, post("/t", "k")).await.json();
    let reference = onlyonce::OperationRef::parse(told["operation_ref"].as_str().unwrap()).unwrap();
    let applied = |attempt| Settlement {
        attempt,
        became: Became::Applied(StatusCode::CREATED),
        by: "ana".to_owned(),
        reason: "found it at the provider".to_owned(),
    };
    let stale = once.settle(reference, applied(2)).await.unwrap_err().to_string();
    assert!(stale.contains("the ledger refuses"), "{stale}");
    once.settle(reference, applied(1)).await.unwrap();
    let repeat = send(&app, post("/t", "k")).await;
    assert_eq!((repeat.status, repeat.header("idempotency-settled")), (StatusCode::CREATED, "operator"));
    assert!(once.settle(reference, applied(1)).await.is_err(), "it is not unknown any more");
    let unsigned = Settlement { by: String::new(), ..applied(1) };
    assert!(once.settle(reference, unsigned).await.unwrap_err().to_string().contains("`by`"));
    let undone = Settlement { became: Became::Applied(StatusCode::TOO_MANY_REQUESTS), ..applied(1) };
    assert!(once.settle(reference, undone).await.unwrap_err().to_string().contains("was not done"));
    assert_eq!(effects.count(), 1);
}

#[tokio::test]
async fn not_applied_can_be_forced_where_nobody_said_how_long_an_attempt_may_work() {
    let once = Onlyonce::testing().await;
    let handler = async |op: Operation| match op.attempt() {
        1 => Err(op.unknown("the provider hung up")),
        _ => Ok("done"),
    };
    let app = Router::new().route("/t", on_post(handler)).route_layer(once.layer().require_key().anonymous());
    let told = send(&app, post("/t", "k")).await.json();
    let reference = onlyonce::OperationRef::parse(told["operation_ref"].as_str().unwrap()).unwrap();
    let says = |became| Settlement {
        attempt: 1,
        became,
        by: "ana".to_owned(),
        reason: "the provider has never heard of it".to_owned(),
    };
    let refused = once.settle(reference, says(Became::NotApplied)).await.unwrap_err();
    assert_eq!(refused.kind(), NotSettledKind::OnlyByForce, "{refused}");
    once.settle(reference, says(Became::NotAppliedByForce)).await.unwrap();
    assert_eq!(send(&app, post("/t", "k")).await.text, "done");
    let again = once.settle(reference, says(Became::NotAppliedByForce)).await.unwrap_err();
    assert_eq!(again.kind(), NotSettledKind::Moved, "{again}");
}

/// What `TimeoutLayer` of tower-http answers when a handler runs too long.
#[tokio::test]
async fn a_408_from_within_is_unknown_unless_the_layer_was_told_otherwise() {
    for (told, said) in [(None, "unknown"), (Some(Outcome::Released), "released")] {
        let once = Onlyonce::testing().await;
        let layer = once.layer().require_key().anonymous();
        let layer = match told {
            Some(outcome) => layer.outcome(StatusCode::REQUEST_TIMEOUT, outcome),
            None => layer,
        };
        let app = Router::new().route("/t", on_post(async || StatusCode::REQUEST_TIMEOUT)).route_layer(layer);
        assert_eq!(send(&app, post("/t", "k")).await.header("idempotency-status"), said);
    }
}

/// A layer further out that reads such words would have it said of its own operation.
#[tokio::test]
async fn a_handlers_word_in_extensions_ends_at_the_layer() {
    let once = Onlyonce::testing().await;
    let handler = async || axum::Extension(Outcome::Kept);
    let app = Router::new().route("/t", on_post(handler)).route_layer(once.layer().anonymous());
    let unkeyed = http::Request::post("/t").body(axum::body::Body::empty()).unwrap();
    for request in [post("/t", "k"), unkeyed] {
        let answer = tower::ServiceExt::oneshot(app.clone(), request).await.unwrap();
        assert!(answer.extensions().get::<Outcome>().is_none());
    }
}

/// A handler that sends itself another request, made of what it got.
#[tokio::test]
async fn a_request_made_of_anothers_extensions_has_its_own_key() {
    let once = Onlyonce::testing().await;
    let effects = Effects::default();
    let counted = effects.clone();
    let within = Router::new()
        .route("/fee", on_post(async move || counted.add().to_string()))
        .route_layer(once.layer().require_key().anonymous());
    let handler = async move |request: axum::extract::Request| {
        let mut fee = post("/fee", "fee");
        *fee.extensions_mut() = request.extensions().clone();
        send(&within, fee).await.text
    };
    let app = Router::new().route("/t", on_post(handler)).route_layer(once.layer().require_key().anonymous());
    for key in ["a", "b"] {
        assert_eq!(send(&app, post("/t", key)).await.text, "1", "{key}");
    }
    assert_eq!(effects.count(), 1);
}

#[tokio::test]
async fn a_panic_is_unknown() {
    let all = answers(|_, _| panic!("after the effect")).await;
    assert_eq!((all[0].status, all[0].header("idempotency-status")), (StatusCode::BAD_GATEWAY, "unknown"));
    assert_eq!(all[1].problem(), "outcome-unknown");
}

#[tokio::test]
async fn a_problem_of_the_handlers_own_is_kept_by_its_status_or_by_its_word() {
    let all = answers(|_, run| {
        Err(Problem::new(StatusCode::PAYMENT_REQUIRED, format!("there is no money, said {run} times")))
    })
    .await;
    assert_eq!(
        (all[0].status, all[0].header("content-type")),
        (StatusCode::PAYMENT_REQUIRED, "application/problem+json")
    );
    assert_eq!(all[1].text, all[0].text);
    let all = answers(|_, run| {
        let problem =
            Problem::new(StatusCode::PAYMENT_REQUIRED, format!("there is no money, said {run} times"));
        Err(problem.outcome(Outcome::Released))
    })
    .await;
    assert!(all[2].text.contains("said 3 times"), "{}", all[2].text);
}

/// A layer within the one that has claimed took the handler's word for its own, and the status decided: kept.
#[tokio::test]
async fn a_handlers_word_gets_through_a_layer_within() {
    let once = Onlyonce::testing().await;
    let handler = async || ([("idempotency-outcome", "release")], "not yet");
    let app = Router::new()
        .route("/t", on_post(handler))
        .route_layer(once.layer().require_key().anonymous())
        .layer(once.layer().anonymous());
    let answer = send(&app, post("/t", "k")).await;
    assert_eq!((answer.header("idempotency-status"), answer.header("idempotency-outcome")), ("released", ""));
}

/// A middleware within that takes all headers it does not know off an answer.
#[tokio::test]
async fn a_handlers_word_survives_whoever_strips_headers() {
    let once = Onlyonce::testing().await;
    let strips = axum::middleware::map_response(async |mut answer: axum::response::Response| {
        answer.headers_mut().clear();
        answer
    });
    let app = Router::new()
        .route("/t", on_post(async |op: Operation| op.release("nothing was sent")))
        .layer(strips)
        .layer(once.layer().require_key().anonymous());
    assert_eq!(send(&app, post("/t", "k")).await.header("idempotency-status"), "released");
}
