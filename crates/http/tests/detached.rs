//! A client that goes away changes nothing, wherever it does.

#![expect(
    clippy::unwrap_used,
    reason = "a test's failed step is its panic; clippy sees only `#[test]` functions"
)]

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use onlyonce_core::{State, parameters::Redaction, record::UnknownCause, scope::Principal};
use onlyonce_http::{Layer, Once, RequestBody, Rules, Shared, layer::Starts};
use onlyonce_ledger::{Ledger, Options, identity::Secret, memory::MemoryStore};
use tower_service::Service;

/// A service that answers by a function, whatever it is asked.
#[derive(Clone)]
struct Answers<F>(F);

type Answer<E> = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, E>> + Send>>;

impl<B, F, E> Service<Request<RequestBody<B>>> for Answers<F>
where
    F: Fn() -> Answer<E>,
{
    type Response = Response<Full<Bytes>>;
    type Error = E;
    type Future = Answer<E>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<RequestBody<B>>) -> Self::Future {
        (self.0)()
    }
}

/// Counts its calls, and needs a few polls for each.
fn counting(calls: &Arc<AtomicUsize>) -> Answers<impl Fn() -> Answer<Infallible> + Clone + 'static> {
    let calls = Arc::clone(calls);
    Answers(move || -> Answer<Infallible> {
        let calls = Arc::clone(&calls);
        Box::pin(async move {
            tokio::task::yield_now().await;
            let call = calls.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok(Response::new(Full::from(format!("call {call}"))))
        })
    })
}

async fn once<S>(handler: S) -> Once<S> {
    once_with(handler, ledger().await)
}

async fn ledger() -> Ledger {
    let secret = Secret::new(vec![7; 32]).unwrap();
    Ledger::open(Arc::new(MemoryStore::new()), &secret, Options::default()).await.unwrap().0
}

fn once_with<S>(handler: S, ledger: Ledger) -> Once<S> {
    let rules = Arc::new(Rules::new("test", Redaction::new(ledger.key(), &[])));
    let layer = Layer::new(
        Arc::new(Shared::new(ledger, "test")),
        Starts::BeforeCall,
        Box::new(move |_| Some(Arc::clone(&rules))),
        Box::new(|_, _| Ok(Principal::anonymous())),
    );
    Once::new(handler, layer)
}

fn request(key: &str) -> Request<Full<Bytes>> {
    Request::post("/transfers").header("idempotency-key", key).body(Full::from("{}")).unwrap()
}

/// F18: a client hung up, its handler was cancelled with it, and the outcome was lost. Here the future of a request is
/// dropped after every possible number of polls: whatever had begun is finished and kept, what had not has left no
/// trace, and the next request with the key gets one effect in all.
#[tokio::test]
async fn f18_a_request_that_is_dropped_between_any_two_awaits_has_one_effect_or_none() {
    let calls = Arc::<AtomicUsize>::default();
    let service = once(counting(&calls)).await;
    let mut finished = false;
    for polls in 0..200 {
        let before = calls.load(Ordering::SeqCst);
        let key = format!("key-{polls}");
        let mut future = Box::pin(service.clone().call(request(&key)));
        for _ in 0..polls {
            finished = poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await;
            if finished {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(future);
        let answer = service.clone().call(request(&key)).await.unwrap();
        assert_eq!(answer.status(), 200, "after {polls} polls");
        assert_eq!(calls.load(Ordering::SeqCst), before + 1, "after {polls} polls");
        if finished {
            break;
        }
    }
    assert!(finished, "the last request ran to its end, so every await was tried");
}

/// F15: an exception after the effect deleted the record, and the retry ran again. A handler that panics leaves its
/// outcome unknown, and a repeat is refused.
#[tokio::test]
async fn f15_a_handler_that_panics_leaves_its_outcome_unknown() {
    let effects = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&effects);
    let panics = move || -> Answer<Infallible> {
        counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { panic!("after the effect") })
    };
    let service = once(Answers(panics)).await;
    let first = service.clone().call(request("k")).await.unwrap();
    assert_eq!(first.status(), 502);
    assert_eq!(first.headers()["idempotency-status"], "unknown");
    let told = first.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&told).contains("The handler began"), "{told:?}");
    let repeat = service.clone().call(request("k")).await.unwrap();
    assert_eq!(repeat.status(), 409);
    let problem = repeat.into_body().collect().await.unwrap().to_bytes();
    assert!(problem.windows(15).any(|text| text == b"outcome-unknown"));
    assert_eq!(effects.load(Ordering::SeqCst), 1);
}

