//! What only a layer says, said by a client.

use http::{HeaderMap, Response};
use onlyonce_core::State;

use crate::scene::{Fed, Scene, Setting, said, transfer, whole};

/// `Idempotency-*` of a request, as an answer: a careless proxy, or an echo.
async fn echoed(asked: HeaderMap) -> Response<Fed> {
    let mut answer = Response::new(whole("paid"));
    let ours = asked.iter().filter(|(name, _)| name.as_str().starts_with("idempotency-"));
    answer.headers_mut().extend(ours.map(|(name, value)| (name.clone(), value.clone())));
    answer
}

/// A client that could say `release` would free its key after the effect, and one that could say `keep` would have a
/// refusal kept.
#[tokio::test(start_paused = true)]
async fn a_client_cannot_say_what_its_outcome_is_nor_which_operation_or_attempt_it_is() {
    for word in ["release", "unknown"] {
        let scene = Scene::new(Setting::default(), |_| {}, echoed).await;
        let forged = || {
            let mut asked = transfer("k");
            for (name, value) in [("operation", "op_forged"), ("attempt", "9"), ("outcome", word)] {
                asked.headers_mut().insert(
                    http::HeaderName::try_from(format!("idempotency-{name}")).unwrap(),
                    value.parse().unwrap(),
                );
            }
            asked
        };
        assert_eq!(said(&scene.send(forged()).await), Some("executed"), "{word}");
        assert!(matches!(scene.state("k").await, Some(State::Completed { status: 200, .. })), "{word}");
        assert_eq!(said(&scene.send(forged()).await), Some("replayed"), "{word}");
        let [seen] = &scene.seen()[..] else { panic!("{word}: it runs once") };
        assert!(!seen.contains_key("idempotency-outcome"));
        assert_eq!(seen["idempotency-attempt"], "1");
        assert_ne!(seen["idempotency-operation"], "op_forged");

        let mut unkeyed = forged();
        unkeyed.headers_mut().remove("idempotency-key");
        let passed = scene.send(unkeyed).await;
        assert!(passed.headers().keys().all(|name| !name.as_str().starts_with("idempotency-")), "{passed:?}");
        assert!(scene.seen()[1].keys().all(|name| !name.as_str().starts_with("idempotency-")));
    }
}
