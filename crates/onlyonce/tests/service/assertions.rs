//! `assert_once` fails on services that do not act once, each for what is wrong with it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use http_body_util::BodyExt;
use onlyonce::{Onlyonce, testing::assert_once};

use crate::send::Effects;

/// What a service without this crate might remember.
#[derive(Clone, Default)]
struct Shop {
    effects: Effects,
    answers: Arc<Mutex<HashMap<String, String>>>,
    busy: Arc<Mutex<HashSet<String>>>,
}

impl Shop {
    fn act(&self) -> String {
        format!("effect {}", self.effects.add())
    }

    fn known(&self, key: &str) -> Option<String> {
        self.answers.lock().unwrap().get(key).cloned()
    }

    fn keep(&self, key: String, answer: &str) {
        self.answers.lock().unwrap().insert(key, answer.to_owned());
    }
}

fn key(request: &Request) -> String {
    request.headers()["idempotency-key"].to_str().unwrap().to_owned()
}

async fn put_to_it<H, T>(shop: Shop, handler: H)
where
    H: axum::handler::Handler<T, Shop>,
    T: 'static,
{
    let app = Router::new().route("/transfers", post(handler)).with_state(shop.clone());
    put(app, &shop).await;
}

async fn put(app: Router, shop: &Shop) {
    let request = axum::http::Request::post("/transfers").body(Bytes::from_static(b"{\"amount\":100}"));
    assert_once(app, request.unwrap(), || shop.effects.count()).await;
}

#[tokio::test]
#[should_panic(expected = "sent in sequence: one key took effect 2 times")]
async fn a_service_that_knows_no_keys() {
    put_to_it(Shop::default(), async |State(shop): State<Shop>, _: Bytes| shop.act()).await;
}

#[tokio::test]
#[should_panic(expected = "sent in sequence: nothing took effect (401 Unauthorized")]
async fn a_request_that_is_refused() {
    put_to_it(Shop::default(), async |_: Bytes| StatusCode::UNAUTHORIZED).await;
}

#[tokio::test]
#[should_panic(expected = "sent at once: one key took effect")]
async fn a_service_that_checks_then_acts() {
    put_to_it(Shop::default(), async |State(shop): State<Shop>, request: Request| {
        let key = key(&request);
        if let Some(known) = shop.known(&key) {
            return known;
        }
        tokio::task::yield_now().await;
        let answer = shop.act();
        shop.keep(key, &answer);
        answer
    })
    .await;
}

/// A lock per key and a memory of answers, whole but for one thing each.
async fn guarded(shop: Shop, request: Request, flaw: fn(&Shop, &str) -> Option<String>) -> Response {
    let key = key(&request);
    // A body that breaks off is no request.
    if to_bytes(request.into_body(), usize::MAX).await.is_err() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    if let Some(known) = flaw(&shop, &key) {
        return known.into_response();
    }
    if !shop.busy.lock().unwrap().insert(key.clone()) {
        return (StatusCode::CONFLICT, [("retry-after", "1")]).into_response();
    }
    // The hand that acts and keeps cannot be stopped by a client that goes away.
    let acted = tokio::spawn(async move {
        let answer = shop.act();
        shop.keep(key.clone(), &answer);
        shop.busy.lock().unwrap().remove(&key);
        answer
    });
    acted.await.unwrap().into_response()
}

