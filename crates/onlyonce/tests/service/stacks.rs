//! Under every kind of stack, with every kind of body: each compiles, and acts once.

use std::convert::Infallible;

use axum::{Router, body::Body, extract::State, http::StatusCode, middleware, routing::post};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use onlyonce::{Layer, Onlyonce, service::RequestBody, testing::assert_once};
use tokio::net::{TcpListener, TcpStream};
use tower::{ServiceBuilder, service_fn};

use crate::send::Effects;

fn transfer() -> Request<Bytes> {
    Request::post("/transfers").body(Bytes::from_static(b"{\"amount\":100}")).unwrap()
}

async fn layer() -> Layer {
    Onlyonce::testing().await.layer().require_key().anonymous()
}

async fn handler(State(effects): State<Effects>, _: String) -> (StatusCode, String) {
    tokio::task::yield_now().await;
    (StatusCode::CREATED, format!("transfer {}", effects.add()))
}

fn router(effects: &Effects) -> Router<Effects> {
    Router::new().route("/transfers", post(handler)).with_state::<Effects>(effects.clone())
}

#[tokio::test]
async fn under_a_routers_route_layer() {
    let effects = Effects::default();
    let app = router(&effects).route_layer(layer().await).with_state(effects.clone());
    assert_once(app, transfer(), || effects.count()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_a_routers_layer_with_others_within_and_without() {
    let effects = Effects::default();
    let pass = || middleware::from_fn(async |request, next: middleware::Next| next.run(request).await);
    let app = router(&effects).layer(pass()).layer(layer().await).layer(pass()).with_state(effects.clone());
    assert_once(app, transfer(), || effects.count()).await;
}

#[tokio::test]
async fn on_one_method_of_one_route() {
    let effects = Effects::default();
    let app =
        Router::new().route("/transfers", post(handler).layer(layer().await)).with_state(effects.clone());
    assert_once(app, transfer(), || effects.count()).await;
}

/// The body of the request is none that can be made of bytes, and the error of the service is none of axum's.
#[tokio::test]
async fn in_a_stack_of_tower() {
    let effects = Effects::default();
    let counted = effects.clone();
    let stack = ServiceBuilder::new().layer(layer().await).service(service_fn(move |request: Request<_>| {
        let effects = counted.clone();
        async move {
            let (_, body) = Request::into_parts(request);
            let body = RequestBody::<_>::collect(body).await.map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>(Response::new(Full::new(Bytes::from(format!(
                "{} of {} bytes",
                effects.add(),
                body.to_bytes().len()
            )))))
        }
    }));
    assert_once(stack, transfer(), || effects.count()).await;
}

async fn ask(address: std::net::SocketAddr) -> (StatusCode, Bytes) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post("/transfers").header("idempotency-key", "k").header("host", "bank");
    let answer = sender.send_request(request.body(Full::new(Bytes::from("{}"))).unwrap()).await.unwrap();
    let status = answer.status();
    (status, answer.into_body().collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn under_plain_hyper() {
    let effects = Effects::default();
    let counted = effects.clone();
    let once = tower_layer::Layer::layer(
        &layer().await,
        service_fn(move |_: Request<RequestBody<Incoming>>| {
            let number = counted.add();
            async move { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(number.to_string())))) }
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(once.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    let first = ask(address).await;
    assert_eq!(first, (StatusCode::OK, Bytes::from("1")));
    assert_eq!(ask(address).await, first);
    assert_eq!(effects.count(), 1);
}

/// A service that fails without an answer may have acted: its caller gets an answer that says so, and a repeat is refused.
#[tokio::test]
async fn an_error_of_a_plain_service_is_an_unknown_outcome() {
    let fails = service_fn(|_: Request<RequestBody<Body>>| async {
        Err::<Response<Empty<Bytes>>, _>(std::io::Error::other("the card network hung up"))
    });
    let mut stack = ServiceBuilder::new().layer(layer().await).service(fails);
    let mut status = async || {
        let request = crate::send::post("/transfers", "k");
        tower::Service::call(&mut stack, request).await.unwrap().status()
    };
    assert_eq!((status().await, status().await), (StatusCode::BAD_GATEWAY, StatusCode::CONFLICT));
}