/// A service that fails without an answer, as a plain tower service may: nobody can say what it did. A request that has
/// no key gets the error as it is.
#[tokio::test]
async fn a_handler_that_fails_leaves_its_outcome_unknown() {
    let fails = || -> Answer<std::io::Error> {
        Box::pin(async { Err(std::io::Error::other("the card network hung up")) })
    };
    let mut service = once(Answers(fails)).await;
    let keyed = service.call(request("k")).await.unwrap();
    assert_eq!(keyed.status(), 502);
    assert_eq!(keyed.headers()["idempotency-status"], "unknown");
    assert_eq!(service.call(request("k")).await.unwrap().status(), 409);
    let unkeyed = Request::post("/transfers").body(Full::from("{}")).unwrap();
    assert_eq!(service.call(unkeyed).await.unwrap_err().to_string(), "the card network hung up");
}

/// Two layers of one ledger around one service, as a router that has one for all routes and one for some: the inner one
/// found its own request's claim and waited for it, and its answer was *in progress*.
#[tokio::test]
async fn a_layer_within_a_layer_does_not_wait_for_its_own_request() {
    let calls = Arc::<AtomicUsize>::default();
    let ledger = ledger().await;
    let mut service = once_with(once_with(counting(&calls), ledger.clone()), ledger);
    for _ in 0..2 {
        let answer = service.call(request("k")).await.unwrap();
        assert_eq!(answer.status(), 200);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "call 0");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

/// Both were recorded as *answered*, as if their status had decided.
#[tokio::test]
async fn what_the_handler_says_itself_is_recorded_as_its_own_word() {
    let says = || -> Answer<Infallible> {
        let answer = Response::builder().header("idempotency-outcome", "unknown");
        Box::pin(async { Ok(answer.body(Full::from("x")).unwrap()) })
    };
    let ledger = ledger().await;
    let answer = once_with(Answers(says), ledger.clone()).call(request("k")).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["idempotency-status"], "unknown");
    let open = ledger.open_records(None, 10).await.unwrap().listed;
    let [listed] = &open[..] else { panic!("{open:?}") };
    let State::Unknown { cause, seen_status, .. } = listed.record.state else { panic!("{listed:?}") };
    assert_eq!((cause, seen_status), (UnknownCause::Handler, Some(200)));
}

/// Before the deadline it could not be said whether anything was sent; after it, it turns out that nothing was. Then the
/// key is free, instead of waiting for somebody to settle it.
#[tokio::test(start_paused = true)]
async fn what_turns_out_late_not_to_have_been_sent_frees_the_key() {
    let calls = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&calls);
    // Has started, and finds out after the deadline that no byte was taken; the second time it answers.
    let finds_out_late = move || -> Answer<Infallible> {
        let call = counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let mut answer = Response::new(Full::default());
            if call == 0 {
                // bounded: on a paused clock, one deadline and a half
                tokio::time::sleep(std::time::Duration::from_secs(90)).await;
                answer.extensions_mut().insert(onlyonce_http::NoAnswer::NotSent);
            }
            Ok(answer)
        })
    };
    let ledger = ledger().await;
    let service = once_with(Answers(finds_out_late), ledger.clone());
    let first = service.clone().call(request("k")).await.unwrap();
    assert_eq!(
        (first.status().as_u16(), &first.headers()["idempotency-status"]),
        (504, &"unknown".parse().unwrap())
    );
    let held = service.clone().call(request("k")).await.unwrap();
    assert_eq!(held.status(), 409, "until it is known, nothing runs");
    // bounded: on a paused clock, past the moment at which it finds out
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let repeat = service.clone().call(request("k")).await.unwrap();
    assert_eq!(repeat.headers()["idempotency-status"], "executed");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}