#[tokio::test]
#[should_panic(expected = "sent in sequence: a repeat was answered 200 OK \"again")]
async fn a_service_that_makes_its_answer_up_again() {
    put_to_it(Shop::default(), async |State(shop): State<Shop>, request: Request| {
        guarded(shop, request, |shop, key| shop.known(key).map(|known| format!("again {known}"))).await
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "sent with another body: the same key with another body got 200 OK")]
async fn a_service_that_does_not_compare_bodies() {
    put_to_it(Shop::default(), async |State(shop): State<Shop>, request: Request| {
        guarded(shop, request, Shop::known).await
    })
    .await;
}

/// Compares bodies, and lets its caller look at what it does before.
async fn compared(shop: Shop, request: Request, early: bool) -> Response {
    let key = key(&request);
    if early && shop.known(&key).is_none() {
        let answer = shop.act();
        shop.keep(key.clone(), &answer);
    }
    let Ok(body) = to_bytes(request.into_body(), usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if body.ends_with(b"request\"}") {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    guarded(shop, with_key(&key), Shop::known).await
}

fn with_key(key: &str) -> Request {
    Request::post("/").header("idempotency-key", key).body(Body::empty()).unwrap()
}

#[tokio::test]
#[should_panic(expected = "sent with its body cut off: it took effect before its body had arrived")]
async fn a_service_that_acts_on_half_a_request() {
    put_to_it(Shop::default(), async |State(shop): State<Shop>, request: Request| {
        compared(shop, request, true).await
    })
    .await;
}

/// A key at work, until it is dropped.
struct Busy {
    shop: Shop,
    key: String,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.shop.busy.lock().unwrap().remove(&self.key);
    }
}

/// All that comes before the effect, done right: the whole body, which is the key's own, and nobody else at work.
async fn entered(shop: &Shop, request: Request) -> Result<Busy, Response> {
    let key = key(&request);
    let Ok(body) = to_bytes(request.into_body(), usize::MAX).await else {
        return Err(StatusCode::BAD_REQUEST.into_response());
    };
    if body.ends_with(b"request\"}") {
        return Err(StatusCode::UNPROCESSABLE_ENTITY.into_response());
    }
    if let Some(known) = shop.known(&key) {
        return Err(Body::from(known).into_response());
    }
    if !shop.busy.lock().unwrap().insert(key.clone()) {
        return Err((StatusCode::CONFLICT, [("retry-after", "1")]).into_response());
    }
    Ok(Busy { shop: shop.clone(), key })
}

/// Keeps an answer once it was read to its end, as whoever takes delivery for the effect.
#[tokio::test]
#[should_panic(expected = "sent with its answer thrown away: one key took effect 2 times")]
async fn a_service_that_forgets_what_nobody_has_read() {
    put_to_it(Shop::default(), async |State(shop): State<Shop>, request: Request| {
        let busy = match entered(&shop, request).await {
            Ok(busy) => busy,
            Err(answer) => return answer,
        };
        let answer = shop.act();
        Body::new(Body::from(answer.clone()).map_frame(move |frame| {
            shop.keep(busy.key.clone(), &answer);
            frame
        }))
        .into_response()
    })
    .await;
}

/// F18: the handler ends with its client, between the effect and the memory of it.
#[tokio::test]
#[should_panic(expected = "sent with its client gone: one key took effect 2 times")]
async fn a_service_whose_handler_ends_with_its_client() {
    put_to_it(Shop::default(), async |State(shop): State<Shop>, request: Request| {
        let busy = match entered(&shop, request).await {
            Ok(busy) => busy,
            Err(answer) => return answer,
        };
        let answer = shop.act();
        tokio::task::yield_now().await;
        shop.keep(busy.key.clone(), &answer);
        Body::from(answer).into_response()
    })
    .await;
}

/// So that none of the above fails for what all of them have in common.
#[tokio::test]
async fn a_service_that_acts_once() {
    let shop = Shop::default();
    let handler = async |State(shop): State<Shop>, request: Request| compared(shop, request, false).await;
    put_to_it(shop, handler).await;

    let shop = Shop::default();
    let handler = async |State(shop): State<Shop>, _: Bytes| {
        tokio::task::yield_now().await;
        shop.act()
    };
    let layer = Onlyonce::testing().await.layer().require_key().anonymous();
    let app = Router::new().route("/transfers", post(handler)).with_state(shop.clone()).layer(layer);
    put(app, &shop).await;
}
